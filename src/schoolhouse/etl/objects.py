"""Objects of S3 into the warehouse, by one of two readers.

- native: ClickHouse reads them by itself with `s3()`; no data flows through this process.
- parquet: where ClickHouse cannot reach S3, we read them and post their raw lines as Parquet, in inserts bounded by
  rows and bytes.

Either way the mapping runs in ClickHouse, a bad line is a row of `rejected_statements` and fails nobody, and the load
has its row in `loads`, the objects theirs in `loaded_objects`. Loading an object twice counts nothing twice.
"""

from __future__ import annotations

import io
import queue
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from schoolhouse.errors import (
    ObjectMissing,
    ObjectTooLarge,
    QueryError,
    SchoolhouseError,
    StorageError,
    StorageUnavailable,
    WarehouseUnavailable,
)
from schoolhouse.etl.aws import mapped_errors, objects_url, s3_client, url_bytes
from schoolhouse.etl.payloads import ObjectRef
from schoolhouse.settings import Settings
from schoolhouse.warehouse.bound_values import portions
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.loads import Load, LoadSummary, Piece, start_load
from schoolhouse.warehouse.statements import statement

TimeLeft = Callable[[], float]  # seconds until the invocation must have answered

# Keys that s3() cannot name, however they are written: it takes some signs for a pattern, and no empty folder.
UNREACHABLE: Final = re.compile(r"[*?{}]|//|^/")
_PIECE_BYTES: Final = 1 << 20
_GROUP_OBJECTS: Final = 100
_GROUP_BYTES: Final = 64 << 20
_S3_ERROR: Final = 499
_HTTP_STATUS: Final = re.compile(r"HTTP response code: (\d+)")


@dataclass(frozen=True)
class Outcome:
    """How one object ended: loaded, failed with the reason, or not begun for lack of time.

    Objects that were loaded together share one summary; the first of them has it.
    """

    ref: ObjectRef
    state: Literal["loaded", "failed", "untouched"]
    summary: LoadSummary | None = None
    error: SchoolhouseError | None = None

    @property
    def is_final(self) -> bool:
        """Whether delivering the same event again cannot help."""
        return isinstance(self.error, ObjectMissing | ObjectTooLarge)


def no_end() -> float:
    """The time left where nothing ends it."""
    return float("inf")


class ObjectLoader:
    """Loads objects, several at a time; keeps its handles on ClickHouse and S3 until it is closed."""

    def __init__(self, settings: Settings, *, who: str = "etl") -> None:
        self.settings = settings
        self._who = who
        self._handles: queue.SimpleQueue[Warehouse] = queue.SimpleQueue()
        self._s3: Any = None

    def close(self) -> None:
        """Release the handles."""
        while not self._handles.empty():
            self._handles.get_nowait().close()

    @property
    def s3(self) -> Any:
        """The client of S3, made when it is first needed."""
        if self._s3 is None:
            self._s3 = s3_client(self.settings)
        return self._s3

    @contextmanager
    def warehouse(self) -> Iterator[Warehouse]:
        """A handle for one caller at a time; one whose server went away is not used again."""
        try:
            handle = self._handles.get_nowait()
        except queue.Empty:
            handle = open_warehouse(self.settings, who=self._who)
        try:
            yield handle
        except WarehouseUnavailable:
            handle.close()
            raise
        except BaseException:
            self._handles.put(handle)
            raise
        self._handles.put(handle)

    def load_all(self, refs: Iterable[ObjectRef], *, time_left: TimeLeft = no_end) -> Iterator[Outcome]:
        """Load objects in groups, several groups at a time. One bad object fails nobody else."""
        with ThreadPoolExecutor(self.settings.etl_concurrency, thread_name_prefix="etl-head") as pool:
            prepared = list(pool.map(self._described, refs))
        yield from (outcome for outcome in prepared if isinstance(outcome, Outcome))
        found = grouped(outcome for outcome in prepared if isinstance(outcome, ObjectRef))
        groups = [part for group in found for part in portions(group, url_bytes)]
        workers = min(self.settings.etl_concurrency, len(groups))
        if workers <= 1:
            for group in groups:
                yield from self._load_group(group, time_left)
            return
        with ThreadPoolExecutor(workers, thread_name_prefix="etl") as pool:
            for outcomes in pool.map(lambda group: self._load_group(group, time_left), groups):
                yield from outcomes

    def _load_group(self, group: list[ObjectRef], time_left: TimeLeft) -> list[Outcome]:
        """Load a group with one insert; if one of its objects is at fault, each by itself."""
        seconds_left = time_left()
        if seconds_left * 1000 < self.settings.min_remaining_ms:
            return [Outcome(ref, "untouched") for ref in group]
        try:
            summary = self._loaded(group, seconds_left)
        except SchoolhouseError as error:
            problem = explained(error, group[0])
            if len(group) > 1 and not problem.is_retryable:
                return [outcome for ref in group for outcome in self._load_group([ref], time_left)]
            return [Outcome(ref, "failed", error=problem) for ref in group]
        return [Outcome(ref, "loaded", summary=summary if place == 0 else None) for place, ref in enumerate(group)]

    def _loaded(self, group: list[ObjectRef], seconds_left: float) -> LoadSummary:
        is_native = self.settings.etl_reader == "native" and not UNREACHABLE.search(group[0].key)
        name = group[0].uri if len(group) == 1 else f"{group[0].uri} and {len(group) - 1} more"
        with (
            self.warehouse() as warehouse,
            start_load(
                warehouse,
                route="s3" if is_native else "parquet",
                source=name,
                etag=group[0].etag if len(group) == 1 else "",
                timeout_seconds=self._insert_seconds(seconds_left),
            ) as load,
        ):
            if is_native:
                self._add_by_engine(load, group)
            else:
                self._add_by_us(load, group)
            load.covers((ref.uri, ref.etag) for ref in group)
        return load.summary

    def _insert_seconds(self, seconds_left: float) -> int:
        if seconds_left == float("inf"):
            return self.settings.clickhouse_timeout_seconds
        spare = seconds_left - self.settings.safety_margin_ms / 1000
        return max(1, min(int(spare), self.settings.clickhouse_timeout_seconds))

    def _add_by_engine(self, load: Load, group: list[ObjectRef]) -> None:
        collection = self.settings.clickhouse_s3_collection
        name = "read_objects_by_collection" if collection else "read_objects"
        parameters = {"url": objects_url(group, self.settings)} | ({"collection": collection} if collection else {})
        load.add_select(
            statement(name),
            {"format": "LineAsString", **parameters},
            source_bytes=sum(ref.size_bytes for ref in group) / len(group),
            limits={  # by default the engine tries a dead S3 500 times
                "s3_retry_attempts": self.settings.s3_max_attempts,
                "s3_request_timeout_ms": self.settings.s3_read_timeout_seconds * 1000,
            },
        )

    def _add_by_us(self, load: Load, group: list[ObjectRef]) -> None:
        """Lines of the objects in inserts bounded by rows and bytes; an insert may hold lines of several objects."""
        limits = {
            "max_rows": self.settings.max_rows_per_insert,
            "max_bytes": self.settings.max_parquet_bytes_per_insert,
        }
        max_line_bytes = self.settings.max_line_bytes
        waiting: list[Piece] = []
        rows = size = 0
        for ref in group:
            first_line = 1
            for block in blocks(self._read(ref), **limits, max_line_bytes=max_line_bytes):
                count = block.count(b"\n") + (not block.endswith(b"\n"))
                if waiting and (rows + count > limits["max_rows"] or size + len(block) > limits["max_bytes"]):
                    load.add_pieces(waiting, wire="Parquet")
                    waiting, rows, size = [], 0, 0
                waiting.append(Piece(block, ref.uri, first_line, ref.etag))
                rows, size, first_line = rows + count, size + len(block), first_line + count
        if waiting:
            load.add_pieces(waiting, wire="Parquet")

    def _described(self, ref: ObjectRef) -> ObjectRef | Outcome:
        """With the ETag and size that S3 tells, where the event doesn't; failed if there is no such object."""
        try:
            if not ref.etag:
                with mapped_errors(ref.uri):
                    head = self.s3.head_object(Bucket=ref.bucket, Key=ref.key)
                ref = replace(ref, etag=head["ETag"].strip('"'), size_bytes=int(head["ContentLength"]))
            limit = self.settings.max_s3_object_bytes
            if limit and ref.size_bytes > limit:
                raise ObjectTooLarge(
                    f"{ref.uri} has {ref.size_bytes} bytes; {limit} are allowed.", hint="Raise MAX_S3_OBJECT_BYTES."
                )
        except SchoolhouseError as error:
            return Outcome(ref, "failed", error=error)
        return ref

    def _read(self, ref: ObjectRef) -> Iterator[bytes]:
        with mapped_errors(ref.uri):
            body = self.s3.get_object(Bucket=ref.bucket, Key=ref.key)["Body"]
            yield from body.iter_chunks(_PIECE_BYTES)


def grouped(refs: Iterable[ObjectRef]) -> Iterator[list[ObjectRef]]:
    """Objects of one bucket that one insert takes: a hundred small ones, or one large one.

    Planning the mapping costs an insert a fifth of a second, whatever its size, so objects share it. A key that
    ClickHouse cannot reach is alone.
    """
    waiting: dict[str, list[ObjectRef]] = {}
    sizes: dict[str, int] = {}
    for ref in refs:
        if UNREACHABLE.search(ref.key):
            yield [ref]
            continue
        group = waiting.setdefault(ref.bucket, [])
        size = max(ref.size_bytes, 0)
        if group and (len(group) >= _GROUP_OBJECTS or sizes[ref.bucket] + size > _GROUP_BYTES):
            yield group
            group = waiting[ref.bucket] = []
        sizes[ref.bucket] = size if not group else sizes[ref.bucket] + size
        group.append(ref)
    yield from (group for group in waiting.values() if group)


def blocks(pieces: Iterable[bytes], *, max_rows: int, max_bytes: int, max_line_bytes: int) -> Iterator[bytes]:
    """Whole lines in blocks of at most `max_rows` lines and `max_bytes` bytes (one longer line is a block alone).

    Of a line that is much longer than `max_line_bytes` the middle is dropped; it is still seen to be too long.
    Lines keep their newlines; the last may lack one. A carriage return ends no line, as in ClickHouse. A piece that is
    small enough is not cut, so a line costs no Python of its own.
    """
    for whole in _whole_lines(pieces, max_line_bytes):
        if len(whole) <= max_bytes and whole.count(b"\n") < max_rows:
            yield whole
        else:
            yield from _cut(whole, max_rows, max_bytes)


def _whole_lines(pieces: Iterable[bytes], max_line_bytes: int) -> Iterator[bytes]:
    """The pieces, each ending where a line ends."""
    parts: list[bytes] = []
    size = 0
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        if end:
            yield b"".join([*parts, piece[:end]])
            parts, size = [], 0
        if end < len(piece):
            parts.append(piece[end:])
            size += len(piece) - end
        if size > 2 * max_line_bytes:
            parts = [b"".join(parts)[: max_line_bytes + 1]]
            size = max_line_bytes + 1
    if parts:
        yield b"".join(parts)


def _cut(whole: bytes, max_rows: int, max_bytes: int) -> Iterator[bytes]:
    lines: list[bytes] = []
    size = 0
    for line in io.BytesIO(whole):
        if lines and (len(lines) >= max_rows or size + len(line) > max_bytes):
            yield b"".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    yield b"".join(lines)


def explained(error: SchoolhouseError, ref: ObjectRef) -> SchoolhouseError:
    """The error of a load of `ref` as one about S3, where ClickHouse says that S3 was the cause."""
    if not isinstance(error, QueryError) or error.engine_code != _S3_ERROR:
        return error
    status = _HTTP_STATUS.search(error.message)
    code = int(status[1]) if status else 0
    if code == 404:
        return ObjectMissing(f"{ref.uri} is not there.")
    if code in (401, 403):
        return StorageError(
            f"S3 refused {ref.uri} to ClickHouse ({code}).",
            hint="Give ClickHouse's role s3:GetObject, or set CLICKHOUSE_S3_COLLECTION.",
        )
    return StorageUnavailable(f"ClickHouse could not read {ref.uri} from S3.")
