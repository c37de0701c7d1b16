"""Sections and projects as accounts hold them: a platform and a number, `42@https://torus.example`.

A number alone is not enough: two platforms may share it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from schoolhouse.errors import UsageError

_WRITTEN: Final = re.compile(r"(\d{1,20})@([a-z][a-z0-9+.-]*://\S{1,480})", re.IGNORECASE)
_MAX_NUMBER: Final = 2**64 - 1


@dataclass(frozen=True, order=True)
class Scope:
    """One section or one project: `platform` is the home page of its learners' accounts, exactly as statements say."""

    platform: str
    number: int

    def __str__(self) -> str:
        return f"{self.number}@{self.platform}"


def is_written_in_full(text: str) -> bool:
    """Whether the text names a platform by its address, so that nothing has to be looked up."""
    return bool(_WRITTEN.fullmatch(text))


def parse_scope(text: str) -> Scope:
    """Read `NUMBER@PLATFORM`, as `str` of a scope writes it. Raises UsageError."""
    match = _WRITTEN.fullmatch(text)
    if not match or int(match[1]) > _MAX_NUMBER:
        raise UsageError(f"{text!r} names no section or project.", hint="Write NUMBER@https://platform.example.")
    return Scope(match[2], int(match[1]))
