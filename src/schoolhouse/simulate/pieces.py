"""Lines of JSON put together from pieces, thousands at a time.

A statement is a template with holes. Every hole has a table of ready pieces (actors, pages, scores, numbers), so a
statement is a row of piece numbers, and Arrow's `take` joins a thousand rows in one call: 8 ns a piece, against some
10,000 ns for `json.dumps` of one statement. The result's data buffer is the file's text, without a copy.

Holes are written in a template as `text("name")` inside quotes or `bare("name")` for any JSON value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

# About a megabyte of text, which is still in the processor's cache when it is compressed. Larger blocks are also slower
# to join: Arrow guesses their size too small, and moves them as they grow.
BLOCK_ROWS: Final = 1_024

_HOLE = re.compile(rb'"<bare:(\w+)>"|<text:(\w+)>')
# Rows of fixed width, or words of any length, or words made once for every chunk.
Table: TypeAlias = Bytes | Sequence[bytes] | pa.BinaryArray


def text(name: str) -> str:
    """A hole inside a JSON string."""
    return f"<text:{name}>"


def bare(name: str) -> str:
    """A hole for a whole JSON value."""
    return f"<bare:{name}>"


def dumps(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Lexicon:
    """All pieces of a chunk, numbered. With `quoted`, quotes are doubled, as CSV wants them."""

    def __init__(self, *, quoted: bool = False) -> None:
        self._quoted = quoted
        self._arrays: list[pa.BinaryArray] = []
        self._pending: list[bytes] = []
        self._count = 0
        self.empty = self.word(b"")

    def word(self, piece: bytes, *, as_is: bool = False) -> int:
        """Add one piece; `as_is`, its quotes stay single."""
        self._pending.append(piece if as_is else self._written(piece))
        self._count += 1
        return self._count - 1

    def table(self, pieces: Table) -> int:
        """Add many pieces; the number of the first. Rows and ready arrays hold no quotes and are taken as they are.

        A tuple is the same in every chunk, so its array is kept.
        """
        self._flush()
        if isinstance(pieces, np.ndarray):
            array = _array_of_rows(pieces)
        elif isinstance(pieces, pa.BinaryArray):
            array = pieces
        elif isinstance(pieces, tuple):
            array = _kept_array(pieces, self._quoted)
        else:
            array = _array_of_words([self._written(piece) for piece in pieces])
        first = self._count
        self._arrays.append(array)
        self._count += len(array)
        return first

    def blocks(self, numbers: NDArray[np.int32]) -> Iterator[pa.BinaryArray]:
        """The pieces of every row of `numbers` joined, one value a row, in blocks of BLOCK_ROWS."""
        self._flush()
        everything = pa.concat_arrays(self._arrays)
        for first in range(0, len(numbers), BLOCK_ROWS):
            rows = np.ascontiguousarray(numbers[first : first + BLOCK_ROWS])
            taken = everything.take(pa.Array.from_buffers(pa.int32(), rows.size, [None, pa.py_buffer(rows)]))
            offsets = np.frombuffer(taken.buffers()[1], dtype=np.int32)[:: rows.shape[1]]
            yield pa.BinaryArray.from_buffers(
                pa.binary(), len(rows), [None, pa.py_buffer(np.ascontiguousarray(offsets)), taken.buffers()[2]]
            )

    def joined(self, numbers: NDArray[np.int32]) -> pa.BinaryArray:
        """All blocks as one."""
        return pa.concat_arrays(self.blocks(numbers))

    def plain(self, written: bytes) -> bytes:
        """A joined piece as it was before quotes were doubled."""
        return written.replace(b'""', b'"') if self._quoted else written

    def _written(self, piece: bytes) -> bytes:
        return _doubled(piece) if self._quoted else piece

    def _flush(self) -> None:
        if self._pending:
            self._arrays.append(_array_of_words(self._pending))
            self._pending = []


class Template:
    """A statement with holes, as a row of pieces: numbers of fixed pieces and names of holes."""

    def __init__(self, lexicon: Lexicon, statement: Any) -> None:
        self.parts: list[int | str] = []
        at = 0
        written = dumps(statement)
        for hole in _HOLE.finditer(written):
            if hole.start() > at:
                self.parts.append(lexicon.word(written[at : hole.start()]))
            self.parts.append((hole[1] or hole[2]).decode())
            at = hole.end()
        self.parts.append(lexicon.word(written[at:]))


def _doubled(piece: bytes) -> bytes:
    return piece.replace(b'"', b'""')


@lru_cache(maxsize=64)
def _kept_array(words: tuple[bytes, ...], quoted: bool) -> pa.BinaryArray:
    return _array_of_words([_doubled(word) for word in words] if quoted else words)


def _array_of_words(words: Sequence[bytes]) -> pa.BinaryArray:
    """From buffers, since `pa.array` would import pandas, which takes a second."""
    offsets = np.zeros(len(words) + 1, dtype=np.int32)
    np.cumsum([len(word) for word in words], out=offsets[1:])
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(words), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(words))]
    )


def _array_of_rows(rows: Bytes) -> pa.BinaryArray:
    count, width = rows.shape
    offsets = np.arange(count + 1, dtype=np.int32) * width
    return pa.BinaryArray.from_buffers(
        pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(rows))]
    )


# --- tables that every chunk shares -----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def whole_numbers() -> pa.BinaryArray:
    """0 to 9999."""
    return _array_of_words([str(number).encode() for number in range(10_000)])


@lru_cache(maxsize=1)
def tenths() -> pa.BinaryArray:
    """0.0 to 1300.0 in steps of a tenth."""
    return _array_of_words([f"{number / 10}".encode() for number in range(13_001)])


@lru_cache(maxsize=1)
def hundredths() -> pa.BinaryArray:
    """0.0 to 1.0 in steps of a hundredth."""
    return _array_of_words([f"{number / 100}".encode() for number in range(101)])


@lru_cache(maxsize=4)
def scores(most: int) -> tuple[bytes, ...]:
    """Every score of `raw` out of `max`, for `max` up to `most`, at `score_number(raw, max)`."""
    return tuple(
        dumps({"scaled": raw / out_of if out_of else 0.0, "raw": raw, "min": 0, "max": out_of})
        for out_of in range(most + 1)
        for raw in range(out_of + 1)
    )


def score_number(raw: Ints, most: Ints) -> Ints:
    """Where a score stands in `scores`."""
    return np.asarray(most * (most + 1) // 2 + raw)


# --- rows of fixed width ----------------------------------------------------------------------------------------------

# Both hexadecimal digits of a byte at once.
_PAIRS = np.array([list(f"{byte:02x}".encode()) for byte in range(256)], dtype=np.uint8).view(np.uint16).reshape(256)
_TWO = np.array([list(f"{number:02d}".encode()) for number in range(60)], dtype=np.uint8)
_THREE = np.array([list(f"{number:03d}".encode()) for number in range(1000)], dtype=np.uint8)


def _random_bytes(random: np.random.Generator, count: int, width: int) -> Bytes:
    return np.frombuffer(bytearray(random.bytes(count * width)), dtype=np.uint8).reshape(count, width)


def hexes(random: np.random.Generator, count: int, width: int = 32) -> Bytes:
    """Random hexadecimal digits."""
    drawn = _random_bytes(random, count, width // 2)
    return _PAIRS.take(drawn).view(np.uint8)


def uuids(random: np.random.Generator, count: int) -> Bytes:
    """Random UUIDs of version 4, as text."""
    drawn = _random_bytes(random, count, 16)
    drawn[:, 6] = drawn[:, 6] & 0x0F | 0x40
    drawn[:, 8] = drawn[:, 8] & 0x3F | 0x80
    digits = _PAIRS.take(drawn).view(np.uint8)
    rows = np.full((count, 36), ord("-"), dtype=np.uint8)
    for start, end, to in ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24)):
        rows[:, to : to + end - start] = digits[:, start:end]
    return rows


@lru_cache(maxsize=1)
def _clock() -> Bytes:
    """Every second of a day, as 09:15:00."""
    rows = np.full((24, 60, 60, 8), ord(":"), dtype=np.uint8)
    rows[..., 0:2] = _TWO[:24, None, None]
    rows[..., 3:5] = _TWO[:, None]
    rows[..., 6:8] = _TWO
    return rows.reshape(86_400, 8)


def moments(milliseconds: Ints, *, separator: str = "T", micros: Ints | None = None, suffix: str = "Z") -> Bytes:
    """Times of day and date as text, such as 2026-08-31T09:15:00.123Z; with `micros`, six digits of the second."""
    day, within = np.divmod(milliseconds, 86_400_000)
    first, last = (int(day.min()), int(day.max())) if len(day) else (0, 0)
    dates = np.datetime_as_string(np.arange(first, last + 1).astype("datetime64[D]"))
    table = np.frombuffer("".join(dates).encode(), dtype=np.uint8).reshape(-1, 10)
    tail = 3 if micros is not None else 0
    rows = np.empty((len(milliseconds), 23 + tail + len(suffix)), dtype=np.uint8)
    rows[:, :10] = table[day - first]
    rows[:, 10] = ord(separator)
    second, thousandth = np.divmod(within.astype(np.int32), 1000)
    rows[:, 11:19] = _clock().take(second, axis=0)
    rows[:, 19] = ord(".")
    rows[:, 20:23] = _THREE.take(thousandth, axis=0)
    if micros is not None:
        rows[:, 23:26] = _THREE.take(micros, axis=0)
    rows[:, 23 + tail :] = np.frombuffer(suffix.encode(), dtype=np.uint8)
    return rows
