"""The four tables of backfills, in the app's own database; they are the only truth about a run.

Work that a worker holds (a manual run, an inventory run while it is planned, a batch) has the columns of a lease and of
progress. Times are the database's, in UTC. Counts are of statements (rows), objects and bytes:
rows_read lines of the objects, rows_written statements that the mapping accepted (each counts once in the warehouse,
rows_new brought it first), bytes_read bytes of the objects as stored, bytes_written bytes of their lines.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Double,
    Engine,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from schoolhouse.backfill.states import Kind
from schoolhouse.database import metadata

_BigId = BigInteger().with_variant(Integer, "sqlite")


class UtcTime(TypeDecorator[datetime]):
    """A time with its zone; SQLite alone would forget the zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Store UTC without a zone."""
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Give it its zone back."""
        return value.replace(tzinfo=UTC) if value else None


COUNTS: Final = (
    "processed_objects",
    "loaded_objects",
    "skipped_objects",
    "empty_objects",
    "failed_objects",
    "rows_read",
    "rows_written",
    "rows_new",
    "rows_rejected",
    "bytes_read",
    "bytes_written",
    "duration_ms",
)


def _counts() -> list[Column[Any]]:
    return [Column(name, BigInteger, nullable=False, default=0, server_default="0") for name in COUNTS]


def _first_token() -> int:
    """Where the tokens of a row begin, which guard it against late writes: above those of all that were before it.

    SQLite gives the number of a deleted row again, and a worker may still hold that one.
    """
    return time.time_ns() // 1_000_000


def _work() -> list[Column[Any]]:
    """What a worker needs of a thing that it may hold."""
    return [
        Column("status", String(16), nullable=False, default="pending"),
        Column("error", Text, nullable=False, default=""),
        Column("attempts", Integer, nullable=False, default=0),
        Column("last_attempt_at", UtcTime),
        Column("not_before", Double, nullable=False, default=0.0),  # seconds of Unix time, by the database's clock
        Column("lease_owner", String(200), nullable=False, default=""),
        Column("lease_token", BigInteger, nullable=False, default=_first_token),  # rises with every claim
        Column("lease_until", Double, nullable=False, default=0.0),
        Column("takeovers", Integer, nullable=False, default=0),  # leases lost since the last completed chunk
        Column("created_at", UtcTime, nullable=False),
        Column("started_at", UtcTime),
        Column("finished_at", UtcTime),
    ]


def _run() -> list[Column[Any]]:
    """What both kinds of runs are asked for, and what is told at their end."""
    return [
        Column("target_table", String(255), nullable=False),
        Column("format", String(16), nullable=False),
        Column("clickhouse_settings", JSON, nullable=False, default=dict),
        Column("options", JSON, nullable=False, default=dict),
        Column("dry_run", Boolean, nullable=False, default=False),
        Column("force", Boolean, nullable=False, default=False),
        Column("initiated_by", String(200), nullable=False, default=""),
        Column("metadata", JSON, nullable=False, default=dict),
        Column("total_objects", BigInteger, nullable=False, default=0),
        Column("total_bytes", BigInteger, nullable=False, default=0),
        Column("cancelled_at", UtcTime),
        Column("notified_at", UtcTime),
        Column("notify_attempts", Integer, nullable=False, default=0),
    ]


def _progress() -> list[Column[Any]]:
    """How far the chunks are. `position` is where to go on: a row of the data file, or the last key of a pattern."""
    return [
        Column("position", Text, nullable=False, default=""),
        Column("chunk_sequence", Integer, nullable=False, default=0),  # chunks that are done
        Column("live", JSON, nullable=False, default=dict),  # the insert under way, as the engine tells
    ]


manual_runs = Table(
    "clickhouse_backfill_runs",
    metadata,
    Column("id", _BigId, primary_key=True),
    Column("s3_pattern", Text, nullable=False),
    Column("chunk_size", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("query_id", String(200), nullable=False, default=""),
    *_run(),
    *_work(),
    *_progress(),
    *_counts(),
)

inventory_runs = Table(
    "clickhouse_inventory_runs",
    metadata,
    Column("id", _BigId, primary_key=True),
    Column("inventory_date", Date),
    Column("inventory_prefix", Text, nullable=False, default=""),
    Column("manifest_url", Text, nullable=False, default=""),
    Column("manifest_bucket", String(255), nullable=False, default=""),
    Column("key_prefix", Text, nullable=False, default=""),
    Column("section_ids", JSON, nullable=False, default=list),
    Column("date_range_start", UtcTime),
    Column("date_range_end", UtcTime),
    Column("batch_chunk_size", Integer, nullable=False),
    Column("manifest_page_size", Integer, nullable=False),
    Column("max_simultaneous_batches", Integer, nullable=False),
    Column("max_batch_attempts", Integer, nullable=False),
    Column("total_batches", Integer, nullable=False, default=0),
    Column("pending_batches", Integer, nullable=False, default=0),
    Column("running_batches", Integer, nullable=False, default=0),
    Column("completed_batches", Integer, nullable=False, default=0),
    Column("failed_batches", Integer, nullable=False, default=0),
    Column("filtered_objects", BigInteger, nullable=False, default=0),
    Column("paused_at", UtcTime),
    *_run(),
    *_work(),
    *_counts(),
)

batches = Table(
    "clickhouse_inventory_batches",
    metadata,
    Column("id", _BigId, primary_key=True),
    Column("run_id", _BigId, ForeignKey(inventory_runs.c.id, ondelete="CASCADE"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("parquet_key", Text, nullable=False),  # the data file, of whichever format
    Column("checksum", String(64), nullable=False, default=""),
    Column("object_count", BigInteger, nullable=False, default=0),
    Column("filtered_objects", BigInteger, nullable=False, default=0),
    *_work(),
    *_progress(),
    *_counts(),
    UniqueConstraint("run_id", "sequence"),
)

chunk_logs = Table(
    "clickhouse_inventory_chunk_logs",
    metadata,
    Column("id", _BigId, primary_key=True),  # rises: pages and streams go by it
    Column("run_id", _BigId, ForeignKey(inventory_runs.c.id, ondelete="CASCADE")),
    Column("batch_id", _BigId, ForeignKey(batches.c.id, ondelete="CASCADE")),
    Column("manual_run_id", _BigId, ForeignKey(manual_runs.c.id, ondelete="CASCADE")),
    Column("chunk_index", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", String(16), nullable=False),  # completed, failed or cancelled
    Column("query_id", String(200), nullable=False, default=""),
    Column("source_url", Text, nullable=False, default=""),
    Column("objects", Integer, nullable=False, default=0),
    Column("failures", JSON, nullable=False, default=list),  # of each object that failed or is empty: source, reason
    Column("error", Text, nullable=False, default=""),
    Column("worker", String(200), nullable=False, default=""),
    Column("dry_run", Boolean, nullable=False, default=False),
    Column("created_at", UtcTime, nullable=False),
    *(column for column in _counts() if column.name != "duration_ms"),
    Column("execution_time_ms", BigInteger, nullable=False, default=0),
    UniqueConstraint("batch_id", "chunk_index", "attempt", name="uq_chunk_logs_batch"),
    UniqueConstraint("manual_run_id", "chunk_index", "attempt", name="uq_chunk_logs_manual"),
    Index("ix_chunk_logs_run", "run_id", "id"),
)

TABLES: Final[dict[Kind, Table]] = {"manual": manual_runs, "inventory": inventory_runs, "batch": batches}


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes; on SQLite it takes the write lock at once, so that it cannot fail half-way."""
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


_CLOCKS: Final = {
    "postgresql": text("SELECT extract(epoch FROM clock_timestamp())"),
    "sqlite": text("SELECT (julianday('now') - 2440587.5) * 86400.0"),
}


def clock(connection: Connection) -> float:
    """The database's time, in seconds of Unix time: the one clock that all workers share."""
    return float(connection.execute(_CLOCKS[connection.dialect.name]).scalar_one())


def moment(seconds: float) -> datetime:
    """The same as a time."""
    return datetime.fromtimestamp(seconds, UTC)
