"""S3 and SQS for the ETL's tests: MiniStack, which speaks AWS's protocols on 127.0.0.1, and statements to put there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from schoolhouse.etl.handler import Handler
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse
from tests.ministack import Aws

KEY = "section/123/video/2024-01-01T12-00-00.000Z_bundle.jsonl"
E = "http://oli.cmu.edu/extensions/"
V = "https://w3id.org/xapi/video/extensions/"


@pytest.fixture
def queues(aws: Aws) -> tuple[str, str]:
    """The URLs of a queue and of a dead-letter queue."""
    name = uuid.uuid4().hex[:12]
    urls = [aws.sqs.create_queue(QueueName=f"{kind}-{name}")["QueueUrl"] for kind in ("xapi", "xapi-dead")]
    return urls[0], urls[1]


@pytest.fixture(params=["native", "parquet"])
def reader(request: pytest.FixtureRequest) -> str:
    """Who reads S3: ClickHouse, or the handler."""
    return str(request.param)


@pytest.fixture
def etl_settings(aws: Aws, bucket: str, queues: tuple[str, str], reader: str, migrated_settings: Settings) -> Settings:
    """Settings of a handler over the test's own bucket and queues, and the migrated warehouse."""
    return migrated_settings.model_copy(
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
