"""Names for what a drawing shows, each of its own: bars of one name would fall together.

A name that only one thing has stays as it is. Where several share it, a mark in parentheses tells them apart: what
differs between their ids, as people would say it.

    https://video.example/week1/intro.mp4    intro.mp4 (week1)
    https://video.example/week2/intro.mp4    intro.mp4 (week2)
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

_MARK_LENGTHS: Final = (8, 12, 16)
_LONGEST_MARK: Final = 20
_MARKED_LENGTH: Final = 30  # what an axis shows of a label
_SHORTEST_NAME: Final = 8


def distinct_labels(names: Mapping[str, str]) -> dict[str, str]:
    """A label for each id, no two alike. `names` says what each id is called."""
    holders: dict[str, list[str]] = defaultdict(list)
    for each, name in names.items():
        holders[name].append(each)
    labels = {each: name for name, ids in holders.items() for each in ids if len(ids) == 1}
    taken = set(labels.values())
    for name, ids in holders.items():
        if len(ids) > 1:
            for each, mark in marks(ids).items():
                labels[each] = _free(_marked(name, mark) if mark else name, taken)
                taken.add(labels[each])
    return {each: labels[each] for each in names}


def marks(ids: Collection[str]) -> dict[str, str]:
    """What tells each of these ids from the others: the parts in which they differ, long ones shortened."""
    parts = {each: re.split(r"[/@+]", each) for each in ids}
    first = _alike(list(parts.values()))
    last = _alike([own[first:][::-1] for own in parts.values()])
    differing = {each: "/".join(own[first : len(own) - last]) for each, own in parts.items()}
    if len(set(differing.values())) < len(differing):  # they differ in what stands between the parts
        differing = {each: each for each in ids}
    shortened = ({each: cut(mark) for each, mark in differing.items()} for cut in _cuts(list(differing.values())))
    return next((found for found in shortened if len(set(found.values())) == len(found)), differing)


def _cuts(texts: Sequence[str]) -> Iterator[Callable[[str], str]]:
    """Ways to shorten the long of these texts, the ones that people like best first."""

    def cut(start: int, end: int | None, text: str) -> str:
        if len(text) <= _LONGEST_MARK:
            return text
        kept = text[start:end]
        return f"{'' if text.startswith(kept) else '…'}{kept}{'' if text.endswith(kept) else '…'}"

    for length in _MARK_LENGTHS:
        yield partial(cut, -length, None)
        yield partial(cut, 0, length)
    alike = _alike(texts)
    yield partial(cut, alike, alike + _LONGEST_MARK)


def _alike(rows: Sequence[Sequence[str]]) -> int:
    """How many of the first parts are the same in all."""
    count = 0
    for column in zip(*rows, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count


def _marked(name: str, mark: str) -> str:
    """The name with its mark; a long name is cut, since an axis would cut the mark."""
    room = max(_SHORTEST_NAME, _MARKED_LENGTH - len(mark) - 3)
    shown = name if len(name) <= room else f"{name[: room - 1].rstrip()}…"
    return f"{shown} ({mark})"


def _free(label: str, taken: Collection[str]) -> str:
    """The label, or the first of its numbered kind that nothing else has."""
    number, free = 1, label
    while free in taken:
        number += 1
        free = f"{label} #{number}"
    return free
