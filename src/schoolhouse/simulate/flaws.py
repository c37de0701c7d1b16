"""Flaws of the input: lines twice, lines late, lines broken. All come on top of the good statements."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schoolhouse.simulate.campus import Ints
from schoolhouse.simulate.rates import Imperfections

# The codes by which the warehouse rejects a line, and how a line comes to deserve each.
REASONS: Final = (
    "",
    "not_json",
    "not_object",
    "missing_actor",
    "missing_verb",
    "missing_object",
    "bad_timestamp",
    "line_too_long",
)
_MALFORMED: Final = (1, 2)
_MISSING: Final = (3, 4, 5, 6)
_TOO_LONG: Final = (7,)
LONG_LINE_BYTES: Final = 1_050_000  # the warehouse takes 1,048,576, unless it is told otherwise
LATE_BY: Final = 0.1  # a late line stands up to a tenth of its chunk further on


@dataclass(frozen=True)
class Flawed:
    """The lines of a chunk in the order of the file: which statement each is made from, and how it is broken."""

    source: Ints
    reason: NDArray[np.uint8]  # position in REASONS; 0 is a good line
    duplicates: int
    late: int

    @property
    def rejects(self) -> dict[str, int]:
        """Broken lines by reason."""
        counts = np.bincount(self.reason, minlength=len(REASONS))
        return {name: int(counts[code]) for code, name in enumerate(REASONS) if code and counts[code]}


def flaw_rows(flaws: Imperfections, count: int, random: np.random.Generator) -> Flawed:
    """Decide the lines of a chunk of `count` good statements, given in order of time."""
    place = np.arange(count, dtype=float)
    if not any((flaws.duplicates, flaws.late, flaws.malformed, flaws.missing_fields, flaws.too_long)):
        return Flawed(np.arange(count), np.zeros(count, np.uint8), 0, 0)
    reach = max(2.0, count * LATE_BY)
    late = random.random(count) < flaws.late
    place[late] += random.uniform(1, reach, int(late.sum()))
    twice = np.flatnonzero(random.random(count) < flaws.duplicates)
    sources, places, reasons = (
        [np.arange(count), twice],
        [place, place[twice] + 0.5],
        [np.zeros(count + len(twice), np.uint8)],
    )
    places[1] = places[1] + random.uniform(0, reach, len(twice))
    kinds = ((flaws.malformed, _MALFORMED), (flaws.missing_fields, _MISSING), (flaws.too_long, _TOO_LONG))
    for rate, codes in kinds:
        spoilt = np.flatnonzero(random.random(count) < rate)
        sources.append(spoilt)
        places.append(spoilt + random.random(len(spoilt)))
        reasons.append(random.choice(np.array(codes, dtype=np.uint8), len(spoilt)))
    order = np.argsort(np.concatenate(places), kind="stable")
    source, reason = np.concatenate(sources)[order], np.concatenate(reasons)[order]
    return Flawed(source, reason, len(twice), int(late.sum()))


def broken(line: bytes, reason: str) -> bytes:
    """A line broken so that the warehouse rejects it for `reason`."""
    if reason == "not_json":
        return line[: len(line) * 2 // 3]
    if reason == "line_too_long":
        return line[:-1] + b',"padding":"%s"}' % (b"x" * (LONG_LINE_BYTES - len(line)))
    statement = json.loads(line)
    if reason == "not_object":
        return json.dumps(f"statement {hashlib.md5(line, usedforsecurity=False).hexdigest()}").encode()
    if reason == "bad_timestamp":
        statement["timestamp"] = "yesterday"
    else:
        del statement[reason.removeprefix("missing_")]
    return json.dumps(statement, separators=(",", ":"), ensure_ascii=False).encode()
