"""`doctor`: tests the parts that commands need."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from schoolhouse.cli import console

if TYPE_CHECKING:
    from schoolhouse.settings import Settings

_LOW_DISK_BYTES = 1_000_000_000


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False) -> None:
    """Test the parts that commands need, and say what is wrong and what to do. Exits 1 when something is.

    The warehouse and the app's database always; the bucket, the queues and Kafka where the settings name them.
    """
    from schoolhouse.errors import SchoolhouseError

    settings = console.settings()
    findings: list[dict[str, object]] = []
    parts: dict[str, Callable[[Settings], str]] = {
        "Python": _python,
        "data directory": _data_dir,
        "ClickHouse": _clickhouse,
        "migrations": _migrations,
        "read-only handle": _reader,
        "app's database": _database,
    }
    if settings.s3_bucket:
        parts["S3_XAPI_BUCKET_NAME"] = _bucket
    for name, address in (("XAPI_QUEUE_URL", settings.queue_url), ("FAILURE_DLQ_URL", settings.failure_queue_url)):
        if address:
            parts[name] = partial(_queue, address)
    if settings.kafka_bootstrap_servers:
        parts["Kafka"] = _kafka
    for part, examine in parts.items():
        try:
            findings.append({"part": part, "ok": True, "finding": examine(settings), "hint": ""})
        except SchoolhouseError as error:
            findings.append({"part": part, "ok": False, "finding": error.message, "hint": error.hint})
    if as_json:
        console.print_json(findings)
    else:
        rows = [["ok" if f["ok"] else "WRONG", f["part"], f["finding"], f["hint"]] for f in findings]
        console.print_table("", ["", "part", "finding", "what to do"], rows)
    if not all(finding["ok"] for finding in findings):
        raise typer.Exit(1)


def _python(_: Settings) -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"


def _data_dir(settings: Settings) -> str:
    from schoolhouse.errors import InputError

    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written: {error.strerror}.", hint="Set SCHOOLHOUSE_DATA_DIR to a directory you own."
        ) from None
    free = shutil.disk_usage(folder).free
    if free < _LOW_DISK_BYTES:
        raise InputError(f"{folder} has only {console.size(free)} of room left.", hint="Make room, or move it.")
    return f"{folder.resolve()}, {console.size(free)} free"


def _clickhouse(settings: Settings) -> str:
    from schoolhouse.warehouse.connection import open_warehouse
    from schoolhouse.warehouse.health import read_health

    with open_warehouse(settings, who="doctor") as warehouse:
        health = read_health(warehouse)
    return f"{health['engine']}, version {health['version']}"


def _migrations(settings: Settings) -> str:
    from schoolhouse.warehouse.connection import open_warehouse
    from schoolhouse.warehouse.migrations import available, pending, require_current

    with open_warehouse(settings, who="doctor") as warehouse:
        require_current(warehouse)
        pending(warehouse)
    return f"all {len(available())} applied"


def _reader(settings: Settings) -> str:
    from schoolhouse.errors import QueryRefused, WarehouseError
    from schoolhouse.warehouse.connection import open_warehouse

    with open_warehouse(settings, role="reader", who="doctor") as reader:
        try:
            reader.run("CREATE TABLE doctor_probe (x UInt8) ENGINE = Memory", why="probe that reading cannot write")
        except QueryRefused:
            return "cannot write, as it should be"
        reader.run("DROP TABLE doctor_probe", why="probe")
    raise WarehouseError("The read-only handle can write.", hint="Give CLICKHOUSE_READER_USER a readonly profile.")


def _database(_: Settings) -> str:
    with console.database() as engine:
        return engine.dialect.name


def _bucket(settings: Settings) -> str:
    from schoolhouse.etl.aws import mapped_errors, s3_client

    client = s3_client(settings)
    with mapped_errors(f"s3://{settings.s3_bucket}"):
        client.list_objects_v2(Bucket=settings.s3_bucket, MaxKeys=1)
    return f"{settings.s3_bucket} can be listed"


def _queue(address: str, settings: Settings) -> str:
    from schoolhouse.etl.aws import mapped_errors, sqs_client

    client = sqs_client(settings)
    with mapped_errors(address):
        waiting = client.get_queue_attributes(QueueUrl=address, AttributeNames=["ApproximateNumberOfMessages"])
    return f"about {waiting['Attributes']['ApproximateNumberOfMessages']} messages wait"


def _kafka(settings: Settings) -> str:
    from schoolhouse.lake.kafka import consumer, partitions
    from schoolhouse.lake.topics import TOPICS

    wanted = settings.kafka_topics.split(",") if settings.kafka_topics else list(TOPICS)
    opened = consumer(settings)
    try:
        return ", ".join(f"{topic}: {len(partitions(opened, topic, settings))} partitions" for topic in wanted)
    finally:
        opened.close()
