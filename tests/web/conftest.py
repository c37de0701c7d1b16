"""The app over real warehouses: in this process for the API, in a process of its own for commands and browsers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI

from schoolhouse.settings import Settings, load_settings
from schoolhouse.simulate import Rates, campus_plan
from schoolhouse.simulate.into_warehouse import load_statements
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import open_warehouse
from schoolhouse.web.app import create_app
from schoolhouse.web.serving import server_for

if TYPE_CHECKING:
    from tests.web.visitors import PeopledSite

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True)
class Reply:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Site:
    """A served app, and how tests speak to it."""

    port: int
    app: FastAPI

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **headers: str) -> Reply:
        return self.request("GET", path, headers=headers)

    def page(self, path: str) -> Reply:
        return self.get(path, Accept="text/html")

    def request(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()


@contextmanager
def serving(settings: Settings) -> Iterator[Site]:
    """The app under uvicorn, in a thread of this process."""
    app = create_app(settings, operator_token=TOKEN)
    server = server_for(app)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield Site(server.servers[0].sockets[0].getsockname()[1], app)
    finally:
        server.should_exit = True
        thread.join(timeout=30)


@pytest.fixture(scope="session")
def site(campus_settings: Settings) -> Iterator[Site]:
    """The app over the campus that tests share."""
    with serving(campus_settings) as served:
        yield served


@pytest.fixture(scope="session")
def lively_settings(embedded_data_dir: Path) -> Settings:
    """An embedded warehouse with a simulated section of OLI Torus (1001, project 301) and a course run of Open edX."""
    settings = load_settings(data_dir=embedded_data_dir, clickhouse_database=f"lively_{uuid.uuid4().hex[:12]}")
    with open_warehouse(settings, who="tests", must_exist=False) as warehouse:
        migrations.up(warehouse)
        for dialect, host in (("torus", "https://torus.example"), ("openedx", "https://edx.example")):
            plan = campus_plan(
                dialect=dialect, sections=1, learners=30, days=28, statements=6_000, seed=3, host=host,
                rates=replace(Rates(), experiment_share=1.0),
            )  # fmt: skip
            load_statements(warehouse, plan, workers=1)
    return settings


@pytest.fixture(scope="session")
def lively(lively_settings: Settings) -> Iterator[Site]:
    """The app over them."""
    with serving(lively_settings) as served:
        yield served


@dataclass(frozen=True)
class ServeProcess:
    """A running `schoolhouse serve`."""

    process: subprocess.Popen[str]
    address: str
    data_dir: Path

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def environment(data_dir: Path) -> dict[str, str]:
    """An environment for child processes that names the data directory and nothing else of ours."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    return {**kept, "SCHOOLHOUSE_DATA_DIR": str(data_dir), "PYTHONPATH": str(ROOT)}


def schoolhouse(*arguments: str) -> list[str]:
    """The command line of `schoolhouse`."""
    return [sys.executable, "-c", "from schoolhouse.cli import main; main()", *arguments]


@pytest.fixture(scope="session")
def campus_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose warehouse holds the small campus, made and closed by another process."""
    data_dir = tmp_path_factory.mktemp("served")
    program = [sys.executable, "-m", "tests.web.make_campus"]
    subprocess.run(program, check=True, cwd=data_dir, env=environment(data_dir))
    return data_dir


@pytest.fixture
def start_serve() -> Iterator[Callable[[Path], ServeProcess]]:
    """Starts `schoolhouse serve` on free ports; what is still running at the end of the test is stopped."""
    started: list[ServeProcess] = []

    def start(data_dir: Path) -> ServeProcess:
        process = subprocess.Popen(
            schoolhouse("serve", "--port", "0"),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=data_dir, env=environment(data_dir),
        )  # fmt: skip
        assert process.stdout is not None
        words = process.stdout.readline().split()
        served = ServeProcess(process, next((word for word in words if word.startswith("http")), ""), data_dir)
        started.append(served)
        return served

    yield start
    for served in started:
        served.process.kill()
        served.process.wait(timeout=30)
        assert served.process.stdout is not None
        served.process.stdout.close()


@pytest.fixture(scope="session")
def peopled_site(campus_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeopledSite]:
    """The same campus, with accounts: root, ann (section 42), bo (42 elsewhere), cy (project 7), di (analyst)."""
    from tests.web.visitors import peopled

    with peopled(campus_settings, tmp_path_factory.mktemp("accounts")) as served:
        yield served


@pytest.fixture(scope="module")
def lake_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The app beside a lake that holds the hour before the last, which is closed by now."""
    from schoolhouse.lake import window
    from schoolhouse.lake.clock import now, window_of
    from schoolhouse.lake.topics import TOPICS
    from schoolhouse.lake.zones import lake_of
    from tests.lake.broker import attempts, messages, running_broker

    directory = tmp_path_factory.mktemp("lake-site")
    hour = window_of(now()).before.before
    with running_broker(directory / "broker") as broker:
        broker.create(*TOPICS)
        broker.send("user.attempts", messages(attempts(200, hour.start)))
        settings = load_settings(data_dir=directory / "data", kafka_bootstrap_servers=broker.address)
        window.run(lake_of(settings), "user_attempts", hour)
        with serving(settings) as site:
            yield site
