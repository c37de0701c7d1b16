"""Fixtures that every test may use: the warehouse on both handles, and an environment without surprises.

`warehouse` runs a test twice: on the embedded engine and on a server. The server is the stand-in of
`tests.clickhouse_stand_in` or, where CLICKHOUSE_TEST_URL (http://user:password@host:8123) names one, a real ClickHouse.
A test that is about one handle says `@pytest.mark.parametrize("handle", ["server"], indirect=True)`.

One process opens one engine directory, so the embedded warehouses of a run share a directory and differ by database.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from schoolhouse.settings import Settings, environment_name, load_settings
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from tests.postgres import new_database, running_postgres

ROOT = Path(__file__).parent.parent
TEST_URL = os.environ.get("CLICKHOUSE_TEST_URL", "")


@dataclass(frozen=True)
class Server:
    """Where the server of the `server` handle is, and who may write there."""

    host: str
    port: int
    user: str = "default"
    password: str = ""
    pid: int = 0  # of the stand-in; 0 for a real server

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting leaks in from the developer's shell or `.env`, and nothing is written to the repository."""
    for field in Settings.model_fields:
        monkeypatch.delenv(environment_name(field), raising=False)
    monkeypatch.delenv("CLICKHOUSE_USERNAME", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def clean_logging() -> Iterator[None]:
    """A command under test sends the logs to its own standard error; the next test must not write there."""
    root, ours = logging.getLogger(), logging.getLogger("schoolhouse")
    before = list(root.handlers), root.level, ours.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


@pytest.fixture(scope="session")
def embedded_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of every embedded warehouse in this process."""
    return tmp_path_factory.mktemp("embedded")


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The stand-in for a ClickHouse server, one process a test process."""
    command = [sys.executable, "-m", "tests.clickhouse_stand_in", "--stop-with-stdin"]
    command += ["--path", str(tmp_path_factory.mktemp("stand-in"))]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Server(host="127.0.0.1", port=int(process.stdout.readline()), pid=process.pid)
        process.stdin.close()
        process.wait(timeout=30)


@pytest.fixture(params=["embedded", "server"])
def handle(request: pytest.FixtureRequest) -> str:
    """Which way to the warehouse: `embedded` or `server`."""
    return str(request.param)


@pytest.fixture
def warehouse_settings(handle: str, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings that name a database of the test's own, which is not made yet and goes away afterwards."""
    settings = settings_on(handle, request, data_dir=request.getfixturevalue("tmp_path"))
    yield settings
    with open_warehouse(settings, who="tests", must_exist=False) as warehouse:
        warehouse.run(f"DROP DATABASE `{settings.clickhouse_database}` SYNC", why="tidy up after a test")


@pytest.fixture
def warehouse(warehouse_settings: Settings) -> Iterator[Warehouse]:
    """A writer on a new, empty database."""
    with open_warehouse(warehouse_settings, who="tests", must_exist=False) as opened:
        yield opened


@pytest.fixture
def warehouse_environment(warehouse_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The environment names the test's warehouse, as the commands of `schoolhouse` read it."""
    for field in ("data_dir", "clickhouse_database", "clickhouse_host", "clickhouse_port", "clickhouse_user"):
        monkeypatch.setenv(environment_name(field), str(getattr(warehouse_settings, field)))
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", warehouse_settings.clickhouse_password.get_secret_value())
    return warehouse_settings


def settings_on(handle: str, request: pytest.FixtureRequest, *, data_dir: Path) -> Settings:
    """Settings of a new database on a handle; `data_dir` is for what a server's client keeps."""
    database = f"test_{uuid.uuid4().hex[:12]}"
    if handle == "embedded":
        data_dir = request.getfixturevalue("embedded_data_dir")
        return load_settings(data_dir=data_dir, clickhouse_host="", clickhouse_database=database)
    server = _real_server() or request.getfixturevalue("stand_in")
    return load_settings(
        data_dir=data_dir,
        clickhouse_database=database,
        clickhouse_host=server.host,
        clickhouse_port=server.port,
        clickhouse_user=server.user,
        clickhouse_password=server.password,
    )


def _real_server() -> Server | None:
    if not TEST_URL:
        return None
    url = urlsplit(TEST_URL)
    return Server(
        host=url.hostname or "127.0.0.1",
        port=url.port or 8123,
        user=unquote(url.username or "default"),
        password=unquote(url.password or ""),
    )


@pytest.fixture(scope="session")
def campus_settings(embedded_data_dir: Path) -> Settings:
    """An embedded warehouse that holds `tests.given.small_campus()`, for tests that only read."""
    from schoolhouse.warehouse import migrations
    from tests.given import load, small_campus

    settings = load_settings(data_dir=embedded_data_dir, clickhouse_database=f"campus_{uuid.uuid4().hex[:12]}")
    with open_warehouse(settings, who="tests", must_exist=False) as warehouse:
        migrations.up(warehouse)
        load(warehouse, small_campus())
    return settings


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Postgres server that lives as long as the run."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """An empty Postgres database of this test's own."""
    return new_database(postgres_server)
