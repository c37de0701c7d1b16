"""What an operator does with runs: make, list, show, pause, resume, cancel, retry, delete.

Each act is one transaction over the tables; workers see it at their next heartbeat, a second later at most. Nothing
here speaks to ClickHouse or S3, so commands work while another process holds the embedded warehouse.
"""

from __future__ import annotations

from typing import Any, Final, Literal, cast

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from schoolhouse.backfill.chunk_logs import RunKind
from schoolhouse.backfill.patterns import pattern_regex
from schoolhouse.backfill.places import place_of
from schoolhouse.backfill.planning import has_plan, inventory_prefix
from schoolhouse.backfill.queue import lock_run, move, settle_run
from schoolhouse.backfill.requests import InventoryRequest, ManualRequest
from schoolhouse.backfill.states import FINAL_STATES, Act, Kind, State, may
from schoolhouse.backfill.tables import TABLES, batches, clock, inventory_runs, manual_runs, moment, transaction
from schoolhouse.errors import NotFound, TransitionRefused, UsageError
from schoolhouse.settings import Settings

Deed = Literal["pause", "resume", "cancel", "retry", "delete"]

NEWEST: Final = 25
# Columns that are nobody's business outside the workers.
_HIDDEN: Final = frozenset({"lease_token", "lease_until", "not_before", "takeovers", "notify_attempts"})


def create_run(
    engine: Engine, settings: Settings, request: ManualRequest | InventoryRequest, *, initiated_by: str
) -> dict[str, Any]:
    """Store a run; a worker takes it from there.

    Raises:
        UsageError: its pattern or manifest is no address, or a range of the pattern is none.
        AccessRefused: the address is not among those allowed.
        SettingsError: no inventory is named, by the request or by the settings.
    """
    values = request.model_dump()
    kind: RunKind = "manual" if isinstance(request, ManualRequest) else "inventory"
    if isinstance(request, ManualRequest):
        pattern_regex(place_of(request.s3_pattern, settings).key)
        values["metadata"] = {"optimize": values.pop("optimize")}
    elif place_of(request.manifest_url or inventory_prefix(values, settings), settings).is_local:
        raise UsageError("An inventory lies in S3.", hint="Such as s3://my-inventories/my-bucket/daily")
    table = TABLES[kind]
    with transaction(engine) as connection:
        now = moment(clock(connection))
        result = connection.execute(
            insert(table).values(**values, status=State.PENDING, initiated_by=initiated_by, created_at=now)
        )
        run_id = int(cast("tuple[Any, ...]", result.inserted_primary_key)[0])
    return read_run(engine, kind, run_id)


def list_runs(engine: Engine, kind: RunKind, *, limit: int = NEWEST, before: int | None = None) -> list[dict[str, Any]]:
    """The newest runs."""
    table = TABLES[kind]
    question = select(table).order_by(table.c.id.desc()).limit(limit)
    if before is not None:
        question = question.where(table.c.id < before)
    with engine.connect() as connection:
        return [_shown(kind, row) for row in connection.execute(question).mappings()]


def read_run(engine: Engine, kind: RunKind, run_id: int) -> dict[str, Any]:
    """One run; an inventory run with its batches.

    Raises:
        NotFound: there is none.
    """
    with engine.connect() as connection:
        table = TABLES[kind]
        row = connection.execute(select(table).where(table.c.id == run_id)).mappings().first()
        if row is None:
            raise _missing(kind, run_id)
        run = _shown(kind, row)
        if kind == "inventory":
            question = select(batches).where(batches.c.run_id == run_id).order_by(batches.c.sequence)
            run["batches"] = [_shown("batch", batch) for batch in connection.execute(question).mappings()]
        return run


def act_on_run(engine: Engine, kind: RunKind, run_id: int, deed: Deed) -> dict[str, Any]:
    """Pause, resume, cancel, retry or delete a run; returns it as it stands then (as it was, if deleted).

    Raises:
        NotFound: there is none.
        TransitionRefused: it cannot in its state.
    """
    before = read_run(engine, kind, run_id)
    with transaction(engine) as connection:
        row = _locked(connection, kind, run_id)
        if deed == "delete":
            _delete(connection, kind, row)
            return before
        {"pause": _pause, "resume": _resume, "cancel": _cancel, "retry": _retry}[deed](connection, kind, row)
    return read_run(engine, kind, run_id)


def retry_batch(engine: Engine, run_id: int, batch_id: int) -> dict[str, Any]:
    """Let a failed batch go on behind its last completed chunk.

    Raises:
        NotFound: there is no such batch.
        TransitionRefused: it has not failed, or its run was cancelled.
    """
    with transaction(engine) as connection:
        run = _locked(connection, "inventory", run_id)
        question = select(batches).where(batches.c.id == batch_id, batches.c.run_id == run_id).with_for_update()
        row = connection.execute(question).mappings().first()
        if row is None:
            raise NotFound(f"There is no batch {batch_id} in run {run_id}.")
        now = clock(connection)
        move(connection, "batch", row, Act.RETRY, **_fresh_attempts())
        move(connection, "inventory", run, Act.RETRY, finished_at=None, error="", **_untold())
        settle_run(connection, run_id, now)
    return read_run(engine, "inventory", run_id)


def _pause(connection: Connection, kind: RunKind, row: Any) -> None:
    now = clock(connection)
    move(connection, kind, row, Act.PAUSE, paused_at=moment(now))
    for batch in _batches(connection, row["id"]):
        is_held = batch["status"] == State.RUNNING and batch["lease_until"] >= now
        if not is_held and may("batch", State(batch["status"]), Act.PAUSE):  # a worker pauses its own behind its chunk
            move(connection, "batch", batch, Act.PAUSE)
    settle_run(connection, row["id"], now)


def _resume(connection: Connection, kind: RunKind, row: Any) -> None:
    is_planned = kind == "inventory" and has_plan(connection, row["id"])
    move(connection, kind, row, Act.RESUME if is_planned or kind == "manual" else Act.AGAIN, paused_at=None)
    for batch in _batches(connection, row["id"]):
        if batch["status"] == State.PAUSED:
            move(connection, "batch", batch, Act.RESUME)
    settle_run(connection, row["id"], clock(connection))


def _cancel(connection: Connection, kind: RunKind, row: Any) -> None:
    """The lease stays: the worker kills its insert, counts the rows that got in, and writes no more."""
    now = clock(connection)
    times = {"finished_at": moment(now), "cancelled_at": moment(now)}
    move(connection, kind, row, Act.CANCEL, **times, duration_ms=_duration(row, now))
    if kind == "inventory":
        for batch in _batches(connection, row["id"]):
            if may("batch", State(batch["status"]), Act.CANCEL):
                move(connection, "batch", batch, Act.CANCEL, finished_at=moment(now))
        settle_run(connection, row["id"], now)


def _retry(connection: Connection, kind: RunKind, row: Any) -> None:
    """Go on where the last completed chunk ended; of an inventory run, every failed batch."""
    fresh = {"finished_at": None, "cancelled_at": None, **_untold()}
    if kind == "manual":
        move(connection, kind, row, Act.RETRY, **_fresh_attempts(), **_untold())
        return
    if row["status"] != State.FAILED:
        raise TransitionRefused(
            f"Run {row['id']} has not failed: it is {row['status']}.", hint="Retry one of its failed batches instead."
        )
    if not has_plan(connection, row["id"]):
        move(connection, kind, row, Act.AGAIN, **(fresh | _fresh_attempts()))
        return
    move(connection, kind, row, Act.RETRY, **fresh, error="")
    for batch in _batches(connection, row["id"]):
        if batch["status"] == State.FAILED:
            move(connection, "batch", batch, Act.RETRY, **_fresh_attempts())
    settle_run(connection, row["id"], clock(connection))


def _delete(connection: Connection, kind: RunKind, row: Any) -> None:
    """Delete the record of a run, not what it loaded."""
    if row["status"] not in FINAL_STATES:
        raise TransitionRefused(
            f"Run {row['id']} is {row['status']}: only what has ended is deleted.", hint="Cancel it first."
        )
    connection.execute(delete(TABLES[kind]).where(TABLES[kind].c.id == row["id"]))


def _untold() -> dict[str, Any]:
    """Its next end is told of as its first was."""
    return {"notified_at": None, "notify_attempts": 0}


def _fresh_attempts() -> dict[str, Any]:
    return {"attempts": 0, "takeovers": 0, "not_before": 0.0, "finished_at": None, "error": ""}


def _duration(row: Any, now: float) -> int:
    return round((now - row["started_at"].timestamp()) * 1000) if row["started_at"] else 0


def _locked(connection: Connection, kind: RunKind, run_id: int) -> Any:
    if kind == "inventory":
        row = lock_run(connection, run_id)
    else:
        question = select(manual_runs).where(manual_runs.c.id == run_id).with_for_update()
        row = connection.execute(question).mappings().first()
    if row is None:
        raise _missing(kind, run_id)
    return row


def _batches(connection: Connection, run_id: int) -> list[Any]:
    question = select(batches).where(batches.c.run_id == run_id).order_by(batches.c.sequence).with_for_update()
    return list(connection.execute(question).mappings())


def _missing(kind: RunKind, run_id: int) -> NotFound:
    return NotFound(f"There is no {kind} run {run_id}.", hint=f"See `schoolhouse backfill {kind} list`.")


def _shown(kind: Kind, row: Any) -> dict[str, Any]:
    """A row as plain values, with what may be done and how far it is (0 to 1)."""
    facts = {name: value for name, value in row.items() if name not in _HIDDEN}
    state = State(row["status"])
    if kind == "batch":
        total = int(row["object_count"])
        facts["deeds"] = ["retry"] if state == State.FAILED else []
    else:
        total = int(row["total_objects"])
        facts["deeds"] = _deeds(kind, state)
    done = int(row["processed_objects"])
    facts["progress"] = 1.0 if state == State.COMPLETED else min(done / total, 1.0) if total else 0.0
    return facts


def _deeds(kind: Kind, state: State) -> list[str]:
    deeds = [act.value for act in (Act.PAUSE, Act.RESUME, Act.CANCEL, Act.RETRY) if may(kind, state, act)]
    if state in {State.PAUSED, State.RUNNING}:  # pausing twice changes nothing; a run that runs has nothing to retry
        deeds = [deed for deed in deeds if not (deed == "pause" and state == State.PAUSED) and deed != "retry"]
    return deeds + (["delete"] if state in FINAL_STATES else [])


def count_open(engine: Engine) -> int:
    """How many runs are not at their end."""
    with engine.connect() as connection:
        return sum(
            int(
                connection.execute(
                    select(func.count()).select_from(table).where(table.c.status.notin_(FINAL_STATES))
                ).scalar_one()
            )
            for table in (manual_runs, inventory_runs)
        )


def take_notice(engine: Engine) -> tuple[RunKind, dict[str, Any]] | None:
    """A run that has ended and was not told of; it counts as told, unless `untake_notice` says otherwise."""
    with transaction(engine) as connection:
        now = moment(clock(connection))
        for kind in ("manual", "inventory"):
            table = TABLES[kind]
            question = (
                select(table)
                .where(table.c.status.in_(FINAL_STATES), table.c.notified_at.is_(None))
                .order_by(table.c.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            row = connection.execute(question).mappings().first()
            if row is not None:
                attempts = int(row["notify_attempts"]) + 1
                connection.execute(
                    update(table).where(table.c.id == row["id"]).values(notified_at=now, notify_attempts=attempts)
                )
                return kind, dict(row) | {"notify_attempts": attempts}
    return None


def untake_notice(engine: Engine, kind: RunKind, run_id: int) -> None:
    """Telling failed: another try later."""
    table = TABLES[kind]
    with transaction(engine) as connection:
        connection.execute(update(table).where(table.c.id == run_id).values(notified_at=None))
