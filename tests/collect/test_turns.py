"""Processes that take statements for one warehouse take turns, so that of two that bring an id exactly one wins."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schoolhouse.collect.turns import FileTurns, LocalTurns, PostgresTurns, Turns, turns_for
from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse.connection import open_warehouse
from tests.collect.statements import new_statement
from tests.collect.xapi_site import Reply, Site
from tests.conftest import ROOT

CONFLICTS = 15


@pytest.fixture(params=["file", "postgres"])
def new_turns(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Turns]:
    """Makes one process's side of it."""
    if request.param == "file":
        return lambda: FileTurns(tmp_path / "data" / "xapi.turn")
    settings = load_settings(database_url=request.getfixturevalue("postgres_url"))
    return lambda: PostgresTurns(settings)


def test_turns_never_overlap_and_their_times_rise(new_turns: Callable[[], Turns]) -> None:
    now: list[int] = []
    times: list[int] = []
    most_at_once: list[int] = []

    def work() -> None:
        turns = new_turns()
        for _ in range(10):
            with turns.take() as at_ms:
                now.append(at_ms)
                most_at_once.append(len(now))
                times.append(at_ms)
                time.sleep(0.002)
                now.pop()
        turns.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most_at_once) == 1
    assert len(set(times)) == 30
    assert times == sorted(times)


def test_a_turn_that_fails_lets_the_next_one_go(new_turns: Callable[[], Turns]) -> None:
    turns = new_turns()
    with pytest.raises(ZeroDivisionError), turns.take():
        _ = 1 / 0
    other = new_turns()
    with other.take() as at_ms:
        assert at_ms > 0
    other.close()
    turns.close()


def test_the_settings_say_how_turns_are_taken(tmp_path: Path, postgres_url: str) -> None:
    kinds = []
    for given in ({}, {"clickhouse_host": "h"}, {"clickhouse_host": "h", "database_url": postgres_url}):
        turns = turns_for(load_settings(data_dir=tmp_path, **given))
        kinds.append(type(turns))
        turns.close()
    assert kinds == [LocalTurns, FileTurns, PostgresTurns]


@contextmanager
def site_process(settings: Settings, folder: Path, name: str) -> Iterator[Site]:
    """The resource in a process of its own."""
    names = ("data_dir", "clickhouse_host", "clickhouse_port", "clickhouse_user", "clickhouse_database")
    values = {field: str(getattr(settings, field)) for field in names}
    values["clickhouse_password"] = settings.clickhouse_password.get_secret_value()
    values["xapi_credentials_file"] = str(folder / f"{name}-clients.json")
    described = folder / f"{name}.json"
    described.write_text(json.dumps(values))
    command = [sys.executable, "-m", "tests.collect.xapi_site", str(described)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Site(told["port"], told["secret"])
        process.stdin.close()
        process.wait(timeout=30)


@pytest.mark.slow
@pytest.mark.parametrize("handle", ["server"], indirect=True)
def test_of_two_processes_that_bring_an_id_at_the_same_moment_exactly_one_wins(
    migrated_settings: Settings, tmp_path: Path
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(CONFLICTS)]
    replies: dict[tuple[str, str], Reply] = {}
    with site_process(migrated_settings, tmp_path, "a") as a, site_process(migrated_settings, tmp_path, "b") as b:
        barrier = threading.Barrier(2)

        def send(site: Site, learner: str) -> None:
            for one in ids:
                statement = new_statement(id=one, actor={"mbox": f"mailto:{learner}@h.example"})
                barrier.wait(timeout=60)
                replies[one, learner] = site.post(statement)

        threads = [threading.Thread(target=send, args=each) for each in ((a, "a"), (b, "b"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with open_warehouse(migrated_settings, role="reader") as reader:
        stored = {str(one): who for one, who in reader.ask("SELECT event_id, user_id FROM raw_events", why="test").rows}
    for one in ids:
        assert sorted((replies[one, "a"].status, replies[one, "b"].status)) == [200, 409]
        winner = "a" if replies[one, "a"].status == 200 else "b"
        assert stored[one] == f"mailto:{winner}@h.example"
    assert len(stored) == CONFLICTS
