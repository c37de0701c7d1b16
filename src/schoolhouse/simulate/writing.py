"""A run written to files: chunks made by all cores, encoded where they are made, joined in order.

Every format is made of parts that may follow one another (gzip members, zstd frames, Native blocks, row groups), so
chunks are compressed by the workers and the writer only appends. The bytes do not depend on the number of workers.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import IO, Any, Final, Literal, Protocol, TypeVar, get_args

import pyarrow as pa

from schoolhouse.errors import DeliveryError, InputError, UsageError, install_hint
from schoolhouse.simulate.campus import Chunk, MadeOnDemand, Plan, chunks_of
from schoolhouse.simulate.chunks import Layout, Lines, make_chunk, tally_chunk
from schoolhouse.simulate.native import native_block
from schoolhouse.simulate.on_disk import writing_to
from schoolhouse.simulate.resuming import Journey
from schoolhouse.simulate.truth import Tally, Truth
from schoolhouse.simulate.truth_file import truth_json

Format = Literal["jsonl", "jsonl.gz", "jsonl.zst", "csv.gz", "parquet", "native"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
Progress = Callable[[int, int], None]
Made = TypeVar("Made")

GZIP_LEVEL: Final = 1  # of igzip: ten times as fast as zlib's level 6 at nearly its size
ZSTD_LEVEL: Final = -1  # a quarter faster than 1, for files half as large again, and still smaller than gzip's
PARQUET_ZSTD_LEVEL: Final = 1
_LAYOUTS: Final[dict[Format, Layout]] = {
    "jsonl": "jsonl",
    "jsonl.gz": "jsonl",
    "jsonl.zst": "jsonl",
    "csv.gz": "csv",
    "parquet": "plain",
    "native": "plain",
}
# Below this it takes longer to start workers than to do the work.
_ALONE_BELOW: Final = 150_000
_COLUMNS: Final = pa.schema(
    [("event_id", pa.string()), ("emission_time", pa.timestamp("us", tz="UTC")), ("event", pa.string())]
)


@dataclass(frozen=True)
class Part:
    """A chunk, encoded."""

    chunk: Chunk
    data: bytes
    lines: int
    tally: Tally


@dataclass(frozen=True)
class Written:
    """What a run has written."""

    out: str
    truth: str
    statements: int
    lines: int
    size_bytes: int
    seconds: float


def encode(lines: Lines, form: Format) -> bytes:
    """The lines of a chunk in a format, so that the chunks of a run can follow one another."""
    if form == "jsonl":
        return b"".join(lines.blocks())
    if form in {"jsonl.gz", "csv.gz"}:
        from isal import igzip

        return b"".join(igzip.compress(block, GZIP_LEVEL, mtime=0) for block in lines.blocks())
    if form == "jsonl.zst":
        from backports import zstd

        packer = zstd.ZstdCompressor(ZSTD_LEVEL)
        return b"".join(packer.compress(block, packer.FLUSH_FRAME) for block in lines.blocks())
    if form == "native":
        return native_block(lines.row_ids, lines.at_micros, lines.lines)
    return _arrow_stream(lines)


def _arrow_stream(lines: Lines) -> bytes:
    count = len(lines)
    ids = pa.Array.from_buffers(pa.binary(36), count, [None, pa.py_buffer(lines.row_ids.tobytes())])
    times = pa.array(lines.at_micros).view(_COLUMNS.field("emission_time").type)
    sink = pa.BufferOutputStream()
    columns = [ids.cast(pa.binary()).cast(pa.string()), times, lines.lines.cast(pa.string())]
    with pa.ipc.new_stream(sink, _COLUMNS) as stream:
        stream.write_batch(pa.record_batch(columns, schema=_COLUMNS))
    return bytes(sink.getvalue().to_pybytes())


def _made(plan: Plan, form: Format, skip: int, chunk: Chunk) -> Part:
    if chunk.index < skip:
        return Part(chunk, b"", 0, tally_chunk(plan, chunk))
    lines = make_chunk(plan, chunk, _LAYOUTS[form])
    return Part(chunk, encode(lines, form), len(lines), lines.tally)


def parts_of(plan: Plan, form: Format, *, workers: int = 0, skip: int = 0) -> Iterator[Part]:
    """The chunks of a run, encoded, in order; of the first `skip` only the truth. `workers` 0 means one a core."""
    return in_order(partial(_made, plan, form, skip), chunks_of(plan), workers=workers)


def in_order(
    make: Callable[[Chunk], Made], chunks: list[Chunk] | MadeOnDemand[Chunk], *, workers: int = 0
) -> Generator[Made]:
    """What `make` makes of each chunk, in order, made by several processes if it is worth it."""
    workers = min(workers or os.cpu_count() or 1, len(chunks))
    if workers <= 1 or sum(chunk.statements for chunk in chunks) < _ALONE_BELOW:
        yield from map(make, chunks)
        return
    # A bounded queue in order: memory does not grow with the run, and a slow target slows the workers.
    waiting: deque[Future[Made]] = deque()
    left = iter(chunks)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
        try:
            for chunk in left:
                waiting.append(pool.submit(make, chunk))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _end_with_parent() -> None:
    """Let this worker end when the run is killed; by itself it would wait for work for ever."""

    def watch() -> None:
        if parent := parent_process():
            parent.join()
            os._exit(1)

    Thread(target=watch, daemon=True).start()


def write_statements(
    plan: Plan,
    out: str | Path,
    form: Format = "jsonl.gz",
    *,
    workers: int = 0,
    resume: bool = False,
    on_progress: Progress | None = None,
) -> Written:
    """Write a run, and `truth.json` beside it.

    Args:
        plan: what to make.
        out: a file, a directory (existing, or ending in `/`), or an address that smart_open takes.
        form: one of `FORMATS`.
        workers: processes; 0: one a core.
        resume: go on where an earlier run into the same file was cut off.
        on_progress: called with the lines and bytes written so far.
    """
    target, truth_target = targets(str(out), form)
    if resume and form == "parquet":
        raise UsageError("A Parquet file cannot be resumed: its end says where all of it is.", hint="Start anew.")
    started = time.monotonic()
    journey = Journey(plan, form, truth_target, resume=resume)
    opened = _reopened(target, journey.size_bytes) if journey.chunks else open_target(target)
    again = (
        ""
        if form == "parquet" or "://" in target
        else "Make room and run it again, with --resume if resume.json is there."
    )
    with journey.under_way():
        with writing_to(target, again), opened as stream, _sink(stream, form) as sink:
            for part in parts_of(plan, form, workers=workers, skip=journey.chunks):
                journey.truth.add(part.chunk, part.tally)
                if part.chunk.index < journey.chunks:
                    continue
                if journey.advance(part.lines, sink.write(part.data)):
                    stream.flush()
                    journey.save()
                if on_progress:
                    on_progress(journey.lines, journey.size_bytes)
        write_truth(journey.truth, truth_target)
    seconds = time.monotonic() - started
    return Written(target, truth_target, journey.truth.statements, journey.lines, journey.size_bytes, seconds)


def _reopened(target: str, size_bytes: int) -> IO[bytes]:
    """A file that was cut off, as long as it was when the run was last remembered."""
    path = Path(target)
    if not path.exists() or path.stat().st_size < size_bytes:
        raise UsageError(f"{target} is not what the run to resume has left.", hint="Leave out --resume.")
    stream = path.open("r+b")
    stream.truncate(size_bytes)
    stream.seek(size_bytes)
    return stream


def write_truth(truth: Truth, target: str, *, s3_key: str = "", s3_secret: str = "") -> None:
    """Write `truth.json`."""
    with writing_to(target), open_target(target, s3_key=s3_key, s3_secret=s3_secret) as stream:
        for piece in truth_json(truth):
            stream.write(piece)


def targets(out: str, form: Format) -> tuple[str, str]:
    """The file of a run and its truth."""
    if form not in FORMATS:
        raise UsageError(f"There is no format {form!r}.", hint=f"It is one of {', '.join(FORMATS)}.")
    if out.endswith("/") or ("://" not in out and Path(out).is_dir()):
        out = f"{out.rstrip('/')}/statements.{form}"
    if "://" in out:
        return out, f"{out.rsplit('/', 1)[0]}/truth.json"
    return out, str(Path(out).parent / "truth.json")


def open_target(target: str, *, s3_key: str = "", s3_secret: str = "") -> AbstractContextManager[IO[bytes]]:
    """Open a local file, making its directory, or an address through smart_open, without compression of its own.

    Without keys S3 is reached as the environment says; AWS_ENDPOINT_URL names another server than Amazon's.
    """
    if "://" not in target:
        path = Path(target)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("wb")
        except OSError as error:
            raise InputError(f"Cannot write {target}: {error.strerror}.") from None
    try:
        import smart_open
    except ImportError:
        raise UsageError(
            f"Writing to {target.split('://', 1)[0]}:// needs smart_open.",
            hint=install_hint("s3"),
        ) from None
    options: dict[str, Any] = {}
    if s3_key:
        import boto3

        options["client"] = boto3.client("s3", aws_access_key_id=s3_key, aws_secret_access_key=s3_secret)
    try:
        stream: AbstractContextManager[IO[bytes]] = smart_open.open(
            target, "wb", compression="disable", transport_params=options
        )
    except Exception as error:  # smart_open lets each store raise errors of its own
        raise DeliveryError(f"Cannot write to {target}: {type(error).__name__}.") from None
    return stream


# --- sinks: where encoded parts go ------------------------------------------------------------------------------------


class _Sink(Protocol):
    def write(self, data: bytes) -> int: ...

    def __enter__(self) -> _Sink: ...

    def __exit__(self, *_: object) -> None: ...


class _Appending:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def __enter__(self) -> _Appending:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()

    def write(self, data: bytes) -> int:
        self._stream.write(data)
        return len(data)


class _Parquet:
    """Arrow streams into row groups of one Parquet file."""

    def __init__(self, stream: IO[bytes]) -> None:
        from pyarrow import parquet

        self._stream = stream
        self._writer: Any = parquet.ParquetWriter(
            stream, _COLUMNS, compression="zstd", compression_level=PARQUET_ZSTD_LEVEL
        )

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, data: bytes) -> int:
        before = self._stream.tell()
        self._writer.write_table(pa.ipc.open_stream(data).read_all())
        return self._stream.tell() - before


def _sink(stream: IO[bytes], form: Format) -> _Sink:
    return _Parquet(stream) if form == "parquet" else _Appending(stream)


def estimate(plan: Plan, out: str, form: Format) -> Written:
    """What `write_statements` would write, judged by the smallest chunk with statements, made and thrown away."""
    target, truth_target = targets(out, form)
    chunks = chunks_of(plan)
    sample = min((chunk for chunk in chunks if chunk.statements), key=lambda chunk: chunk.statements)
    _made(plan, form, 0, sample)  # the first chunk also pays for imports and memory
    started = time.monotonic()
    part = _made(plan, form, 0, sample)
    seconds = time.monotonic() - started
    with BytesIO() as stream:  # Parquet compresses here; other formats come compressed
        with _sink(stream, form) as sink:
            sink.write(part.data)
        size_bytes = stream.tell()
    total = sum(chunk.statements for chunk in chunks)
    scale = total / part.tally.statements
    workers = 1 if total < _ALONE_BELOW else min(os.cpu_count() or 1, len(chunks))
    return Written(
        out=target,
        truth=truth_target,
        statements=total,
        lines=round(part.lines * scale),
        size_bytes=round(size_bytes * scale),
        seconds=seconds * scale / workers,
    )
