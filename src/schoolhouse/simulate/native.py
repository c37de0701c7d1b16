"""Statements as a block of ClickHouse's Native format: event_id UUID, emission_time DateTime64(6), event String.

A block is: number of columns, number of rows, and for each column its name, its type and its values. Numbers are
variable-length integers; a UUID is two little-endian halves; a string is its length and its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def varint(number: int) -> bytes:
    """A whole number, seven bits a byte, the lowest first."""
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def named(text: str) -> bytes:
    """A string with its length."""
    return varint(len(text.encode())) + text.encode()


def native_block(row_ids: NDArray[np.uint8], at_micros: NDArray[np.int64], lines: pa.BinaryArray) -> bytes:
    """One block. `row_ids` are UUIDs as text, 36 bytes a row."""
    return b"".join(
        (
            varint(3) + varint(len(lines)),
            named("event_id") + named("UUID") + uuid_bytes(row_ids),
            named("emission_time") + named("DateTime64(6)") + at_micros.astype("<i8").tobytes(),
            named("event") + named("String") + string_bytes(lines),
        )
    )


def uuid_bytes(text: NDArray[np.uint8]) -> bytes:
    """UUIDs from text to ClickHouse's two halves."""
    digits = np.delete(text, [8, 13, 18, 23], axis=1)
    values = np.where(digits >= ord("a"), digits - ord("a") + 10, digits - ord("0")).astype(np.uint8)
    whole = values[:, 0::2] << 4 | values[:, 1::2]
    halves = whole.reshape(-1, 2, 8)[:, :, ::-1]
    return np.ascontiguousarray(halves).tobytes()


def string_bytes(values: pa.BinaryArray) -> bytes:
    """Strings, each after its length."""
    lengths = pc.binary_length(values).to_numpy(zero_copy_only=False)
    distinct, where = np.unique(lengths, return_inverse=True)
    prefixes = pa.array([varint(int(length)) for length in distinct], pa.binary()).take(pa.array(where))
    joined = pc.binary_join_element_wise(prefixes, values, b"")
    start, end = joined.offset, joined.offset + len(joined)
    offsets = np.frombuffer(joined.buffers()[1], dtype=np.int32)
    return bytes(joined.buffers()[2][int(offsets[start]) : int(offsets[end])].to_pybytes())


def native_rows(columns: Sequence[tuple[str, str]], rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Rows of plain values as one block; times come as text, as CSV has them."""
    block = [varint(len(columns)) + varint(len(rows))]
    for (name, kind), values in zip(columns, zip(*rows, strict=True), strict=True):
        block += [named(name), named(kind), _ENCODERS[kind](values)]
    return b"".join(block)


def _strings(values: Sequence[str]) -> bytes:
    return b"".join(named(value) for value in values)


def _times(values: Sequence[str]) -> bytes:
    return np.array(values, dtype="datetime64[us]").astype("<i8").tobytes()


def _uuids(values: Sequence[str]) -> bytes:
    return uuid_bytes(np.frombuffer("".join(values).encode(), dtype=np.uint8).reshape(-1, 36))


_ENCODERS: Final[dict[str, Callable[[Sequence[Any]], bytes]]] = {
    "String": _strings,
    "DateTime64(6)": _times,
    "UUID": _uuids,
    "Int32": lambda values: np.array(values, dtype="<i4").tobytes(),
    "Bool": lambda values: np.array(values, dtype=np.uint8).tobytes(),
}
