"""What `load-db` writes to: the schemas of Aspects in a ClickHouse server, a fake record store, and S3."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from schoolhouse.settings import load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from tests.conftest import Server
from tests.ralph import TABLE
from tests.simulate.fake_lrs import FakeLrs, fake_lrs

SINK = ("course_overviews", "course_blocks", "object_tag", "taxonomy", "tag", "external_id", "user_profile")
SINK += ("course_enrollment",)


@dataclass(frozen=True)
class Aspects:
    """Two databases as Aspects has them, of the test's own."""

    server: Server
    xapi: str
    sink: str
    warehouse: Warehouse

    @property
    def keys(self) -> dict[str, Any]:
        """The configuration that reaches them."""
        return {
            "db_host": self.server.host,
            "db_port": self.server.port,
            "db_username": self.server.user,
            "db_password": self.server.password,
            "db_name": self.xapi,
            "db_event_sink_name": self.sink,
        }

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        database = self.xapi if table == "xapi_events_all" else self.sink
        return self.warehouse.ask(f"SELECT {columns} FROM {database}.{table}", why="test").rows


@pytest.fixture
def aspects(stand_in: Server, tmp_path: Path) -> Iterator[Aspects]:
    """The schemas, with the tables of the event sink as our own migrations know them."""
    settings = load_settings(
        data_dir=tmp_path, clickhouse_host=stand_in.host, clickhouse_port=stand_in.port, clickhouse_user=stand_in.user
    )
    name = uuid.uuid4().hex[:10]
    made = Aspects(stand_in, f"xapi_{name}", f"sink_{name}", open_warehouse(settings))
    for database in (made.xapi, made.sink):
        made.warehouse.run(f"CREATE DATABASE {database}", why="test")
    made.warehouse.run(TABLE.format(database=made.xapi), why="test")
    for migration in migrations.available():
        table = migration.name.removeprefix("create_")
        if table in SINK:
            created = migration.up.replace(f"CREATE TABLE {table}", f"CREATE TABLE {made.sink}.{table}")
            made.warehouse.run(created, why="test")
    yield made
    for database in (made.xapi, made.sink):
        made.warehouse.run(f"DROP DATABASE {database} SYNC", why="test")
    made.warehouse.close()


@pytest.fixture
def lrs() -> Iterator[FakeLrs]:
    """A record store."""
    with fake_lrs() as server:
        yield server


@pytest.fixture
def bucket(ministack: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket; the environment says where it is."""
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    name = f"campus-{uuid.uuid4().hex[:10]}"
    client = boto3.client("s3", aws_access_key_id="key", aws_secret_access_key="secret")
    client.create_bucket(Bucket=name)
    client.close()
    return name


def example(name: str, **changes: Any) -> dict[str, Any]:
    """An example configuration that ships, with other places."""
    from importlib.resources import files

    made: dict[str, Any] = yaml.safe_load(files("schoolhouse.simulate.configs").joinpath(name).read_text())
    return made | changes


def written(path: Path, config: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return str(path)
