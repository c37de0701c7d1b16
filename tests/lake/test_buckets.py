"""The lake in a bucket of S3 and of GCS, spoken to by delta-rs, Polars and obstore.

MiniStack answers conditional puts as S3 does; GCS is a fake of its XML API.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from schoolhouse.errors import LakeUnavailable
from schoolhouse.lake import clickhouse, reports, retention, summary, upkeep, window
from schoolhouse.lake.clock import Window
from schoolhouse.lake.ledger import Ledger
from schoolhouse.lake.zones import Lake, lake_of
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse
from tests.lake.broker import START, Broker, attempts, messages
from tests.lake.gcs import BUCKET, running_gcs
from tests.lake.truth import must_hold
from tests.ministack import Aws

FIRST = Window(START)


@pytest.fixture
def in_s3(aws: Aws, lake_settings: Settings) -> Lake:
    """An empty lake in a bucket of its own."""
    bucket = f"lake-{uuid.uuid4().hex[:12]}"
    aws.s3.create_bucket(Bucket=bucket)
    return lake_of(
        lake_settings.model_copy(update={"lake_provider": "s3", "lake_bucket": bucket, "aws_endpoint_url": aws.url})
    )


@pytest.fixture
def in_gcs(lake_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """An empty lake in the fake's bucket."""
    with running_gcs() as gcs:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
        yield lake_of(lake_settings.model_copy(update={"lake_provider": "gcs", "lake_bucket": BUCKET}))
        assert gcs.objects, "nothing reached the bucket"
        assert all(key.startswith("analytics/") for key in gcs.objects)


@pytest.fixture(params=["in_s3", "in_gcs"])
def lake(request: pytest.FixtureRequest) -> Lake:
    """An empty lake of either provider."""
    found: Lake = request.getfixturevalue(request.param)
    return found


def test_a_bucket_that_is_not_there_is_told_in_its_own_words(aws: Aws, lake_settings: Settings) -> None:
    absent = {"lake_provider": "s3", "lake_bucket": "no-such-lake", "aws_endpoint_url": aws.url}
    with pytest.raises(
        LakeUnavailable, match=r"operations/windows cannot be used: NoSuchBucket: [^<]+\. Check the bucket"
    ):
        Ledger(lake_of(lake_settings.model_copy(update=absent))).rows(START, FIRST.end, "user_attempts")


def test_two_runners_load_a_window_into_a_bucket_once(broker: Broker, lake: Lake) -> None:
    events = attempts(100, START)
    broker.send("user.attempts", messages(events))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: window.run(lake, "user_attempts", FIRST), range(2)))

    must_hold(lake, events)
    assert window.run(lake, "user_attempts", FIRST).did == "already"
    done = Ledger(lake).rows(START, FIRST.end, "user_attempts").filter(kind="done").row(0, named=True)
    assert reports.as_json(lake, done["report"])["rows"] == 100
    held = {(one.zone, one.table): one.rows for one in summary.summary(lake)}
    assert held["raw", "user_attempts"] == held["processed", "user_attempts"] == 100


def test_a_lake_in_a_bucket_is_compacted_and_cleaned_up(broker: Broker, lake: Lake) -> None:
    broker.send("user.attempts", messages(attempts(20, START)))
    window.run(lake, "user_attempts", FIRST)

    assert upkeep.compact(lake)
    would = {(one.zone, one.table): one.rows for one in retention.cleanup(lake, dry_run=True)}
    retention.cleanup(lake, dry_run=False)

    assert would["raw", "user_attempts"] == 20
    held = {(one.zone, one.table): one.rows for one in summary.summary(lake)}
    assert held["raw", "user_attempts"] == 0
    assert held["aggregated", "daily_aggregations"] == 17  # kept for three years


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_clickhouse_reads_the_lake_from_its_bucket(broker: Broker, in_s3: Lake, warehouse: Warehouse) -> None:
    broker.send("user.attempts", messages(attempts(40, START)))
    window.run(in_s3, "user_attempts", FIRST)

    clickhouse.create(warehouse, in_s3)

    assert warehouse.ask("SELECT count() FROM lake_user_attempts", why="tests").value() == 40


def test_encryption_is_asked_for_with_every_object(broker: Broker, in_s3: Lake, aws: Aws) -> None:
    asked = lake_of(
        in_s3.settings.model_copy(update={"lake_server_side_encryption": "aws:kms", "lake_kms_key_id": "our-key"})
    )
    assert asked.options["aws_server_side_encryption"] == "aws:kms"
    broker.send("user.attempts", messages(attempts(5, START)))
    window.run(asked, "user_attempts", FIRST)

    bucket = in_s3.settings.lake_bucket
    keys = [entry["Key"] for entry in aws.s3.list_objects_v2(Bucket=bucket)["Contents"]]
    ciphers = {Path(key).suffix: aws.s3.head_object(Bucket=bucket, Key=key).get("ServerSideEncryption") for key in keys}
    assert ciphers[".parquet"] == "aws:kms"
