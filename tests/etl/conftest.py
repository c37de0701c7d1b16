"""S3 and SQS for the ETL's tests: MiniStack, which speaks AWS's protocols on 127.0.0.1, and statements to put there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from schoolhouse.etl.handler import Handler
from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse, open_warehouse

KEY = "section/123/video/2024-01-01T12-00-00.000Z_bundle.jsonl"
E = "http://oli.cmu.edu/extensions/"
V = "https://w3id.org/xapi/video/extensions/"
_FILLED = ("raw_events", "rejected_statements", "statement_ids", "sections", "loads", "load_counts", "loaded_objects")


@dataclass(frozen=True)
class Aws:
    """MiniStack's address, and AWS's clients for it."""

    url: str
    s3: Any
    sqs: Any


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a MiniStack of this test process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("ministack") / "log"
    environment = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING"}
    command = [str(Path(sys.executable).with_name("ministack"))]
    with log.open("w") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(f"{url}/_ministack/health")
            yield url
        finally:  # it would be waited for without end
            process.kill()


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:  # refused, or too slow on a busy machine
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)


@pytest.fixture(scope="session")
def aws_credentials() -> Iterator[None]:
    """Credentials in the environment before the embedded engine starts: it reads them once."""
    names = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    yield
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


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
def queues(aws: Aws) -> tuple[str, str]:
    """The URLs of a queue and of a dead-letter queue."""
    name = uuid.uuid4().hex[:12]
    urls = [aws.sqs.create_queue(QueueName=f"{kind}-{name}")["QueueUrl"] for kind in ("xapi", "xapi-dead")]
    return urls[0], urls[1]


@pytest.fixture(scope="session")
def migrated() -> dict[str, Settings]:
    """The migrated databases of this test process, by handle: making one takes seconds."""
    return {}


@pytest.fixture
def warehouse_settings(
    handle: str, migrated: dict[str, Settings], request: pytest.FixtureRequest, aws_credentials: None
) -> Settings:
    """Settings that name a migrated database whose tables are empty."""
    if handle not in migrated:
        server = request.getfixturevalue("stand_in") if handle == "server" else None
        migrated[handle] = load_settings(
            data_dir=request.getfixturevalue("embedded_data_dir"),
            clickhouse_database=f"etl_{uuid.uuid4().hex[:12]}",
            **({"clickhouse_host": server.host, "clickhouse_port": server.port} if server else {}),
        )
        with open_warehouse(migrated[handle], who="tests", must_exist=False) as warehouse:
            migrations.up(warehouse)
    with open_warehouse(migrated[handle], who="tests") as warehouse:
        for table in _FILLED:
            warehouse.run(f"TRUNCATE TABLE {table} SYNC", why="tests")
    return migrated[handle]


@pytest.fixture(params=["native", "parquet"])
def reader(request: pytest.FixtureRequest) -> str:
    """Who reads S3: ClickHouse, or the handler."""
    return str(request.param)


@pytest.fixture
def etl_settings(aws: Aws, bucket: str, queues: tuple[str, str], reader: str, warehouse_settings: Settings) -> Settings:
    """Settings of a handler over the test's own bucket and queues, and the migrated warehouse."""
    return warehouse_settings.model_copy(
        update={
            "aws_endpoint_url": aws.url,
            "s3_bucket": bucket,
            "queue_url": queues[0],
            "failure_queue_url": queues[1],
            "etl_reader": reader,
            "etl_concurrency": 2,
        }
    )


@pytest.fixture
def handler(etl_settings: Settings) -> Iterator[Handler]:
    """The handler under test."""
    with Handler(etl_settings, who="tests") as opened:
        yield opened


@pytest.fixture
def put(aws: Aws, bucket: str) -> Callable[..., str]:
    """Puts statements (or bytes) under a key; returns the ETag."""

    def _put(key: str, content: list[dict[str, Any]] | bytes) -> str:
        body = content if isinstance(content, bytes) else jsonl(content)
        return str(aws.s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"]).strip('"')

    return _put


def jsonl(statements: list[dict[str, Any]]) -> bytes:
    """Statements as Torus writes a bundle: lines joined by newlines, none at the end."""
    return "\n".join(json.dumps(statement) for statement in statements).encode()


def video(number: int, *, section: int = 123, verb: str = "played") -> dict[str, Any]:
    """A video statement, a different one for each number."""
    return {
        "actor": {"account": {"homePage": "https://campus.example", "name": str(1000 + number % 7)}},
        "verb": {"id": f"https://w3id.org/xapi/video/verbs/{verb}"},
        "object": {
            "id": "https://campus.example/intro.mp4",
            "definition": {"type": "https://w3id.org/xapi/video/activity-type/video"},
        },
        "result": {"extensions": {f"{V}time": number / 2}},
        "context": {"extensions": {f"{E}section_id": section, f"{E}project_id": 7, f"{E}publication_id": 3}},
        "timestamp": f"2024-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.{number % 1000:03}Z",
    }


def page_view(number: int, *, section: int = 123) -> dict[str, Any]:
    """A page view, a different one for each number."""
    return video(number, section=section) | {
        "verb": {"id": "http://id.tincanapi.com/verb/viewed"},
        "object": {
            "id": f"https://campus.example/page/{number}",
            "definition": {"type": "http://oli.cmu.edu/extensions/types/page", "subType": "graded"},
        },
        "result": {"completion": True, "success": True},
    }


def count_events(warehouse: Warehouse, where: str = "1") -> int:
    """How many events stand."""
    return int(warehouse.ask(f"SELECT count() FROM raw_events FINAL WHERE {where}", why="tests").value())


def notification(bucket: str, *keys: str, **facts: Any) -> dict[str, Any]:
    """An S3 notification, as the documents show it."""
    return {
        "Records": [
            {"eventSource": "aws:s3", "s3": {"bucket": {"name": bucket}, "object": {"key": key, **facts}}}
            for key in keys
        ]
    }


def queue_event(*bodies: Any, receives: int = 1) -> dict[str, Any]:
    """An event of SQS with a message for each body."""
    return {
        "Records": [
            {
                "eventSource": "aws:sqs",
                "messageId": f"m{number}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": str(receives)},
            }
            for number, body in enumerate(bodies)
        ]
    }


@pytest.fixture
def refused_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
