"""What one bound value may hold: a server takes 128 KiB in each (its http_max_field_value_size)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

_MOST_BYTES: Final = 120_000
_ESCAPED: Final = re.compile(r"['`\\\x00-\x1f]")
_Item = TypeVar("_Item")


def text_bytes(text: str) -> int:
    """What a text takes of a bound array: quoted, escaped, with comma and blank."""
    return len(text.encode("utf-8", "replace")) + len(_ESCAPED.findall(text)) + 4


def portions(items: Iterable[_Item], size_of: Callable[[_Item], int]) -> Iterator[list[_Item]]:
    """The items in lists, each of which fits one bound value; an item that is too large is alone."""
    waiting: list[_Item] = []
    size = 0
    for item in items:
        more = size_of(item)
        if waiting and size + more > _MOST_BYTES:
            yield waiting
            waiting, size = [], 0
        waiting.append(item)
        size += more
    if waiting:
        yield waiting
