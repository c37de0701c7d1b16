"""The worker on real queues: notifications of S3, kills, redelivery, the dead-letter queue and the way back."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.errors import ObjectMissing, SettingsError
from schoolhouse.etl.dead_letters import redrive
from schoolhouse.etl.worker import Worker
from schoolhouse.settings import Settings, environment_name, load_settings
from schoolhouse.warehouse.connection import Warehouse
from tests.conftest import ROOT
from tests.etl.conftest import KEY, count_events, notification, video
from tests.ministack import Aws

Put = Callable[..., str]
native_only = pytest.mark.parametrize("reader", ["native"], indirect=True)
server_only = pytest.mark.parametrize("handle", ["server"], indirect=True)


def waiting(aws: Aws, url: str) -> int:
    """How many messages a queue holds, hidden ones too."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def send(aws: Aws, url: str, body: Any) -> None:
    aws.sqs.send_message(QueueUrl=url, MessageBody=body if isinstance(body, str) else json.dumps(body))


@contextmanager
def slow_way_to(port: int, *, seconds: float) -> Iterator[int]:
    """A port that passes everything on to another, but takes its time to begin."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if not late:
                late.append(True)
                time.sleep(seconds)
            with socket.create_connection(("127.0.0.1", port)) as onward:
                back = threading.Thread(target=pump, args=(onward, self.request))
                back.start()
                pump(self.request, onward)
                back.join()

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    late: list[bool] = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_what_s3_announces_is_loaded_and_leaves_the_queue(
    etl_settings: Settings, aws: Aws, bucket: str, queues: tuple[str, str], put: Put, tables: Warehouse
) -> None:
    arn = aws.sqs.get_queue_attributes(QueueUrl=queues[0], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    wanted = [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
    aws.s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": wanted}
    )
    keys = [f"section/1/video/2024-01-01T12:00:0{number}.000Z_a b+ü.jsonl" for number in range(4)]
    for number, key in enumerate(keys):
        put(key, [video(number * 10 + each, section=1) for each in range(10)])
    put("section/1/video/readme.txt", b"not a bundle")
    totals = Worker(etl_settings).run(until_empty=True)
    assert count_events(tables) == 40
    assert totals["messages_done"] == totals["messages"]
    assert totals["files"] == 4
    assert waiting(aws, queues[0]) == 0
    files = tables.ask("SELECT DISTINCT source_file FROM raw_events FINAL ORDER BY 1", why="tests").rows
    assert [file for (file,) in files] == [f"s3://{bucket}/{key}" for key in keys]


@native_only
@server_only
def test_a_message_that_cannot_be_processed_is_dead_once_and_can_be_put_back(
    etl_settings: Settings, aws: Aws, bucket: str, queues: tuple[str, str], put: Put, tables: Warehouse
) -> None:
    send(aws, queues[0], notification(bucket, KEY))
    send(aws, queues[0], "no json")
    Worker(etl_settings, threads=1).run(until_empty=True)
    assert (waiting(aws, queues[0]), waiting(aws, queues[1])) == (0, 2)

    put(KEY, [video(1)])
    back = redrive(aws.sqs, etl_settings)
    assert sorted(message["reason"] for message in back) == [
        "The message is not JSON.",
        f"s3://{bucket}/{KEY} is not there.",
    ]
    assert (waiting(aws, queues[0]), waiting(aws, queues[1])) == (2, 0)
    Worker(etl_settings, threads=1).run(until_empty=True)
    assert count_events(tables) == 1
    assert (waiting(aws, queues[0]), waiting(aws, queues[1])) == (0, 1)


@native_only
@server_only
def test_a_dry_redrive_shows_the_reasons_moves_nothing_and_can_be_followed_at_once_by_a_real_one(
    etl_settings: Settings, aws: Aws, queues: tuple[str, str]
) -> None:
    for number in range(11):  # more than SQS gives in one call
        send(aws, queues[0], f"no json {number}")
    Worker(etl_settings, threads=1).run(until_empty=True)
    seen = redrive(aws.sqs, etl_settings, dry_run=True)
    assert {message["reason"] for message in seen} == {"The message is not JSON."}
    assert (waiting(aws, queues[0]), waiting(aws, queues[1])) == (0, 11)
    assert len(redrive(aws.sqs, etl_settings)) == len(seen) == 11
    assert (waiting(aws, queues[0]), waiting(aws, queues[1])) == (11, 0)


@native_only
@server_only
def test_a_redrive_ends_beside_a_worker_that_buries_again_what_comes(
    etl_settings: Settings, aws: Aws, queues: tuple[str, str]
) -> None:
    send(aws, queues[0], "no json")
    Worker(etl_settings, threads=1).run(until_empty=True)
    worker = Worker(etl_settings, threads=1)
    working = threading.Thread(target=worker.run)
    back: list[dict[str, str]] = []
    redriving = threading.Thread(target=lambda: back.extend(redrive(aws.sqs, etl_settings)), daemon=True)
    working.start()
    redriving.start()
    redriving.join(20)
    has_ended = not redriving.is_alive()
    worker.stop()
    send(aws, queues[0], {"Event": "s3:TestEvent"})  # ends the wait for messages
    working.join()
    assert has_ended
    assert {message["reason"] for message in back} == {"The message is not JSON."}
    assert waiting(aws, queues[1]) == 1
    assert len(redrive(aws.sqs, etl_settings)) == 1  # it was left as it can be received


@native_only
@server_only
def test_what_fails_for_now_stays_in_the_queue(
    etl_settings: Settings, aws: Aws, bucket: str, queues: tuple[str, str], put: Put, refused_port: int
) -> None:
    put(KEY, [video(1)])
    send(aws, queues[0], notification(bucket, KEY))
    no_clickhouse = etl_settings.model_copy(update={"clickhouse_port": refused_port})
    totals = Worker(no_clickhouse, threads=1).run(until_empty=True)
    assert (totals["messages"], totals["messages_done"]) == (1, 0)
    assert (waiting(aws, queues[0]), waiting(aws, queues[1])) == (1, 0)


@native_only
@server_only
def test_visibility_is_extended_while_a_batch_is_worked_on(
    etl_settings: Settings, aws: Aws, bucket: str, queues: tuple[str, str], put: Put
) -> None:
    put(KEY, [video(1)])
    send(aws, queues[0], notification(bucket, KEY))
    seen_again: list[Any] = []
    with slow_way_to(etl_settings.clickhouse_port, seconds=7) as port:
        slow = etl_settings.model_copy(update={"etl_visibility_seconds": 3, "clickhouse_port": port})
        worker = Worker(slow, threads=1)
        thread = threading.Thread(target=worker.run, kwargs={"until_empty": True})
        thread.start()
        time.sleep(1)
        while thread.is_alive():
            seen_again += aws.sqs.receive_message(QueueUrl=queues[0], WaitTimeSeconds=1).get("Messages", [])
    assert worker.totals["messages_done"] == 1
    assert seen_again == []


def test_a_worker_without_a_queue_says_so() -> None:
    with pytest.raises(SettingsError, match="no queue"):
        Worker(load_settings())


@native_only
@server_only
def test_a_queue_that_is_not_there_ends_who_wants_it_empty(etl_settings: Settings, queues: tuple[str, str]) -> None:
    wrong = etl_settings.model_copy(update={"queue_url": f"{queues[0]}-elsewhere"})
    with pytest.raises(ObjectMissing, match="the queue of XAPI_QUEUE_URL is not there"):
        Worker(wrong).run(until_empty=True)


@native_only
@server_only
def test_stopped_it_finishes_and_returns(etl_settings: Settings, aws: Aws, queues: tuple[str, str]) -> None:
    worker = Worker(etl_settings.model_copy(update={"s3_read_timeout_seconds": 30}), threads=1)
    send(aws, queues[0], {"Event": "s3:TestEvent"})
    worker._on_batch = lambda _: worker.stop()
    assert worker.run()["messages_done"] == 1


@pytest.mark.slow
@native_only
@server_only
def test_a_storm_of_kills_and_redeliveries_loses_nothing_and_counts_nothing_twice(
    etl_settings: Settings, aws: Aws, bucket: str, queues: tuple[str, str], put: Put, tables: Warehouse
) -> None:
    chance = random.Random(7)
    for number in range(60):
        put(f"section/1/video/{number:03}.jsonl", [video(number * 40 + each, section=1) for each in range(50)])
    messages = [notification(bucket, f"section/1/video/{number:03}.jsonl") for number in range(60)] * 3
    chance.shuffle(messages)
    for message in messages:
        send(aws, queues[0], message)
    settings = etl_settings.model_copy(update={"etl_visibility_seconds": 3})
    environment = {**os.environ, **_environment(settings)}
    command = [str(Path(sys.executable).with_name("schoolhouse")), "etl", "worker", "--threads", "2"]
    for _ in range(8):
        with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as process:
            time.sleep(chance.uniform(1.0, 4.0))
            process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 120
    while waiting(aws, queues[0]) and time.monotonic() < until:
        Worker(settings).run(until_empty=True)
    assert waiting(aws, queues[0]) == 0
    assert waiting(aws, queues[1]) == 0
    assert count_events(tables) == 59 * 40 + 50


def _environment(settings: Settings) -> dict[str, str]:
    names = (
        "clickhouse_host clickhouse_port clickhouse_database aws_endpoint_url s3_bucket queue_url failure_queue_url "
        "etl_visibility_seconds"
    )
    return {environment_name(name): str(getattr(settings, name)) for name in names.split()}
