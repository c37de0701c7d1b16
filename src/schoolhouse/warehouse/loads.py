"""Brings raw lines in through the table `ingest`, and accounts for each of them.

    with start_load(warehouse, route="file", source="events.jsonl") as load:
        load.add_lines(b"{...}\n{...}\n", source_file="events.jsonl", first_line=1)
    load.summary   # lines = blank + accepted + rejected; accepted = new + duplicate + conflict

Every load has a row in `loads`, written at its start and again at its end; one that was cut off has no `finished_at`,
and running it again is safe, since a statement counts once however often it arrives. Of equal statements the first to
arrive stands: arrival is the load's start in nanoseconds, and the line's number within it.

A line costs one parse, one hash and one insert, whatever the size of the tables. Counting what was new looks each id of
the load up in `statement_ids`: below about a thousandth of the table by index, above that with one pass over its ids
(and over its other columns too, if some of them stood there before).
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self
from uuid import UUID

from schoolhouse.errors import SchoolhouseError, WarehouseError
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.mapping import MAPPED_SETTINGS, SMALL_SOURCE_BYTES, door_insert, mapped_insert
from schoolhouse.warehouse.merges import HeldMerges
from schoolhouse.warehouse.pseudonyms import is_pseudonymous, pseudonyms_of, require_pseudonymous_source
from schoolhouse.warehouse.statements import statement

Route = Literal["file", "direct", "s3", "parquet", "worker", "backfill", "xapi", "reprocess"]
Wire = Literal["ArrowStream", "Parquet"]

REJECT_CODES: Final = (
    "not_json",
    "not_object",
    "missing_actor",
    "missing_verb",
    "missing_object",
    "bad_timestamp",
    "line_too_long",
)

# The engine takes these as patterns, and no path that is not UTF-8 (surrogates stand for bytes that are not); a path
# that holds one is read by us instead of by the engine.
_NOT_FOR_THE_ENGINE: Final = re.compile(r"[*?{}\[\]|\\\ud800-\udfff]")
_WHY: Final = "load"
_GATHERED_BYTES: Final = 32 << 20  # of pieces that share an insert
_IDS_A_SLICE: Final = 250_000  # up to 250 MB, where all ids are of version 4 and so lie in every fourth slice


@dataclass(frozen=True)
class Piece:
    """Lines of one source, separated by newlines; `first_line` is the 1-based number of the first."""

    lines: bytes
    source_file: str
    first_line: int = 1
    source_etag: str = ""


@dataclass
class LoadSummary:
    """How the lines of one load ended.

    `lines` = `blank` + `accepted` + all of `rejected`; `accepted` = `new` + `duplicate` + `conflict`, and is the sum of
    `event_types`.
    A conflict is a new content for an id that another content or key had first.
    """

    load_id: str = ""
    lines: int = 0
    blank: int = 0
    accepted: int = 0
    new: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    event_types: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0

    @property
    def statements_per_second(self) -> float:
        """Accepted statements by seconds."""
        return self.accepted / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain values, with the rate."""
        return {**asdict(self), "statements_per_second": round(self.statements_per_second, 1)}


class Load:
    """One load under way. Leave it as a context manager: normally it is counted, after an error it is marked failed."""

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        route: Route,
        source: str,
        etag: str = "",
        timeout_seconds: int = 0,
        read_bytes: int = 0,
    ) -> None:
        self._warehouse = warehouse
        self._merges = HeldMerges(warehouse, read_bytes)
        self._limits = {"max_execution_time": timeout_seconds} if timeout_seconds else {}
        self._objects: list[tuple[str, str, int]] = []
        self._started_at = datetime.now(UTC)
        self._started = time.perf_counter()
        self._received_ns = time.time_ns()
        self.load_id = (self._received_ns // 1_000_000) << 22 | secrets.randbits(22)
        self.route: Route = route
        self.source = source
        self.etag = etag
        self.summary = LoadSummary(load_id=str(self.load_id))
        self._pseudonyms = pseudonyms_of(warehouse)
        self._sent = 0  # lines that went in from memory; what came out must be at least as many

    def __enter__(self) -> Self:
        self._record()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._merges.release()
        if error is None:
            self._settle()
            self._record(finished=True)
            if self._objects:
                self._warehouse.insert("loaded_objects", self._objects, ("source", "etag", "load_id"), why=_WHY)
        elif isinstance(error, SchoolhouseError):
            self._record(error=error.message)
        else:
            self._record(error=type(error).__name__)

    def add_file(self, path: Path, *, source_file: str, first_line: int = 1) -> None:
        """Load a file of lines (plain, .gz or .zst) that the embedded engine reads by itself."""
        require_pseudonymous_source(self._warehouse)
        self._merges.before_file(path.stat().st_size)
        self._warehouse.run(
            mapped_insert(statement("read_file_lines")),
            {**self._origin(source_file), "path": str(path.resolve()), "first_line": first_line},
            why=_WHY,
            limits=self._limits | MAPPED_SETTINGS,
        )

    def add_lines(self, block: bytes, *, source_file: str, first_line: int) -> int:
        """Load lines from memory, separated by newlines; returns how many."""
        return self.add_pieces([Piece(block, source_file, first_line)])

    def covers(self, objects: Iterable[tuple[str, str]]) -> None:
        """Say which objects, by source and ETag, this load brings; if it ends well they stand in `loaded_objects`."""
        self._objects += [(source, etag, self.load_id) for source, etag in objects]

    def add_pieces(self, pieces: Sequence[Piece], *, wire: Wire = "ArrowStream") -> int:
        """Load pieces of several sources with one insert; returns how many lines they hold.

        They travel as an Arrow stream over the same memory, so no line costs Python time. Keep them to some tens of
        megabytes together. Over a slow network `wire="Parquet"` (snappy) sends a fraction of the bytes.
        """
        if self._pseudonyms:
            pieces = [replace(piece, lines=self._pseudonyms.lines(piece.lines)) for piece in pieces]
        stream, lines = arrow_lines(
            pieces,
            load_id=self.load_id,
            received_ns=self._received_ns,
            max_line_bytes=self._warehouse.settings.max_line_bytes,
            wire=wire,
        )
        if lines:
            self._warehouse.insert_bytes(
                "ingest", stream, input_format=wire, columns=ARROW_COLUMNS, why=_WHY, limits=self._limits
            )
        self._sent += lines
        return lines

    def add_select(
        self,
        sql: str,
        parameters: Mapping[str, Any],
        *,
        source_file: str = "",
        source_bytes: float = 0.0,
        limits: Mapping[str, Any] | None = None,
        why: str = _WHY,
    ) -> None:
        """Load what a SELECT of the caller's reads; it names the columns of `ingest`, and the load's own are bound.

        `source_bytes` is the mean size of the objects that it reads, as far as the caller knows: many small ones take
        another way than a few large ones. `why` travels with the query, so that it can be found in `system.processes`
        and killed.

        Raises:
            SettingsError: the warehouse takes pseudonyms only, and the source is not declared to hold them.
        """
        require_pseudonymous_source(self._warehouse)
        is_small = 0 < source_bytes < SMALL_SOURCE_BYTES
        self._warehouse.run(
            door_insert(sql) if is_small else mapped_insert(sql),
            {**self._origin(source_file), **parameters},
            why=why,
            limits=self._limits | ({} if is_small else MAPPED_SETTINGS) | dict(limits or {}),
        )

    def _origin(self, source_file: str) -> dict[str, Any]:
        seconds, nanoseconds = divmod(self._received_ns, 1_000_000_000)
        stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return {
            "source_file": source_file,
            "source_etag": self.etag,
            "load_id": self.load_id,
            "received_at": f"{stamp}.{nanoseconds:09}",
            "max_line_bytes": self._warehouse.settings.max_line_bytes,
        }

    def _settle(self) -> None:
        """Count how the lines ended, and hide events whose id belongs to another statement."""
        mine = {"load_id": self.load_id}
        summary = self.summary
        for verdict, event_type, lines, size in self._warehouse.ask(statement("count_load_lines"), mine, why=_WHY).rows:
            summary.lines += int(lines)
            summary.bytes += int(size)
            if verdict == "":
                summary.accepted += int(lines)
                summary.event_types[event_type] = int(lines)
            elif verdict == "blank":
                summary.blank = int(lines)
            else:
                summary.rejected[verdict] = int(lines)
        if summary.lines < self._sent:
            raise WarehouseError(
                f"{self._sent:,} lines were sent and {summary.lines:,} arrived, though ClickHouse reported no error.",
                hint="Load the same source again: what arrived counts once. See the server's log for the cause.",
            )
        if summary.accepted:
            self._settle_ids()
        summary.seconds = round(time.perf_counter() - self._started, 3)

    def _settle_ids(self) -> None:
        """Count what was new, and hide what is in conflict. Most loads bring only what is new: that is seen first."""
        summary = self.summary
        mine = {"load_id": self.load_id}
        cut_off = self._warehouse.ask(statement("list_cut_off_loads"), {"source": self.source, **mine}, why=_WHY).rows
        for ids in id_slices(summary.accepted):
            if not cut_off:
                found = self._warehouse.ask(statement("count_rows_of_ids"), {**mine, **ids}, why=_WHY).first()
                if found["rows"] == found["ids"]:
                    summary.new += int(found["ids"])
                    continue
            scope = {"loads": [self.load_id, *(row[0] for row in cut_off)], **ids}
            counts = self._warehouse.ask(statement("count_load_statements"), {**mine, **scope}, why=_WHY).first()
            summary.new += int(counts["new"])
            summary.conflict += int(counts["conflict"])
            if counts["disputed"]:
                self._warehouse.run(statement("hide_conflicts"), scope, why=_WHY)
        summary.duplicate = summary.accepted - summary.new - summary.conflict

    def _record(self, *, finished: bool = False, error: str = "") -> None:
        summary = self.summary
        values = {
            "load_id": self.load_id,
            "route": self.route,
            "source": self.source,
            "etag": self.etag,
            "lines": summary.lines,
            "blank": summary.blank,
            "accepted": summary.accepted,
            "new": summary.new,
            "duplicate": summary.duplicate,
            "conflict": summary.conflict,
            "rejected": sum(summary.rejected.values()),
            "bytes": summary.bytes,
            "started_at": self._started_at,
            "finished_at": datetime.now(UTC) if finished else None,
            "error": error,
            "version": time.time_ns(),
        }
        self._warehouse.insert("loads", [tuple(values.values())], tuple(values), why=_WHY)


class Gathered:
    """Pieces of a load that wait to share an insert; `flush` sends the last."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._pieces: list[Piece] = []
        self._size_bytes = 0

    def add(self, piece: Piece) -> None:
        """Take a piece, and send what waits when it is enough."""
        self._pieces.append(piece)
        self._size_bytes += len(piece.lines)
        if self._size_bytes >= _GATHERED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._pieces:
            self._load.add_pieces(self._pieces)
        self._pieces, self._size_bytes = [], 0


def start_load(
    warehouse: Warehouse, *, route: Route, source: str, etag: str = "", timeout_seconds: int = 0, read_bytes: int = 0
) -> Load:
    """A load of `source` (a path, a key, the name of a client) by `route`; enter it to begin.

    `timeout_seconds` bounds each insert inside the engine; 0: no bound. `read_bytes` is the size of the files that the
    embedded engine will read by itself: while it reads much, parts are not merged (see `merges`).
    """
    return Load(
        warehouse, route=route, source=source, etag=etag, timeout_seconds=timeout_seconds, read_bytes=read_bytes
    )


def can_read_itself(warehouse: Warehouse, path: Path) -> bool:
    """Whether the engine can read this file of lines by itself: it is embedded, the path is UTF-8 and no pattern, and
    no actor has to be replaced."""
    is_plain = path.is_file() and not _NOT_FOR_THE_ENGINE.search(str(path.resolve()))
    return warehouse.is_embedded and is_plain and not is_pseudonymous(warehouse)


ARROW_COLUMNS: Final = ("line", "source_file", "source_etag", "source_line", "load_id", "received_at", "max_line_bytes")


def arrow_lines(
    pieces: Sequence[Piece], *, load_id: int, received_ns: int, max_line_bytes: int, wire: Wire = "ArrowStream"
) -> tuple[bytes, int]:
    """An Arrow stream or Parquet file of the columns ARROW_COLUMNS, and the number of lines in it.

    A last line without a newline counts; the newlines stay on the lines (the mapping trims them).
    """
    import numpy as np
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    writer = None
    total = 0
    for piece in pieces:
        data = np.frombuffer(piece.lines, dtype=np.uint8)
        ends = np.flatnonzero(data == ord("\n")) + 1
        if len(data) and (not len(ends) or ends[-1] != len(data)):
            ends = np.append(ends, len(data))
        count = len(ends)
        offsets = np.concatenate(([0], ends)).astype(np.int64)
        arrival = pa.array(np.full(count, received_ns, dtype=np.int64)).cast(pa.timestamp("ns", tz="UTC"))
        zeros = pa.array(np.zeros(count, dtype=np.int32))
        columns = [
            pa.LargeBinaryArray.from_buffers(
                pa.large_binary(), count, [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(piece.lines)]
            ),
            pa.array([piece.source_file]).take(zeros),
            pa.array([piece.source_etag]).take(zeros),
            pa.array(np.arange(piece.first_line, piece.first_line + count, dtype=np.uint32)),
            pa.array(np.full(count, load_id, dtype=np.uint64)),
            arrival,
            pa.array(np.full(count, max_line_bytes, dtype=np.uint32)),
        ]
        batch = pa.record_batch(columns, names=list(ARROW_COLUMNS))
        writer = writer or _writer(sink, batch.schema, wire)
        writer.write_batch(batch)
        total += count
    if writer:
        writer.close()
    return sink.getvalue().to_pybytes(), total


def _writer(sink: Any, schema: Any, wire: Wire) -> Any:
    """A writer of record batches in one of two formats."""
    import pyarrow as pa

    if wire == "ArrowStream":
        return pa.ipc.new_stream(sink, schema)
    from pyarrow import parquet

    # a dictionary of lines would only be tried and given up; nobody reads the statistics of a file that is sent once
    repeated = [name for name in ARROW_COLUMNS if name not in ("line", "source_line")]
    return parquet.ParquetWriter(
        sink, schema, compression="snappy", use_dictionary=repeated, write_statistics=False, version="2.6"
    )


def id_slices(statements: int) -> list[dict[str, UUID]]:
    """Bounds `first_id` and `end_id` (exclusive; nil: none) of slices of the ids, enough for so many statements.

    ClickHouse orders UUIDs by their second half, so the bounds differ in that one.
    """
    count = 1 + statements // _IDS_A_SLICE
    bounds = [UUID(int=(number << 64) // count) for number in range(count)]
    return [{"first_id": first, "end_id": end} for first, end in zip(bounds, [*bounds[1:], UUID(int=0)], strict=True)]
