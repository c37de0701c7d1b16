"""What ClickHouse cannot reach and is read here: as a file of this machine, then in blocks of lines."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from schoolhouse.backfill.patterns import Source
from schoolhouse.collect.files import Layout, StatementFile, read_blocks
from schoolhouse.errors import InputError
from schoolhouse.etl.aws import mapped_errors

_PARQUET_ROWS: Final = 20_000
_PIECE_BYTES: Final = 1 << 20


@contextmanager
def copied(source: Source, s3: Callable[[], Any]) -> Iterator[Path]:
    """An object as a file of this machine; a local file is what it is, and needs no client."""
    if not source.bucket:
        yield Path(source.key)
        return
    with tempfile.NamedTemporaryFile(prefix="schoolhouse-backfill-") as copy:
        with mapped_errors(source.uri):
            for piece in s3().get_object(Bucket=source.bucket, Key=source.key)["Body"].iter_chunks(_PIECE_BYTES):
                copy.write(piece)
        copy.flush()
        yield Path(copy.name)


def statement_blocks(path: Path, source: Source, *, form: str, max_line_bytes: int) -> Iterator[tuple[bytes, int]]:
    """A file's lines in blocks, each with the number of its first line.

    Raises:
        InputError: the file is not what its format says.
    """
    if form == "parquet":
        yield from _parquet_blocks(path, source)
        return
    layout: Layout = "lines" if form == "lines" else "json"
    file = StatementFile(source.uri, path, layout, max(source.size_bytes, 0))
    for block in read_blocks(file, max_line_bytes=max_line_bytes):
        yield block.lines, block.first_line


def _parquet_blocks(path: Path, source: Source) -> Iterator[tuple[bytes, int]]:
    """The column `line` of a Parquet file, in blocks."""
    import pyarrow as pa
    from pyarrow import parquet

    first_line = 1
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS, columns=["line"]):
                lines = [_one_line(value) for value in batch.column(0).to_pylist()]
                yield b"".join(lines), first_line
                first_line += len(lines)
    except (pa.ArrowException, OSError, IndexError):
        raise InputError(f"{source.uri} is no Parquet with a column `line`.") from None


def _one_line(value: str | bytes | None) -> bytes:
    data = value.encode() if isinstance(value, str) else value or b""
    return data.replace(b"\n", b" ") + b"\n"
