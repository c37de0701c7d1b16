"""What a chunk leaves in the app's database: its log, its counts and the new position, in one transaction.

This is done for every chunk of an archive of millions of objects, so the statements are built once a process.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from sqlalchemy import Delete, Engine, Insert, Update, bindparam, delete, insert, update

from schoolhouse.backfill.chunks import Chunk, ChunkResult
from schoolhouse.backfill.patterns import Source
from schoolhouse.backfill.queue import Lease, Order, held, order_of
from schoolhouse.backfill.states import Kind
from schoolhouse.backfill.tables import COUNTS, TABLES, chunk_logs, clock, moment, transaction

_COUNTED: Final = tuple(name for name in COUNTS if name != "duration_ms")


@dataclass(frozen=True)
class Ended:
    """How a chunk ended: a failed one leaves its log and nothing else, a cancelled one counts the rows that got in."""

    status: Literal["completed", "failed", "cancelled"]
    result: ChunkResult
    error: str = ""


def record_chunk(engine: Engine, lease: Lease, chunk: Chunk, ended: Ended, position: str) -> Order:
    """Record how a chunk ended, and that work goes on at `position` if it is completed; says what the operator wants.

    Raises:
        LeaseLost: another worker has the work by now.
    """
    status, result = ended.status, ended.result
    counts = {name: getattr(result, name) for name in _COUNTED}
    milliseconds = round(result.seconds * 1000)
    of = "batch_id" if lease.kind == "batch" else "manual_run_id"
    log = {
        **counts,
        of: lease.id,
        "run_id": lease.run_id if lease.kind == "batch" else None,
        "chunk_index": chunk.index,
        "attempt": lease.attempt,
        "status": status,
        "query_id": chunk.query_id,
        "source_url": _source_name(chunk.sources),
        "objects": len(chunk.sources),
        "failures": result.failures,
        "error": ended.error or ("Cancelled while its insert ran." if status == "cancelled" else ""),
        "worker": lease.owner,
        "execution_time_ms": milliseconds,
    }
    with transaction(engine) as connection:
        row = held(connection, lease)
        same = {"of": lease.id, "number": chunk.index, "try": lease.attempt}
        connection.execute(_drop_log(of), same)  # a retry counts its attempts anew
        connection.execute(_add_log(), log | {"created_at": moment(clock(connection))})
        if status == "failed":
            return "go"
        more = {f"more_{name}": value for name, value in counts.items()}
        changes: dict[str, Any] = {"live": {}, "more_duration_ms": milliseconds}
        if status == "completed":
            changes |= {"position": position, "chunk_sequence": chunk.index, "takeovers": 0}
        if lease.kind == "manual":
            changes["query_id"] = chunk.query_id
        connection.execute(_add_counts(lease.kind), {**more, **changes, "of": lease.id})
        if lease.kind == "batch":
            connection.execute(_add_counts("inventory"), {**more, "of": lease.run_id})
        return order_of(connection, lease, row["status"])


@cache
def _add_log() -> Insert:
    return insert(chunk_logs)


@cache
def _drop_log(of: str) -> Delete:
    return delete(chunk_logs).where(
        chunk_logs.c[of] == bindparam("of"),
        chunk_logs.c.chunk_index == bindparam("number"),
        chunk_logs.c.attempt == bindparam("try"),
    )


@cache
def _add_counts(kind: Kind) -> Update:
    """Adds a chunk's counts. An inventory run takes its time from the clock: its batches run side by side."""
    table = TABLES[kind]
    names = _COUNTED if kind == "inventory" else COUNTS
    return (
        update(table)
        .where(table.c.id == bindparam("of"))
        .values({name: table.c[name] + bindparam(f"more_{name}") for name in names})
    )


def _source_name(sources: list[Source]) -> str:
    first, last = sources[0].uri, sources[-1].uri
    return first if first == last else f"{first} … {last}"
