"""Finds files of statements and reads them as blocks of whole lines, in memory that does not grow with the file.

Taken: files, directories (walked for the endings below), patterns, and `-` for standard input. Endings: `.jsonl` and
`.ndjson` hold a statement a line; `.json` holds one object or an array of objects, laid out in any way; each also as
`.gz` or `.zst`. Any other file named by the user is read as lines.
"""

from __future__ import annotations

import glob
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal, cast

from backports import zstd

from schoolhouse.collect.json_values import json_values
from schoolhouse.errors import InputError, UsageError

BLOCK_BYTES: Final = 32 * 1024 * 1024

_LINE_ENDINGS: Final = (".jsonl", ".ndjson")
_COMPRESSIONS: Final = {".gz": "gzip", ".zst": "zstd"}
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}

Layout = Literal["lines", "json"]


@dataclass(frozen=True)
class StatementFile:
    """A file of statements. `path` is None for standard input; sizes are as stored, in bytes."""

    name: str
    path: Path | None
    layout: Layout
    size_bytes: int


@dataclass(frozen=True)
class Block:
    """Whole lines of a file. `read_bytes` is how far the stored file has been read at its end."""

    lines: bytes
    first_line: int
    read_bytes: int


def find_files(arguments: Sequence[str]) -> list[StatementFile]:
    """The files that the arguments name, each once, in order.

    Raises:
        UsageError: an argument names nothing, or nothing that this user may see.
    """
    found: dict[str, StatementFile] = {}
    for argument in arguments:
        try:
            for file in _expand(argument):
                found.setdefault(file.name if file.path is None else str(file.path.resolve()), file)
        except OSError as error:
            raise UsageError(f"{argument} cannot be looked for: {error.strerror}.") from None
    return list(found.values())


def read_blocks(file: StatementFile, *, max_line_bytes: int, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """The file's lines in blocks of about `block_bytes`.

    A line longer than `max_line_bytes` is cut just behind that length, so that it is still seen to be too long.
    A JSON layout gives each object on a line of its own.

    Raises:
        InputError: the file cannot be opened or its compression is damaged. Blocks given before stay given.
    """
    try:
        with _open_stored(file) as stored, _decompressed(stored, file) as plain:
            layout = _sniffed(plain) if file.path is None else file.layout
            chunks = json_values(plain, block_bytes) if layout == "json" else _chunks(plain, block_bytes)
            first_line = 1
            for lines in _whole_lines(chunks, block_bytes, max_line_bytes):
                yield Block(lines, first_line, stored.tell() if stored.seekable() else 0)
                first_line += lines.count(b"\n")
    except (OSError, EOFError, zlib.error, zstd.ZstdError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        raise InputError(
            f"{file.name} cannot be read to its end: {reason}.",
            hint="What was read before is loaded; mend the file and run again, nothing counts twice.",
        ) from None


def _expand(argument: str) -> Iterator[StatementFile]:
    if argument == "-":
        yield StatementFile("standard input", None, "lines", 0)
        return
    path = Path(argument)
    if path.is_dir():
        inside = [
            _statement_file(each) for each in sorted(path.rglob("*")) if each.is_file() and _has_known_ending(each)
        ]
        if not inside:
            raise UsageError(
                f"The directory {argument} holds no statements.",
                hint="Files must end in .jsonl, .ndjson or .json, perhaps with .gz or .zst behind.",
            )
        yield from inside
    elif path.exists():
        yield _statement_file(path)
    else:
        matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 (takes absolute patterns too)
        if not matches:
            raise UsageError(
                f"There is no file {argument}.", hint="Name files, directories, patterns, or - for standard input."
            )
        for match in matches:
            yield from _expand(match)


def _statement_file(path: Path) -> StatementFile:
    layout: Layout = "json" if _plain_ending(path) == ".json" else "lines"
    name = os.fsencode(path).decode("utf-8", "replace")  # as text that the warehouse takes: names are any bytes
    return StatementFile(name, path, layout, path.stat().st_size)


def _plain_ending(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix.lower() in _COMPRESSIONS else path.suffix.lower()


def _has_known_ending(path: Path) -> bool:
    return _plain_ending(path) in (*_LINE_ENDINGS, ".json")


def _open_stored(file: StatementFile) -> IO[bytes]:
    return sys.stdin.buffer if file.path is None else file.path.open("rb")


def is_plain(path: Path) -> bool:
    """Whether the file can be read and is neither gzip nor zstd by its first bytes, whatever its name says."""
    try:
        with path.open("rb") as stored:
            return not _compression(stored.read(4))
    except OSError:
        return False


def _compression(head: bytes) -> str:
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


def _decompressed(stored: IO[bytes], file: StatementFile) -> IO[bytes]:
    kind = _compression(stored.peek(4)[:4] if isinstance(stored, io.BufferedReader) else b"")
    if kind == "gzip":
        return io.BufferedReader(gzip.open(stored))
    if kind == "zstd":
        return io.BufferedReader(cast("io.RawIOBase", zstd.open(stored)))
    return stored


def _sniffed(plain: IO[bytes]) -> Layout:
    head = plain.peek(4096) if isinstance(plain, io.BufferedReader) else b""
    return "json" if head.lstrip()[:1] == b"[" else "lines"


def _chunks(plain: IO[bytes], block_bytes: int) -> Iterator[bytes]:
    while chunk := plain.read(block_bytes):
        yield chunk


def _whole_lines(chunks: Iterator[bytes], block_bytes: int, max_line_bytes: int) -> Iterator[bytes]:
    """Chunks cut at newlines; the middle of an overlong line is dropped."""
    carry = b""
    for chunk in chunks:
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield carry + chunk[:cut]
            carry = chunk[cut:]
        else:
            carry += chunk
        if len(carry) > max(block_bytes, 2 * max_line_bytes):
            carry = carry[: max_line_bytes + 1]
    if carry:
        yield carry
