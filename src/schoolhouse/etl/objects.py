"""One object of S3 into the warehouse, by one of two readers.

- native: ClickHouse reads the object itself with `s3()`; no data flows through this process.
- parquet: where ClickHouse cannot reach S3, we read the object and post its raw lines as Parquet, in inserts bounded by
  rows and bytes.

Either way the mapping runs in ClickHouse, a bad line is a row of `rejected_statements` and fails nobody, and the load
has its row in `loads` under the object's URI and ETag. Loading an object twice counts nothing twice.
"""

from __future__ import annotations

import queue
import re
import time
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
from schoolhouse.etl.aws import mapped_errors, object_url, s3_client
from schoolhouse.etl.payloads import ObjectRef
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.loads import Load, LoadSummary, start_load
from schoolhouse.warehouse.statements import statement

TimeLeft = Callable[[], float]  # seconds until the invocation must have answered

_SQL: Final = "schoolhouse.etl.sql"
_PATTERN: Final = re.compile(r"[*?{}]")  # s3() takes these as patterns, however they are written
_PIECE_BYTES: Final = 1 << 20
_S3_ERROR: Final = 499
_HTTP_STATUS: Final = re.compile(r"HTTP response code: (\d+)")


@dataclass(frozen=True)
class Outcome:
    """How one object ended: loaded with its counts, failed with the reason, or not begun for lack of time."""

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
        """Load objects in parallel; outcomes come in the order of `refs`. One bad object fails nobody else."""
        refs = list(refs)
        workers = min(self.settings.etl_concurrency, len(refs))
        if workers <= 1:
            yield from (self.load(ref, time_left=time_left) for ref in refs)
            return
        with ThreadPoolExecutor(workers, thread_name_prefix="etl") as pool:
            yield from pool.map(lambda ref: self.load(ref, time_left=time_left), refs)

    def load(self, ref: ObjectRef, *, time_left: TimeLeft = no_end) -> Outcome:
        """Load one object; what goes wrong is in the outcome."""
        left = time_left()
        if left * 1000 < self.settings.min_remaining_ms:
            return Outcome(ref, "untouched")
        try:
            return Outcome(ref, "loaded", summary=self._loaded(ref, left))
        except SchoolhouseError as error:
            return Outcome(ref, "failed", error=_explained(error, ref))

    def _loaded(self, ref: ObjectRef, seconds_left: float) -> LoadSummary:
        is_native = self.settings.etl_reader == "native" and not _PATTERN.search(ref.key)
        if not ref.etag and is_native:
            ref = self._described(ref)
        self._check_size(ref)
        body = None
        if not is_native:
            ref, body = self._opened(ref)
            self._check_size(ref)
        with (
            self.warehouse() as warehouse,
            start_load(
                warehouse,
                route="s3" if is_native else "parquet",
                source=ref.uri,
                etag=ref.etag,
                timeout_seconds=self._insert_seconds(seconds_left),
            ) as load,
        ):
            if body is None:
                self._add_by_engine(load, ref)
            else:
                self._add_by_us(load, ref, body)
        return load.summary

    def _insert_seconds(self, seconds_left: float) -> int:
        if seconds_left == float("inf"):
            return self.settings.clickhouse_timeout_seconds
        spare = seconds_left - self.settings.safety_margin_ms / 1000
        return max(1, min(int(spare), self.settings.clickhouse_timeout_seconds))

    def _add_by_engine(self, load: Load, ref: ObjectRef) -> None:
        collection = self.settings.clickhouse_s3_collection
        name = "load_object_by_collection" if collection else "load_object"
        parameters = {"url": object_url(ref, self.settings)} | ({"collection": collection} if collection else {})
        load.add_select(
            statement(name, _SQL),
            parameters,
            source_file=ref.uri,
            limits={  # by default the engine tries a dead S3 500 times
                "s3_retry_attempts": self.settings.s3_max_attempts,
                "s3_request_timeout_ms": self.settings.s3_read_timeout_seconds * 1000,
            },
        )

    def _add_by_us(self, load: Load, ref: ObjectRef, body: Any) -> None:
        line = 1
        pieces = _read(body, ref)
        for block in blocks(
            pieces,
            max_rows=self.settings.max_rows_per_insert,
            max_bytes=self.settings.max_parquet_bytes_per_insert,
        ):
            line += load.add_lines(block, source_file=ref.uri, first_line=line, wire="Parquet")

    def _described(self, ref: ObjectRef) -> ObjectRef:
        """With the ETag and size that S3 tells."""
        with mapped_errors(ref.uri):
            head = self.s3.head_object(Bucket=ref.bucket, Key=ref.key)
        return replace(ref, etag=head["ETag"].strip('"'), size_bytes=int(head["ContentLength"]))

    def _opened(self, ref: ObjectRef) -> tuple[ObjectRef, Any]:
        with mapped_errors(ref.uri):
            answer = self.s3.get_object(Bucket=ref.bucket, Key=ref.key)
        ref = replace(ref, etag=answer["ETag"].strip('"'), size_bytes=int(answer["ContentLength"]))
        return ref, answer["Body"]

    def _check_size(self, ref: ObjectRef) -> None:
        limit = self.settings.max_s3_object_bytes
        if limit and ref.size_bytes > limit:
            raise ObjectTooLarge(
                f"{ref.uri} has {ref.size_bytes} bytes; {limit} are allowed.", hint="Raise MAX_S3_OBJECT_BYTES."
            )


def blocks(pieces: Iterable[bytes], *, max_rows: int, max_bytes: int) -> Iterator[bytes]:
    """Whole lines in blocks of at most `max_rows` lines and `max_bytes` bytes (one longer line is a block alone)."""
    lines: list[bytes] = []
    size = 0
    for line in _lines(pieces):
        if lines and (len(lines) >= max_rows or size + len(line) > max_bytes):
            yield b"".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield b"".join(lines)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with their newlines; the last may lack one. A carriage return ends no line, as in ClickHouse."""
    parts: list[bytes] = []
    for piece in pieces:
        *whole, rest = piece.split(b"\n")
        for line in whole:
            yield b"".join([*parts, line, b"\n"])
            parts = []
        if rest:
            parts.append(rest)
    if parts:
        yield b"".join(parts)


def _read(body: Any, ref: ObjectRef) -> Iterator[bytes]:
    with mapped_errors(ref.uri):
        yield from body.iter_chunks(_PIECE_BYTES)


def _explained(error: SchoolhouseError, ref: ObjectRef) -> SchoolhouseError:
    """The error as one about S3, where ClickHouse says that S3 was the cause."""
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


def deadline_in(seconds: float) -> TimeLeft:
    """The time left until `seconds` from now."""
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()
