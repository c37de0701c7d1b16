"""What dies meanwhile: workers, ClickHouse, S3, the app's database. At the end the table equals the truth.

The workers are processes of their own (`schoolhouse worker`), over Debian's Postgres and the ClickHouse stand-in.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import SQLAlchemyError

from schoolhouse.backfill.chunk_logs import page_of_logs
from schoolhouse.backfill.runs import act_on_run, read_run
from schoolhouse.database import open_database
from schoolhouse.settings import Settings, environment_name
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from tests.backfill.conftest import Aws, Lab
from tests.conftest import ROOT
from tests.etl.conftest import count_events, jsonl, video
from tests.postgres import PostgresServer
from tests.web.conftest import schoolhouse

Put = Callable[..., str]
pytestmark = [
    pytest.mark.xdist_group("backfill-storms"),
    pytest.mark.parametrize("handle", ["server"], indirect=True),
]

_PASSED_ON = (
    "data_dir",
    "clickhouse_host",
    "clickhouse_port",
    "clickhouse_database",
    "aws_endpoint_url",
    "backfill_inventory_bucket",
    "backfill_inventory_prefix",
    "backfill_lease_seconds",
)


@pytest.fixture(params=["postgres"])
def shared(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab over Postgres, as several machines would share it; or over SQLite, as processes of one machine do."""
    changes: dict[str, Any] = {"backfill_lease_seconds": 1}
    if request.param == "postgres":
        changes["database_url"] = type(lab.settings.database_url)(request.getfixturevalue("postgres_url"))
    settings = lab.settings.model_copy(update=changes)
    engine = open_database(settings)
    yield replace(lab, engine=engine, settings=settings)
    engine.dispose()


class Crew:
    """Worker processes that can be killed and started again."""

    def __init__(self, settings: Settings, directory: Path, count: int) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        ours = {environment_name(name): str(getattr(settings, name)) for name in _PASSED_ON}
        self._environment = {
            **kept,
            **ours,
            "DATABASE_URL": settings.database_url.get_secret_value(),
            "BACKFILL_OUTAGE_SECONDS": "60",
            "PYTHONPATH": str(ROOT),
        }
        self._log = (directory / "workers.log").open("a")
        self._directory = directory
        self.processes = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen[bytes]:
        command = schoolhouse("worker", "--threads", "1")
        return subprocess.Popen(command, env=self._environment, cwd=self._directory, stdout=self._log, stderr=self._log)

    def kill_one(self, generator: random.Random) -> None:
        place = generator.randrange(len(self.processes))
        self.processes[place].kill()
        self.processes[place].wait()
        self.processes[place] = self._start()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self._log.close()


@pytest.fixture
def crew(shared: Lab, tmp_path: Path) -> Iterator[Crew]:
    working = Crew(shared.settings, tmp_path, 2)
    yield working
    working.close()


def archive(put: Put, count: int, *, lines: int = 5) -> list[str]:
    keys = []
    for number in range(count):
        keys.append(f"section/1/video/2024-01-01T12-{number // 60:02}-{number % 60:02}Z_b.jsonl")
        put(keys[-1], [video(number * lines + each, section=1) for each in range(lines)])
    return keys


def status_of(lab: Lab, run: dict[str, Any], kind: Any = "inventory") -> str:
    try:
        return str(read_run(lab.engine, kind, run["id"])["status"])
    except SQLAlchemyError:  # Postgres recovers
        return "unknown"


def wait_for_end(lab: Lab, run: dict[str, Any], kind: Any = "inventory", *, seconds: float = 400) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while status_of(lab, run, kind) not in {"completed", "failed", "cancelled"}:
        if time.monotonic() > deadline:
            pytest.fail(f"not at its end after {seconds} s: {read_run(lab.engine, kind, run['id'])}")
        time.sleep(0.2)
    return read_run(lab.engine, kind, run["id"])


def wait_for_work(lab: Lab, run: dict[str, Any], *, seconds: float = 60) -> None:
    """Until the workers have loaded something: one that starts while its database is away ends with an error."""
    deadline = time.monotonic() + seconds
    while not read_run(lab.engine, "inventory", run["id"])["processed_objects"]:
        if time.monotonic() > deadline:
            pytest.fail(f"nothing loaded after {seconds} s")
        time.sleep(0.1)


@pytest.mark.parametrize("shared", ["sqlite", "postgres"], indirect=True)
def test_two_worker_processes_share_a_run(
    shared: Lab, crew: Crew, put: Put, put_inventory: Put, tables: Warehouse
) -> None:
    keys = archive(put, 24)
    put_inventory([keys[:12], keys[12:]])
    run = wait_for_end(shared, shared.create("inventory", max_simultaneous_batches=2, batch_chunk_size=2))
    assert (run["status"], run["loaded_objects"], run["rows_written"]) == ("completed", 24, 120)
    assert count_events(tables) == 120
    with shared.engine.connect() as connection:
        logs = page_of_logs(connection, "inventory", run["id"], limit=200)
    assert len({log["worker"] for log in logs}) == 2


@pytest.mark.slow
def test_workers_killed_at_random_lose_nothing_and_count_nothing_twice(
    shared: Lab, crew: Crew, put: Put, put_inventory: Put, tables: Warehouse
) -> None:
    keys = archive(put, 120)
    put_inventory([keys[start : start + 30] for start in range(0, 120, 30)])
    made = shared.create("inventory", max_simultaneous_batches=2, batch_chunk_size=1)
    generator = random.Random(20)
    kills = 0
    done = 0
    while kills < 20 and status_of(shared, made) not in {"completed", "failed"}:
        before, done = done, int(read_run(shared.engine, "inventory", made["id"])["processed_objects"])
        if done == before:  # let them come that far again, then strike at any moment of a chunk
            time.sleep(0.1)
            continue
        time.sleep(generator.uniform(0.0, 0.8))
        crew.kill_one(generator)
        kills += 1
    run = wait_for_end(shared, made)
    assert (run["status"], run["error"]) == ("completed", "")
    assert count_events(tables) == 600
    assert run["loaded_objects"] + run["skipped_objects"] == 120
    assert (run["skipped_objects"], run["failed_objects"], run["empty_objects"]) == (0, 0, 0)
    with shared.engine.connect() as connection:
        logs = page_of_logs(connection, "inventory", run["id"], limit=200)
    assert Counter(log["batch_id"] for log in logs) == Counter({batch["id"]: 30 for batch in run["batches"]})
    assert kills == 20


class Mortal:
    """A server process that is killed and started again, on the same port and directory."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(self._command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline()

    def die_for(self, seconds: float) -> None:
        self.close()
        time.sleep(seconds)
        self._start()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_clickhouse_and_s3_that_are_killed_and_come_back_are_waited_for(
    shared: Lab, put: Put, put_inventory: Put, tmp_path: Path
) -> None:
    clickhouse_port, s3_port = free_port(), free_port()
    engine = [sys.executable, "-m", "tests.clickhouse_stand_in", "--path", str(tmp_path / "engine")]
    relay = [
        sys.executable,
        "-m",
        "tests.backfill.relay",
        str(s3_port),
        shared.settings.aws_endpoint_url.split(":")[-1],
    ]
    mortals = [Mortal([*engine, "--port", str(clickhouse_port)]), Mortal(relay)]
    settings = shared.settings.model_copy(
        update={"clickhouse_port": clickhouse_port, "aws_endpoint_url": f"http://127.0.0.1:{s3_port}"}
    )
    with open_warehouse(settings, who="tests", must_exist=False) as opened:
        migrations.up(opened)
    put_inventory([archive(put, 40)])
    made = shared.create("inventory", batch_chunk_size=1)
    working = Crew(settings, tmp_path, 2)
    generator = random.Random(7)
    try:
        wait_for_work(shared, made)
        for place in (0, 1, 0, 1):
            time.sleep(generator.uniform(2.0, 4.0))
            mortals[place].die_for(generator.uniform(0.5, 3.0))
        run = wait_for_end(shared, made)
        assert (run["status"], run["loaded_objects"], run["failed_objects"]) == ("completed", 40, 0)
        with open_warehouse(settings, who="tests") as opened:
            assert count_events(opened) == 200
    finally:
        working.close()
        for mortal in mortals:
            mortal.close()


@pytest.mark.slow
def test_of_a_thousand_files_every_one_is_accounted_for(
    shared: Lab, crew: Crew, put: Put, put_inventory: Put, tables: Warehouse, aws: Aws, bucket: str
) -> None:
    import gzip

    keys = archive(put, 1000, lines=2)
    generator = random.Random(1000)
    broken = generator.sample(range(1000), 30)
    rows = 2 * 1000
    keys_of: dict[str, list[str]] = {"gone": [], "empty": [], "torn": [], "half": []}
    for place, number in enumerate(broken):
        kind = ("gone", "empty", "torn", "half")[place % 4]
        rows -= 2
        if kind == "gone":
            keys_of[kind].append(keys[number])
        elif kind == "empty":
            put(keys[number], b"")
            keys_of[kind].append(keys[number])
        elif kind == "half":
            put(keys[number], jsonl([video(number * 2)]) + b"\n{torn")
            rows += 1
            keys_of[kind].append(keys[number])
        else:
            keys[number] += ".gz"
            put(keys[number], gzip.compress(jsonl([video(number * 2), video(number * 2 + 1)]))[:-20])
            keys_of[kind].append(keys[number])
    put_inventory([keys[:500], keys[500:]])
    for key in keys_of["gone"]:
        aws.s3.delete_object(Bucket=bucket, Key=key)
    run = wait_for_end(shared, shared.create("inventory", max_simultaneous_batches=2), seconds=400)
    assert run["status"] == "completed"
    assert run["processed_objects"] == 1000
    assert run["empty_objects"] == len(keys_of["empty"])
    assert run["failed_objects"] == len(keys_of["gone"]) + len(keys_of["torn"])
    assert run["loaded_objects"] == 1000 - run["empty_objects"] - run["failed_objects"]
    assert (run["rows_written"], run["rows_rejected"]) == (rows, len(keys_of["half"]))
    assert count_events(tables) == rows
    with shared.engine.connect() as connection:
        logs = page_of_logs(connection, "inventory", run["id"], limit=200)
    told = {failure["source"]: failure for log in logs for failure in log["failures"]}
    named = [*keys_of["gone"], *keys_of["torn"], *keys_of["empty"]]
    assert sorted(told) == sorted(f"s3://{bucket}/{key}" for key in named)
    assert all(each["reason"] for each in told.values())


@pytest.mark.slow
def test_the_apps_database_may_be_killed_in_the_middle(
    shared: Lab, crew: Crew, postgres_server: PostgresServer, put: Put, put_inventory: Put, tables: Warehouse
) -> None:
    keys = archive(put, 40)
    put_inventory([keys])
    made = shared.create("inventory", batch_chunk_size=1)
    wait_for_work(shared, made)
    generator = random.Random(3)
    for _ in range(3):
        time.sleep(generator.uniform(1.0, 3.0))
        postgres_server.kill()
        time.sleep(generator.uniform(0.0, 2.0))
        postgres_server.start()
    run = wait_for_end(shared, made)
    assert (run["status"], run["loaded_objects"]) == ("completed", 40)
    assert count_events(tables) == 200
    act_on_run(shared.engine, "inventory", made["id"], "delete")
