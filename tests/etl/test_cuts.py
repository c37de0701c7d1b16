"""The network fails in the middle of loads: after redelivery the table equals the truth."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from schoolhouse.etl.worker import Worker
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse
from tests.etl.conftest import video
from tests.etl.cutting_relay import FIRST_CUTS, CuttingRelay, cutting
from tests.ministack import Aws

Put = Callable[..., str]
BUNDLES, STATEMENTS = 60, 300  # 200 kB each


@pytest.mark.slow
@pytest.mark.parametrize("handle", ["server"], indirect=True)
def test_s3_and_clickhouse_cut_off_in_mid_transfer_lose_nothing_and_count_nothing_twice(
    etl_settings: Settings, aws: Aws, bucket: str, queues: tuple[str, str], put: Put, tables: Warehouse
) -> None:
    arn = aws.sqs.get_queue_attributes(QueueUrl=queues[0], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
    )
    for bundle in range(BUNDLES):  # neighbours share a third of their statements
        key = f"section/1/video/2024-01-01T12-00-{bundle:02}.000Z_b.jsonl"
        put(key, [video(bundle * 200 + number, section=1) for number in range(STATEMENTS)])
    truth = (BUNDLES - 1) * 200 + STATEMENTS
    generator = random.Random(5)
    s3_port = urlsplit(aws.url).port or 0
    with (
        cutting(CuttingRelay(s3_port, 15, 20_000, 400_000, generator)) as s3,
        cutting(CuttingRelay(etl_settings.clickhouse_port, 15, 1_000, 100_000, generator)) as clickhouse,
    ):
        settings = etl_settings.model_copy(
            update={
                "aws_endpoint_url": f"http://127.0.0.1:{s3.port}",
                "clickhouse_port": clickhouse.port,
                "etl_max_receives": 50,
                "etl_visibility_seconds": 3,
                "s3_max_attempts": 1,
            }
        )
        worker = Worker(settings, threads=2)
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            wait_until_empty(aws, queues[0])
        finally:
            worker.stop()
            thread.join()
    counts = "SELECT count(), uniqExact(event_id), countIf(is_conflict) FROM raw_events FINAL"
    assert tables.ask(counts, why="tests").rows == [(truth, truth, 0)]
    waiting = aws.sqs.receive_message(QueueUrl=queues[1]).get("Messages", [])
    assert waiting == []  # nothing was given up
    assert s3.cuts >= FIRST_CUTS
    assert clickhouse.cuts >= FIRST_CUTS


def wait_until_empty(aws: Aws, queue: str) -> None:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline = time.monotonic() + 300
    while True:
        found = aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        if not any(int(found[name]) for name in names):
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
