"""What may stand in `extensions`: keys that are IRIs, and any JSON that is not nested without bound.

The bound is far from what statements hold, and as far from where Python's recursion ends: whatever passes here can be
compared with others later, in a thread that does so for many requests.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import UnsetType

from schoolhouse.collect.forms import Iri, read_form

DEEPEST: Final = 100  # levels of objects and arrays in the value of an extension

_HOLDERS: Final = frozenset({dict, list})


def check_extensions(extensions: dict[str, Any] | UnsetType) -> None:
    """Raise ValueError if a key is no IRI, or a value is nested too deeply."""
    if not extensions:
        return
    if not extensions.keys() <= Iri.seen.keys():  # a statement with twenty costs one comparison of sets
        for key in extensions:
            try:
                read_form(Iri, key)
            except ValueError:
                raise ValueError("the keys of `extensions` must be absolute IRIs") from None
    if not _HOLDERS.isdisjoint(map(type, extensions.values())):
        _check_depth(extensions)


def _check_depth(extensions: dict[str, Any]) -> None:
    level: list[Any] = [extensions]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _HOLDERS
        ]
        if not level:
            return
    raise ValueError(f"the values of `extensions` may be nested {DEEPEST} levels deep")
