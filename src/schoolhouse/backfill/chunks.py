"""The objects of one chunk into the warehouse, each accounted for: loaded, skipped, empty, or failed with its reason.

One insert takes a whole chunk, read by ClickHouse itself. If that insert fails, the objects are looked at one by one,
what is missing is set aside, and the rest is halved until the object at fault stands alone. What ClickHouse cannot
reach (local files, keys that it cannot name, ETL_READER=parquet) is read here and sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from schoolhouse.backfill.known import known_objects
from schoolhouse.backfill.patterns import Source
from schoolhouse.backfill.reading import copied, statement_blocks
from schoolhouse.errors import (
    InputError,
    ObjectTooLarge,
    QueryError,
    QueryRefused,
    SchoolhouseError,
    StorageError,
    WarehouseError,
)
from schoolhouse.etl.aws import mapped_errors, objects_url, s3_client, url_bytes
from schoolhouse.etl.objects import UNREACHABLE, explained
from schoolhouse.settings import Settings
from schoolhouse.warehouse.bound_values import portions, text_bytes
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.loads import Gathered, Load, Piece, start_load
from schoolhouse.warehouse.statements import statement

_SQL: Final = "schoolhouse.backfill.sql"
_ENGINE_FORMATS: Final = {
    "lines": "LineAsString",
    "JSONAsString": "JSONAsString",
    "JSONEachRow": "JSONAsString",  # the same objects; the mapping needs each as it was written
    "parquet": "Parquet",
}
# Faults of the warehouse, not of an object: unknown tables, columns, settings, databases.
_SETUP_CODES: Final = frozenset({16, 47, 60, 81, 115})
_HEADS_AT_ONCE: Final = 8


class Stopping(Protocol):
    """Who knows whether an insert is still wanted; see `watch`."""

    @property
    def stops_now(self) -> bool:
        """Whether the insert under way is not to be finished."""

    def inserting(self, query_id: str) -> None:
        """An insert with this query id begins ('': none runs any more)."""


class NothingStops:
    """For those that insert nothing."""

    stops_now = False

    def inserting(self, query_id: str) -> None:
        """Nobody watches."""


@dataclass(frozen=True)
class LoadSpec:
    """How a run wants its objects loaded."""

    format: str
    clickhouse_settings: Mapping[str, int]
    options: Mapping[str, str]
    force: bool


@dataclass(frozen=True)
class Chunk:
    """Some objects that go in together. `name` tells it from every other, and is the `source` of its loads."""

    name: str
    index: int
    query_id: str
    sources: list[Source]
    is_redone: bool  # a worker may have loaded some of it before it was lost


@dataclass
class ChunkResult:
    """How the objects of a chunk ended, and what their lines became."""

    loaded_objects: int = 0
    skipped_objects: int = 0
    empty_objects: int = 0
    failed_objects: int = 0
    rows_read: int = 0
    rows_written: int = 0
    rows_new: int = 0
    rows_rejected: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    seconds: float = 0.0
    failures: list[dict[str, str]] = field(default_factory=list)
    is_stopped: bool = False

    @property
    def processed_objects(self) -> int:
        """All that are accounted for."""
        return self.loaded_objects + self.skipped_objects + self.empty_objects + self.failed_objects

    def fail(self, source: Source, reason: str) -> None:
        """Account for an object that cannot be loaded."""
        self.failed_objects += 1
        self.failures.append({"source": source.uri, "state": "failed", "reason": reason[:500]})


class ChunkLoader:
    """Loads chunks for one piece of work; holds a handle on the warehouse until it is closed."""

    def __init__(self, settings: Settings, spec: LoadSpec, watch: Stopping) -> None:
        self.settings = settings
        self._spec = spec
        self._watch = watch
        self._warehouse: Warehouse | None = None
        self._s3: Any = None

    def close(self) -> None:
        """Release the handle."""
        if self._warehouse:
            self._warehouse.close()
        self._warehouse = None

    @property
    def warehouse(self) -> Warehouse:
        """The handle, opened when it is first needed."""
        if self._warehouse is None:
            self._warehouse = open_warehouse(self.settings, who="backfill")
        return self._warehouse

    @property
    def s3(self) -> Any:
        """The client of S3, made when it is first needed."""
        if self._s3 is None:
            self._s3 = s3_client(self.settings)
        return self._s3

    @property
    def s3_limits(self) -> dict[str, int]:
        """How ClickHouse is to speak to S3. Only AWS itself may send it elsewhere (to the region of a bucket)."""
        limits = {
            "s3_retry_attempts": self.settings.s3_max_attempts,
            "s3_request_timeout_ms": self.settings.s3_read_timeout_seconds * 1000,
        }
        return limits | ({"s3_max_redirects": 0} if self.settings.aws_endpoint_url else {})

    def load(self, chunk: Chunk) -> ChunkResult:
        """Load a chunk. Stopped in the middle, its result says so and counts the rows that got in.

        Raises:
            SchoolhouseError: ClickHouse or S3 is away or refuses everything; no object is at fault.
        """
        result = ChunkResult()
        started = time.perf_counter()
        try:
            described = self._described(chunk.sources, result)
            groups = self._groups(self._not_yet_in(chunk, described, result))
            while groups and not self._watch.stops_now:
                groups += self._load_group(chunk, groups.pop(), result)
            result.is_stopped = bool(groups) or (self._watch.stops_now and result.is_stopped)
        except WarehouseError:
            self.close()  # the next try opens another
            raise
        result.seconds = time.perf_counter() - started
        return result

    def with_sizes(self, sources: list[Source]) -> list[Source]:
        """The same, with version and size where S3 knows them; what is missing is left out."""
        return [
            known
            for source in sources
            if (known := source if source.size_bytes >= 0 else self._head(source, ChunkResult())) is not None
        ]

    def head_of(self, source: Source, lines: int) -> list[tuple[str, dict[str, Any]]]:
        """Questions for the first lines of an object, each with its values."""
        if self._is_for_the_engine(source):
            collection = self.settings.clickhouse_s3_collection
            values = {"url": objects_url([source.ref], self.settings), "format": _ENGINE_FORMATS[self._spec.format]}
            name = "read_head_by_collection" if collection else "read_head"
            values |= {"collection": collection} if collection else {}
            return [(statement(name, _SQL), {**values, "lines": lines})]
        found: list[str] = []
        with copied(source, lambda: self.s3) as path:
            for block, _ in self._blocks(path, source):
                found += block.decode("utf-8", "replace").splitlines()[: lines - len(found)]
                if len(found) >= lines:
                    break
        return [(statement("read_lines", _SQL), {"found": some}) for some in portions(found, text_bytes)]

    def _described(self, sources: list[Source], result: ChunkResult) -> list[Source]:
        """With version and size, where the manifest did not tell; without the missing and the empty."""
        unknown = [source for source in sources if source.bucket and (not source.etag or source.size_bytes < 0)]
        heads: dict[str, Source | None] = {}
        if unknown:
            with ThreadPoolExecutor(_HEADS_AT_ONCE, thread_name_prefix="backfill-head") as pool:
                heads = dict(pool.map(lambda source: (source.uri, self._head(source, result)), unknown))
        found: list[Source] = []
        for source in sources:
            known = heads.get(source.uri, source)
            if known is None:
                continue
            if known.size_bytes == 0:
                result.empty_objects += 1
                result.failures.append({"source": known.uri, "state": "empty", "reason": "It has no bytes."})
            else:
                found.append(known)
        return found

    def _head(self, source: Source, result: ChunkResult) -> Source | None:
        """As S3 describes it; None, and failed, if it cannot be read."""
        try:
            with mapped_errors(source.uri):
                head = self.s3.head_object(Bucket=source.bucket, Key=source.key)
        except StorageError as error:
            if error.is_retryable:
                raise
            result.fail(source, error.message)
            return None
        return replace(source, etag=head["ETag"].strip('"'), size_bytes=int(head["ContentLength"]))

    def _not_yet_in(self, chunk: Chunk, sources: list[Source], result: ChunkResult) -> list[Source]:
        """Those that `loaded_objects` does not know. What this very chunk brought before counts as loaded."""
        if not sources or (self._spec.force and not chunk.is_redone):
            return sources
        known = known_objects(self.warehouse, sources, why="backfill")
        wanted: list[Source] = []
        has_own = False
        for source in sources:
            brought_by = known.get((source.uri, source.etag))
            if chunk.is_redone and brought_by == chunk.name:
                has_own = True
                result.loaded_objects += 1
                result.bytes_read += max(source.size_bytes, 0)
            elif brought_by is None or self._spec.force:
                wanted.append(source)
            else:
                result.skipped_objects += 1
        if has_own:
            sums = self.warehouse.ask(statement("sum_finished_loads", _SQL), {"source": chunk.name}, why="backfill")
            facts = sums.first()
            result.rows_read += int(facts["rows"])
            result.rows_written += int(facts["accepted"])
            result.rows_new += int(facts["new"])
            result.rows_rejected += int(facts["rejected"])
            result.bytes_written += int(facts["bytes"])
        return wanted

    def _groups(self, sources: list[Source]) -> list[list[Source]]:
        """What one insert can take: objects of a bucket that ClickHouse reads by one URL, or all that we read."""
        groups: dict[tuple[bool, str], list[Source]] = {}
        for source in sources:
            is_for_the_engine = self._is_for_the_engine(source)
            groups.setdefault((is_for_the_engine, source.bucket if is_for_the_engine else ""), []).append(source)
        return [
            part
            for (is_for_the_engine, _), group in groups.items()
            for part in (portions(group, lambda source: url_bytes(source.ref)) if is_for_the_engine else [group])
        ]

    def _is_for_the_engine(self, source: Source) -> bool:
        return bool(source.bucket) and self.settings.etl_reader == "native" and not UNREACHABLE.search(source.key)

    def _load_group(self, chunk: Chunk, group: list[Source], result: ChunkResult) -> list[list[Source]]:
        """Load a group with one insert; if an object of it is at fault, gives back smaller groups to try."""
        load = start_load(
            self.warehouse,
            route="backfill",
            source=chunk.name,
            etag=group[0].etag if len(group) == 1 else "",
            timeout_seconds=self.settings.clickhouse_timeout_seconds,
        )
        faults: dict[Source, str] = {}
        try:
            with load:
                self._insert(chunk, group, load, faults)
                came = [source for source in group if source not in faults]
                load.covers((source.uri, source.etag) for source in came)
        except SchoolhouseError as error:
            if self._watch.stops_now:
                self._count_stopped(load, result)
                return []
            fault = explained(error, group[0].ref)
            if not _is_of_an_object(fault):
                raise fault from None
            if len(group) == 1:
                result.fail(group[0], fault.message)
                return []
            return self._halves(group, result)
        for source, reason in faults.items():
            result.fail(source, reason)
        summary = load.summary
        result.loaded_objects += len(came)
        result.bytes_read += sum(max(source.size_bytes, 0) for source in came)
        result.rows_read += summary.lines
        result.rows_written += summary.accepted
        result.rows_new += summary.new
        result.rows_rejected += sum(summary.rejected.values())
        result.bytes_written += summary.bytes
        return []

    def _insert(self, chunk: Chunk, group: list[Source], load: Load, faults: dict[Source, str]) -> None:
        """Insert a group. Of what we read ourselves, an object at fault is told and leaves the others be."""
        self._watch.inserting(chunk.query_id)
        try:
            if self._is_for_the_engine(group[0]):
                self._insert_by_engine(chunk, group, load)
                return
            gathered = Gathered(load)
            for source in group:
                if fault := self._insert_by_us(source, gathered):
                    faults[source] = fault
            gathered.flush()
        finally:
            self._watch.inserting("")

    def _insert_by_engine(self, chunk: Chunk, group: list[Source], load: Load) -> None:
        settings = self.settings
        names = [("cluster", settings.clickhouse_cluster), ("collection", settings.clickhouse_s3_collection)]
        named = {name: value for name, value in names if value}
        way = "_and_".join(named)
        limits: dict[str, Any] = {
            **self.s3_limits,
            **self._spec.clickhouse_settings,
            **self._spec.options,
            "query_id": f"{chunk.query_id}_{load.load_id}",
        }
        load.add_select(
            statement(f"read_objects_by_{way}" if way else "read_objects"),
            {
                "url": objects_url([source.ref for source in group], settings),
                "format": _ENGINE_FORMATS[self._spec.format],
                **named,
            },
            source_bytes=sum(source.size_bytes for source in group) / len(group),
            limits=limits,
            why=f"backfill {chunk.query_id}",
        )

    def _insert_by_us(self, source: Source, gathered: Gathered) -> str:
        """Read an object or file here and send its lines; gives the reason if it cannot be read to its end."""
        try:
            self._send(source, gathered)
        except (InputError, StorageError) as error:
            fault = explained(error, source.ref)
            if self._watch.stops_now or not _is_of_an_object(fault):
                raise
            return fault.message
        return ""

    def _send(self, source: Source, gathered: Gathered) -> None:
        limit = self.settings.max_s3_object_bytes
        if limit and source.size_bytes > limit:
            raise ObjectTooLarge(f"{source.uri} has {source.size_bytes} bytes; {limit} are allowed.")
        with copied(source, lambda: self.s3) as path:
            for lines, first_line in self._blocks(path, source):
                if self._watch.stops_now:
                    raise InputError("The run was stopped.")
                gathered.add(Piece(lines, source.uri, first_line, source.etag))

    def _blocks(self, path: Path, source: Source) -> Iterable[tuple[bytes, int]]:
        return statement_blocks(path, source, form=self._spec.format, max_line_bytes=self.settings.max_line_bytes)

    def _halves(self, group: list[Source], result: ChunkResult) -> list[list[Source]]:
        """The group without what is missing, again; or its halves, if nothing is."""
        if self._is_for_the_engine(group[0]):
            before = result.failed_objects
            with ThreadPoolExecutor(_HEADS_AT_ONCE, thread_name_prefix="backfill-head") as pool:
                group = [source for source in pool.map(lambda each: self._head(each, result), group) if source]
            if result.failed_objects > before:
                return [group] if group else []
        middle = len(group) // 2
        return [group[middle:], group[:middle]]

    def _count_stopped(self, load: Load, result: ChunkResult) -> None:
        """Rows of a stopped insert stay, as they are true statements; count them."""
        result.is_stopped = True
        with suppress(SchoolhouseError):
            answer = self.warehouse.ask(
                statement("count_stored_rows", _SQL), {"load_id": load.load_id}, why="backfill stopped"
            )
            rows = int(answer.value() or 0)
            result.rows_read += rows
            result.rows_written += rows


def _is_of_an_object(error: SchoolhouseError) -> bool:
    """Whether one object is at fault, and not the house."""
    if error.is_retryable or isinstance(error, QueryRefused):
        return False
    if isinstance(error, QueryError):
        return error.engine_code not in _SETUP_CODES
    return isinstance(error, StorageError | InputError)
