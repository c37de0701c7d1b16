"""Leases on SQLite and on Debian's Postgres: one holder at a time, takeover, and writes of the past refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from schoolhouse.backfill.queue import Lease, beat, claim, held, settle_run
from schoolhouse.backfill.requests import read_request
from schoolhouse.backfill.runs import act_on_run, create_run, list_runs, read_run
from schoolhouse.backfill.tables import batches, clock, inventory_runs, manual_runs, moment, transaction
from schoolhouse.database import open_database
from schoolhouse.errors import LeaseLost, NotFound, TransitionRefused
from schoolhouse.settings import Settings, load_settings


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    return load_settings(data_dir=tmp_path, database_url=url)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = open_database(settings)
    yield opened
    opened.dispose()


def make(engine: Engine, settings: Settings, kind: Any = "manual", **values: Any) -> int:
    given = {"s3_pattern": "s3://bucket/*"} if kind == "manual" else {"manifest_url": "s3://bucket/manifest.json"}
    request = read_request(kind, given | values)
    return int(create_run(engine, settings, request, initiated_by="tests")["id"])


def planned_run(engine: Engine, settings: Settings, *, count: int, **values: Any) -> int:
    """A run whose batches stand."""
    run_id = make(engine, settings, "inventory", **values)
    with transaction(engine) as connection:
        now = moment(clock(connection))
        rows = [
            {"run_id": run_id, "sequence": number + 1, "parquet_key": f"k{number}", "status": "pending"}
            for number in range(count)
        ]
        connection.execute(insert(batches), [row | {"created_at": now} for row in rows])
        connection.execute(
            update(inventory_runs).where(inventory_runs.c.id == run_id).values(status="running", started_at=now)
        )
        settle_run(connection, run_id, clock(connection))
    return run_id


def statuses(engine: Engine, run_id: int) -> list[str]:
    return [batch["status"] for batch in read_run(engine, "inventory", run_id)["batches"]]


def test_work_is_claimed_once_however_many_ask(engine: Engine, settings: Settings) -> None:
    for _ in range(10):
        make(engine, settings)
    with ThreadPoolExecutor(4) as pool:
        leases = list(pool.map(lambda n: claim(engine, f"w{n}", seconds=30), range(14)))
    taken = [lease.id for lease in leases if lease]
    assert len(taken) == len(set(taken)) == 10


def expire(engine: Engine) -> None:
    """As if the holder had been silent for long."""
    with transaction(engine) as connection:
        connection.execute(update(manual_runs).values(lease_until=1.0))


def test_a_silent_holder_loses_its_work_and_its_late_writes_are_refused(engine: Engine, settings: Settings) -> None:
    make(engine, settings)
    first = claim(engine, "first", seconds=60)
    assert first
    assert claim(engine, "second", seconds=60) is None
    expire(engine)
    second = claim(engine, "second", seconds=60)
    assert second
    assert (second.id, second.is_takeover, second.token) == (first.id, True, first.token + 1)
    assert (first.attempt, second.attempt) == (1, 1)  # a death is not a failed attempt
    assert beat(engine, first, seconds=60) == "lost"
    with pytest.raises(LeaseLost), transaction(engine) as connection:
        held(connection, first)
    assert beat(engine, second, seconds=60) == "go"


def test_a_late_holder_of_a_deleted_run_cannot_write_to_the_next_of_its_number(
    engine: Engine, settings: Settings
) -> None:
    run_id = make(engine, settings)
    late = claim(engine, "late", seconds=60)
    assert late
    act_on_run(engine, "manual", run_id, "cancel")
    act_on_run(engine, "manual", run_id, "delete")
    make(engine, settings)  # on SQLite with the same number
    lease = claim(engine, "other", seconds=60)
    assert lease
    assert (late.is_first, lease.is_first) == (True, True)
    with pytest.raises(LeaseLost), transaction(engine) as connection:
        held(connection, late)
    assert beat(engine, late, seconds=60) == "lost"
    assert beat(engine, lease, seconds=60) == "go"


def test_a_heartbeat_keeps_the_work(engine: Engine, settings: Settings) -> None:
    make(engine, settings)
    lease = claim(engine, "first", seconds=60)
    assert lease
    expire(engine)
    assert beat(engine, lease, seconds=60, live={"rows_read": 7}) == "go"
    assert claim(engine, "second", seconds=60) is None
    assert read_run(engine, "manual", lease.id)["live"] == {"rows_read": 7}


def test_what_takes_every_worker_down_fails_in_the_end(engine: Engine, settings: Settings) -> None:
    run_id = make(engine, settings)
    with transaction(engine) as connection:
        connection.execute(update(manual_runs).values(status="running", takeovers=25, lease_until=0.0))
    assert claim(engine, "w", seconds=30) is None
    run = read_run(engine, "manual", run_id)
    assert run["status"] == "failed"
    assert "workers died" in run["error"]


def test_only_so_many_batches_have_a_place(engine: Engine, settings: Settings) -> None:
    run_id = planned_run(engine, settings, count=5, max_simultaneous_batches=2)
    assert statuses(engine, run_id) == ["queued", "queued", "pending", "pending", "pending"]
    leases = [claim(engine, "w", seconds=30) for _ in range(3)]
    assert [lease is not None for lease in leases] == [True, True, False]
    run = read_run(engine, "inventory", run_id)
    assert (run["total_batches"], run["running_batches"], run["pending_batches"]) == (5, 2, 3)


def test_a_pause_stops_what_waits_and_asks_what_runs(engine: Engine, settings: Settings) -> None:
    run_id = planned_run(engine, settings, count=3)
    lease = claim(engine, "w", seconds=30)
    assert lease
    assert act_on_run(engine, "inventory", run_id, "pause")["status"] == "paused"
    assert statuses(engine, run_id) == ["running", "paused", "paused"]
    assert beat(engine, lease, seconds=30) == "pause"
    assert act_on_run(engine, "inventory", run_id, "pause")["status"] == "paused"  # twice is fine
    assert claim(engine, "other", seconds=30) is None
    assert act_on_run(engine, "inventory", run_id, "resume")["status"] == "running"
    assert beat(engine, lease, seconds=30) == "go"
    assert statuses(engine, run_id) == ["running", "pending", "pending"]


def test_a_paused_run_does_not_wait_for_a_dead_worker(engine: Engine, settings: Settings) -> None:
    run_id = planned_run(engine, settings, count=2)
    assert claim(engine, "w", seconds=0.1)
    time.sleep(0.2)
    act_on_run(engine, "inventory", run_id, "pause")
    assert statuses(engine, run_id) == ["paused", "paused"]
    act_on_run(engine, "inventory", run_id, "resume")
    taken = claim(engine, "w", seconds=30)
    assert taken
    assert (taken.is_first, taken.is_takeover) == (False, False)


def test_a_cancel_ends_what_is_open_and_leaves_what_has_ended(engine: Engine, settings: Settings) -> None:
    run_id = planned_run(engine, settings, count=4, max_simultaneous_batches=2)
    lease = claim(engine, "w", seconds=30)
    assert lease
    with transaction(engine) as connection:
        connection.execute(update(batches).where(batches.c.sequence == 4).values(status="failed"))
        connection.execute(update(batches).where(batches.c.sequence == 3).values(status="completed"))
    run = act_on_run(engine, "inventory", run_id, "cancel")
    assert run["status"] == "cancelled"
    assert run["cancelled_at"]
    assert run["finished_at"]
    assert statuses(engine, run_id) == ["cancelled", "cancelled", "completed", "failed"]
    assert beat(engine, lease, seconds=30) == "cancel"
    with pytest.raises(TransitionRefused):
        act_on_run(engine, "inventory", run_id, "resume")


def test_only_what_has_ended_is_deleted_and_its_batches_go_with_it(engine: Engine, settings: Settings) -> None:
    run_id = planned_run(engine, settings, count=2)
    with pytest.raises(TransitionRefused, match="only what has ended"):
        act_on_run(engine, "inventory", run_id, "delete")
    act_on_run(engine, "inventory", run_id, "cancel")
    act_on_run(engine, "inventory", run_id, "delete")
    with engine.connect() as connection:
        assert connection.execute(select(batches)).all() == []
    with pytest.raises(NotFound):
        read_run(engine, "inventory", run_id)


def test_a_pause_before_the_plan_plans_anew(engine: Engine, settings: Settings) -> None:
    run_id = make(engine, settings, "inventory")
    lease = claim(engine, "w", seconds=30)
    assert isinstance(lease, Lease)
    act_on_run(engine, "inventory", run_id, "pause")
    assert beat(engine, lease, seconds=30) == "pause"
    assert act_on_run(engine, "inventory", run_id, "resume")["status"] == "pending"
    again = claim(engine, "w", seconds=30)
    assert again
    assert again.token == lease.token + 1


def test_manual_runs_know_no_pause(engine: Engine, settings: Settings) -> None:
    run_id = make(engine, settings)
    with pytest.raises(TransitionRefused):
        act_on_run(engine, "manual", run_id, "pause")
    assert act_on_run(engine, "manual", run_id, "cancel")["status"] == "cancelled"


def test_the_newest_runs_come_first(engine: Engine, settings: Settings) -> None:
    made = [make(engine, settings) for _ in range(4)]
    assert [run["id"] for run in list_runs(engine, "manual", limit=3)] == made[:0:-1]
    assert [run["id"] for run in list_runs(engine, "manual", before=made[1])] == made[:1]
