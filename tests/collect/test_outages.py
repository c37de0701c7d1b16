"""ClickHouse dies in the middle of the work and comes back: what was promised is there, once."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schoolhouse.collect.pipeline import Pipeline
from schoolhouse.errors import WarehouseError
from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import open_warehouse
from tests.conftest import ROOT

from .parts import bundle, wait_until
from .statements import new_statement
from .xapi_site import serving

pytestmark = pytest.mark.slow


class MortalServer:
    """A stand-in for a ClickHouse server that can be killed and started again, at its address and over its data."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.clickhouse_stand_in", "--path", str(self._path)]
        command += ["--port", str(self.port)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert int(self._process.stdout.readline()) == self.port
        self._process.stdout.close()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MortalServer]:
    server = MortalServer(tmp_path / "engine")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def settings(server: MortalServer, tmp_path: Path) -> Settings:
    settings = load_settings(
        data_dir=tmp_path / "data",
        etl_mode="direct",
        batch_size=20,
        batch_timeout_ms=30,
        clickhouse_host="127.0.0.1",
        clickhouse_port=server.port,
    )
    with open_warehouse(settings, must_exist=False) as warehouse:
        migrations.up(warehouse)
    return settings


@contextmanager
def outages(server: MortalServer, at: list[threading.Event]) -> Iterator[None]:
    """Kill the server at each of these moments, and start it again a second later."""

    def die_and_rise() -> None:
        for moment in at:
            assert moment.wait(60)
            server.kill()
            threading.Event().wait(1.0)
            server.start()

    thread = threading.Thread(target=die_and_rise)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def stored_ids(settings: Settings) -> list[str]:
    with open_warehouse(settings, role="reader") as reader:
        return [str(row[0]) for row in reader.ask("SELECT event_id FROM raw_events FINAL", why="test").rows]


def test_what_the_pipeline_accepted_arrives_once_though_clickhouse_dies_twice(
    server: MortalServer, settings: Settings
) -> None:
    moments = [threading.Event(), threading.Event()]
    sent = []
    with outages(server, moments), Pipeline(settings) as pipeline:
        for turn in range(60):
            statements = [new_statement() for _ in range(10)]
            pipeline.send(bundle(*(json.dumps(one).encode() for one in statements)))
            sent += [one["id"] for one in statements]
            if turn in {15, 40}:
                moments[turn > 15].set()
        wait_until(lambda: pipeline.drain(60), timeout_seconds=120)  # a try that fails ends a drain
    found = stored_ids(settings)
    assert sorted(found) == sorted(sent)


def test_what_the_resource_answered_is_there_once_though_clickhouse_dies_twice(
    server: MortalServer, settings: Settings
) -> None:
    moments = [threading.Event(), threading.Event()]
    answered: list[str] = []
    refused: list[int] = []
    is_over = threading.Event()
    with serving(settings) as site:

        def client() -> None:
            while not is_over.is_set():
                statements = [new_statement() for _ in range(10)]
                while (reply := site.post(statements)).status != 200 and not is_over.is_set():
                    refused.append(reply.status)  # and the same statements again, as clients do
                if reply.status == 200:
                    answered.extend(reply.json)

        clients = [threading.Thread(target=client) for _ in range(4)]
        for one in clients:
            one.start()
        with outages(server, moments):
            for number, moment in enumerate(moments, start=1):
                wait_until(lambda number=number: len(answered) > number * 200, timeout_seconds=60)
                moment.set()
        after = len(answered)
        wait_until(lambda: len(answered) > after + 100, timeout_seconds=60)
        is_over.set()
        for one in clients:
            one.join()
    found = stored_ids(settings)
    assert set(answered) <= set(found)
    assert len(found) == len(set(found))
    assert set(refused) == {503}


def test_a_pipeline_that_stops_while_clickhouse_is_away_delivers_after_the_next_start(
    server: MortalServer, settings: Settings
) -> None:
    statements = [new_statement() for _ in range(50)]
    server.kill()
    with pytest.raises(WarehouseError), open_warehouse(settings):
        pass
    with Pipeline(settings.model_copy(update={"drain_seconds": 0})) as pipeline:
        pipeline.send(bundle(*(json.dumps(one).encode() for one in statements)))
    server.start()
    with Pipeline(settings) as pipeline:
        assert pipeline.drain(60)
    assert sorted(stored_ids(settings)) == sorted(one["id"] for one in statements)
