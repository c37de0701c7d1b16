"""The queue: who works on what, by leases in the tables themselves.

A worker claims a piece of work for some seconds and extends that by heartbeats. Whoever dies stops beating, and another
worker takes the work over where its last completed chunk ended. Every claim raises the lease's token; a write under an
old token is refused, so a worker that was only slow cannot spoil what its successor does. All times are the database's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from sqlalchemy import Connection, Engine, Select, and_, bindparam, or_, select, update

from schoolhouse.backfill.states import READY, WORKING, Act, Kind, State, next_state
from schoolhouse.backfill.tables import TABLES, batches, clock, inventory_runs, moment, transaction
from schoolhouse.errors import LeaseLost

# A piece of work that took this many workers down since its last completed chunk is not tried again.
_MOST_TAKEOVERS: Final = 25

# What a worker is to do after a heartbeat or a chunk.
Order = Literal["go", "pause", "cancel", "lost"]


@dataclass(frozen=True)
class Lease:
    """A claim on a piece of work.

    `is_first`: nobody held it before. `is_takeover`: a worker held it and did not hand it back.
    """

    kind: Kind
    id: int
    token: int
    run_id: int
    attempt: int
    is_first: bool
    is_takeover: bool
    owner: str


def claim(engine: Engine, owner: str, *, seconds: float) -> Lease | None:
    """Take the next piece of work: manual runs, plans and batches, the oldest first; None if there is nothing to do."""
    with transaction(engine) as connection:
        now = clock(connection)
        for kind in ("batch", "manual", "inventory"):
            row = connection.execute(_next_of(kind, now)).mappings().first()
            if row is None:
                continue
            if int(row["takeovers"]) >= _MOST_TAKEOVERS:
                _give_up(connection, kind, row, now)
                continue
            return _take(connection, kind, row, now, owner, seconds)
    return None


def _next_of(kind: Kind, now: float) -> Select[Any]:
    table = TABLES[kind]
    is_ready = and_(table.c.status == READY[kind], table.c.not_before <= now)
    is_abandoned = and_(table.c.status.in_(WORKING[kind]), table.c.lease_until < now)
    question = select(table).where(or_(is_ready, is_abandoned))
    if kind == "batch":
        runs = select(inventory_runs.c.id).where(inventory_runs.c.status == State.RUNNING)
        question = question.where(batches.c.run_id.in_(runs))
    return question.order_by(table.c.id).limit(1).with_for_update(skip_locked=True, of=table)


def _take(connection: Connection, kind: Kind, row: Any, now: float, owner: str, seconds: float) -> Lease:
    table = TABLES[kind]
    state = State(row["status"])
    is_takeover = state in WORKING[kind]
    token = int(row["lease_token"]) + 1
    attempt = int(row["attempts"]) if is_takeover else int(row["attempts"]) + 1
    connection.execute(
        update(table)
        .where(table.c.id == row["id"])
        .values(
            status=state if is_takeover else next_state(kind, state, Act.CLAIM),
            attempts=attempt,
            last_attempt_at=moment(now),
            lease_owner=owner,
            lease_token=token,
            lease_until=now + seconds,
            takeovers=int(row["takeovers"]) + is_takeover,
            started_at=row["started_at"] or moment(now),
            finished_at=None,
            error="",
        )
    )
    run_id = int(row["run_id"]) if kind == "batch" else int(row["id"])
    if kind == "batch":
        # Others lock the run before its batches: do not wait for it here. If it is taken, they count.
        free = select(inventory_runs.c.id).where(inventory_runs.c.id == run_id).with_for_update(skip_locked=True)
        if connection.execute(free).first():
            states = _batch_states(connection, run_id).values()
            connection.execute(update(inventory_runs).where(inventory_runs.c.id == run_id).values(_counted(states)))
    is_first = row["started_at"] is None
    return Lease(kind, int(row["id"]), token, run_id, attempt, is_first, is_takeover, owner)


def _give_up(connection: Connection, kind: Kind, row: Any, now: float) -> None:
    """Fail what takes every worker down, so that it stops."""
    table = TABLES[kind]
    connection.execute(
        update(table)
        .where(table.c.id == row["id"])
        .values(
            status=next_state(kind, State(row["status"]), Act.FAIL),
            lease_token=int(row["lease_token"]) + 1,
            takeovers=0,
            finished_at=moment(now),
            error=f"{row['takeovers']} workers died or stalled on the same chunk.",
        )
    )
    if kind == "batch":
        settle_run(connection, int(row["run_id"]), now)


def is_anything_left(engine: Engine) -> bool:
    """Whether any work is ready, waits for its next attempt, or is at work."""
    with engine.connect() as connection:
        for kind, table in TABLES.items():
            question = select(table.c.id).where(table.c.status.in_((READY[kind], *WORKING[kind]))).limit(1)
            if kind == "batch":
                runs = select(inventory_runs.c.id).where(inventory_runs.c.status == State.RUNNING)
                question = question.where(batches.c.run_id.in_(runs))
            if connection.execute(question).first():
                return True
    return False


def held(connection: Connection, lease: Lease) -> Any:
    """The row that a lease is on, locked until the transaction ends.

    Raises:
        LeaseLost: another worker has it by now, or it is gone.
    """
    if lease.kind == "batch":  # runs are locked before their batches, everywhere
        connection.execute(_status_of_run(locks=True), {"of": lease.run_id})
    row = connection.execute(_row_held(lease.kind), {"of": lease.id, "token": lease.token}).mappings().first()
    if row is None:
        raise LeaseLost(f"{lease.kind.capitalize()} {lease.id} belongs to another worker by now.")
    return row


@cache
def _row_held(kind: Kind) -> Select[Any]:
    table = TABLES[kind]
    mine = and_(table.c.id == bindparam("of"), table.c.lease_token == bindparam("token"))
    return select(table).where(mine).with_for_update()


@cache
def _status_of_run(*, locks: bool = False) -> Select[Any]:
    question = select(inventory_runs.c.status).where(inventory_runs.c.id == bindparam("of"))
    return question.with_for_update() if locks else question


def order_of(connection: Connection, lease: Lease, status: str) -> Order:
    """What the operator wants of the work."""
    wanted = status
    if lease.kind == "batch" and status == State.RUNNING:
        found = connection.execute(_status_of_run(), {"of": lease.run_id}).scalar_one_or_none()
        wanted = found or State.CANCELLED
    if wanted == State.CANCELLED:
        return "cancel"
    return "pause" if wanted == State.PAUSED else "go"


def beat(engine: Engine, lease: Lease, *, seconds: float, live: dict[str, Any] | None = None) -> Order:
    """Extend the lease (and show what the insert under way has done); says what the operator wants."""
    table = TABLES[lease.kind]
    with transaction(engine) as connection:
        values: dict[str, Any] = {"lease_until": clock(connection) + seconds}
        if live is not None and "live" in table.c:
            values["live"] = live
        mine = and_(table.c.id == lease.id, table.c.lease_token == lease.token)
        if not connection.execute(update(table).where(mine).values(values)).rowcount:
            return "lost"
        status = connection.execute(select(table.c.status).where(mine)).scalar_one()
        return order_of(connection, lease, status)


def move(connection: Connection, kind: Kind, row: Any, act: Act, **values: Any) -> State:
    """Write the state after an act, with other columns."""
    table = TABLES[kind]
    state = next_state(kind, State(row["status"]), act)
    connection.execute(update(table).where(table.c.id == row["id"]).values(status=state, **values))
    return state


def lock_run(connection: Connection, run_id: int) -> Any:
    """The row of an inventory run, locked until the transaction ends; None if there is none."""
    return (
        connection.execute(select(inventory_runs).where(inventory_runs.c.id == run_id).with_for_update())
        .mappings()
        .first()
    )


def settle_run(connection: Connection, run_id: int, now: float) -> None:
    """After a change of a batch: count them, give places to those that wait, and end the run with its last one."""
    run = lock_run(connection, run_id)
    if run is None:
        return
    states = _batch_states(connection, run_id)
    if run["status"] == State.RUNNING:
        taken = sum(state in {State.QUEUED, State.RUNNING} for state in states.values())
        for id_, state in states.items():
            if state == State.PENDING and taken < int(run["max_simultaneous_batches"]):
                states[id_] = next_state("batch", state, Act.QUEUE)
                connection.execute(update(batches).where(batches.c.id == id_).values(status=states[id_]))
                taken += 1
    found = list(states.values())
    values = _counted(found)
    if run["status"] == State.RUNNING and all(state in {State.COMPLETED, State.FAILED} for state in found):
        failed = values["failed_batches"]
        values |= {
            "status": next_state("inventory", State.RUNNING, Act.FAIL if failed else Act.COMPLETE),
            "finished_at": moment(now),
            "duration_ms": _milliseconds_since(run["started_at"], now),
            "error": f"{failed} of {len(found)} batches failed." if failed else "",
        }
    connection.execute(update(inventory_runs).where(inventory_runs.c.id == run_id).values(values))


def _batch_states(connection: Connection, run_id: int) -> dict[int, State]:
    question = select(batches.c.id, batches.c.status).where(batches.c.run_id == run_id).order_by(batches.c.sequence)
    return {int(id_): State(status) for id_, status in connection.execute(question)}


def _counted(states: Iterable[State]) -> dict[str, Any]:
    """The counters of a run, by the states of its batches."""
    found = list(states)
    return {
        "total_batches": len(found),
        "pending_batches": sum(state in {State.PENDING, State.QUEUED, State.PAUSED} for state in found),
        "running_batches": found.count(State.RUNNING),
        "completed_batches": found.count(State.COMPLETED),
        "failed_batches": found.count(State.FAILED),
    }


def _milliseconds_since(started: Any, now: float) -> int:
    return round((now - started.timestamp()) * 1000) if started else 0
