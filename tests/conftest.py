"""Fixtures that every test may use: the warehouse on both handles, and an environment without surprises.

`tables` and `warehouse` run a test twice: on the embedded engine and on a server. The server is the stand-in of
`tests.clickhouse_stand_in` or, where CLICKHOUSE_TEST_URL (http://user:password@host:8123) names one, a real ClickHouse.
A test that is about one handle says `@pytest.mark.parametrize("handle", ["server"], indirect=True)`.

Which one to ask for, cheapest first:
- `campus_settings`: a warehouse with a campus in it, for tests that only read. Made once a process.
- `tables`, `migrated_settings`: all tables and no rows, for this test alone; a few milliseconds. One test after another
  uses the database, which is emptied in between; what else a test does to it is found out, and undone.
- `warehouse`, `warehouse_settings`: a new database without tables. A migration costs a second, so this is for tests
  about setting up; `migrations.up` in any other test is a waste.
- a process of one's own (`schoolhouse …`, `serve`): two seconds of CPU each. `tests.cli.shell.Shell` runs commands in
  this process; a process is for what only a process shows (signals, exits, a directory that another one holds).
Servers (the stand-in, MiniStack, Postgres) live as long as the test process.

One process opens one engine directory, so the embedded warehouses of a run share a directory and differ by database.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import hypothesis
import pytest

from schoolhouse.settings import Settings, environment_name, load_settings
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from tests.migrated import MigratedDatabases
from tests.ministack import Aws, running_ministack
from tests.postgres import PostgresServer, new_database, running_postgres

ROOT = Path(__file__).parent.parent
TEST_URL = os.environ.get("CLICKHOUSE_TEST_URL", "")

# How long an example takes depends on what else the machine does; no test is about that.
hypothesis.settings.register_profile("no clock", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("no clock")


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
    _drop_handlers_of_commands(root)  # of a fixture that lives longer than a test
    before = list(root.handlers), root.level, ours.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def _drop_handlers_of_commands(root: logging.Logger) -> None:
    root.handlers[:] = [one for one in root.handlers if type(one).__module__.startswith("_pytest")]


@pytest.fixture(scope="session")
def aws_credentials() -> Iterator[None]:
    """Credentials that MiniStack takes, in the environment before an engine starts: it reads them once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "tests")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a MiniStack of this test process: S3 and SQS."""
    with running_ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.fixture(scope="session")
def aws(ministack: str, aws_credentials: None) -> Aws:
    """Clients for S3 and SQS."""
    s3, sqs = (boto3.client(name, endpoint_url=ministack, region_name="us-east-1") for name in ("s3", "sqs"))
    return Aws(ministack, s3, sqs)


@pytest.fixture
def bucket(aws: Aws) -> str:
    """An empty bucket of the test's own."""
    name = f"xapi-{uuid.uuid4().hex[:12]}"
    aws.s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def put(aws: Aws, bucket: str) -> Callable[..., str]:
    """Puts statements (or bytes) under a key; returns the ETag."""

    def _put(key: str, content: list[dict[str, Any]] | bytes) -> str:
        lines = content if isinstance(content, bytes) else b"".join(json.dumps(one).encode() + b"\n" for one in content)
        return str(aws.s3.put_object(Bucket=bucket, Key=key, Body=lines)["ETag"]).strip('"')

    return _put


@pytest.fixture
def refused_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def embedded_data_dir(tmp_path_factory: pytest.TempPathFactory, aws_credentials: None) -> Iterator[Path]:
    """The data directory of every embedded warehouse in this process. Its engine runs until the end."""
    data_dir = tmp_path_factory.mktemp("embedded")
    settings = load_settings(data_dir=data_dir, clickhouse_host="", clickhouse_database="default")
    with open_warehouse(settings, who="tests", must_exist=False):
        yield data_dir


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory, aws_credentials: None) -> Iterator[Server]:
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


@pytest.fixture(scope="session")
def migrated_databases() -> MigratedDatabases:
    """The migrated databases of this process, used again and again."""
    return MigratedDatabases()


@pytest.fixture
def migrated_settings(
    handle: str, migrated_databases: MigratedDatabases, request: pytest.FixtureRequest, tmp_path: Path
) -> Settings:
    """Settings that name a database with all tables and no rows."""
    return migrated_databases.empty(handle, settings_on(handle, request, data_dir=tmp_path))


@pytest.fixture
def tables(migrated_settings: Settings) -> Iterator[Warehouse]:
    """A writer on all tables, which hold no rows."""
    with open_warehouse(migrated_settings, who="tests") as opened:
        yield opened


@pytest.fixture
def warehouse_environment(migrated_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The environment names the test's migrated warehouse, as the commands of `schoolhouse` read it."""
    for field in ("data_dir", "clickhouse_database", "clickhouse_host", "clickhouse_port", "clickhouse_user"):
        monkeypatch.setenv(environment_name(field), str(getattr(migrated_settings, field)))
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", migrated_settings.clickhouse_password.get_secret_value())
    return migrated_settings


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
        clickhouse_secure=False,  # the free port of a stand-in may end like one for TLS
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
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """The URL of a Postgres server that lives as long as the run."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """An empty Postgres database of this test's own."""
    return new_database(postgres_server.url)
