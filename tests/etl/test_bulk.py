"""Bulk mode on S3: what is listed, what is skipped, and that a run can be taken up again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schoolhouse.errors import ObjectMissing, PayloadError, StorageError
from schoolhouse.etl.bulk import read_request
from schoolhouse.etl.handler import Handler
from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse.connection import Warehouse
from tests.etl.conftest import count_events, page_view, video
from tests.ministack import Aws

Put = Callable[..., str]
KEYS = {
    "before": "section/123/video/2023-12-31T23-59-59.999Z_a.jsonl",
    "first": "section/123/video/2024-01-01T00-00-00.000Z_b.jsonl",
    "colons": "section/123/page_viewed/2024-06-01T12:00:00.000Z_c.jsonl",
    "last": "section/123/video/2024-12-31T23-59-59.999Z_d.jsonl",
    "after": "section/123/video/2025-01-01T00-00-00.000Z_e.jsonl",
    "other": "section/1234/video/2024-06-01T12-00-00.000Z_f.jsonl",
    "manifest": "section/123/video/2024-06-01T12-00-00.000Z_g.csv",
}


@pytest.fixture
def request_of_the_documents(bucket: str) -> dict[str, Any]:
    """The bulk payload as the documents give it."""
    return {
        "mode": "bulk",
        "section_id": "123",
        "start_date": "2024-01-01",
        "end_date": "2024-12-31",
        "s3_bucket": bucket,
        "s3_prefix": "section/",
        "dry_run": False,
        "force_reprocess": False,
    }


@pytest.fixture
def campus(put: Put) -> None:
    """One bundle of ten statements under each key; the times of the statements differ."""
    for place, (name, key) in enumerate(KEYS.items()):
        make = page_view if name == "colons" else video
        put(key, [make(place * 100 + number, section=1234 if name == "other" else 123) for number in range(10)])


@pytest.mark.usefixtures("campus")
def test_a_section_and_its_dates_are_loaded_and_no_others(
    handler: Handler, request_of_the_documents: dict[str, Any], tables: Warehouse, bucket: str
) -> None:
    answer = handler.handle(request_of_the_documents)
    assert answer["success"] is answer["is_complete"] is True
    assert (answer["processing_mode"], answer["section_id"]) == ("bulk", "123")
    assert (answer["files_found"], answer["files_processed"], answer["files_skipped"]) == (3, 3, 0)
    assert (answer["events_processed"], answer["video_events_processed"]) == (30, 20)
    assert answer["page_viewed_events_processed"] == 10
    files = tables.ask("SELECT DISTINCT source_file FROM raw_events FINAL", why="tests").rows
    assert {file for (file,) in files} == {f"s3://{bucket}/{KEYS[name]}" for name in ("first", "colons", "last")}


@pytest.mark.usefixtures("campus")
def test_what_is_in_is_skipped_by_key_and_etag_and_not_by_section(
    handler: Handler, request_of_the_documents: dict[str, Any], tables: Warehouse, bucket: str, put: Put
) -> None:
    handler.handle({"bucket": bucket, "key": KEYS["first"]})
    assert handler.handle(request_of_the_documents)["files_skipped"] == 1
    put(KEYS["last"], [video(number) for number in range(900, 905)])
    answer = handler.handle(request_of_the_documents)
    assert (answer["files_skipped"], answer["files_processed"], answer["events_new"]) == (2, 1, 5)
    assert count_events(tables) == 35


@pytest.mark.usefixtures("campus")
@pytest.mark.parametrize("reader", ["native"], indirect=True)
def test_forced_it_loads_again_and_counts_nothing_twice(
    handler: Handler, request_of_the_documents: dict[str, Any], tables: Warehouse
) -> None:
    handler.handle(request_of_the_documents)
    answer = handler.handle({**request_of_the_documents, "force_reprocess": True})
    assert (answer["files_processed"], answer["events_processed"], answer["events_new"]) == (3, 30, 0)
    assert count_events(tables) == 30


@pytest.mark.usefixtures("campus")
@pytest.mark.parametrize("reader", ["native"], indirect=True)
def test_a_dry_run_tells_files_bytes_and_statements_and_loads_nothing(
    handler: Handler, request_of_the_documents: dict[str, Any], tables: Warehouse, aws: Aws, bucket: str
) -> None:
    sizes = sum(
        aws.s3.head_object(Bucket=bucket, Key=KEYS[name])["ContentLength"] for name in ("first", "colons", "last")
    )
    answer = handler.handle({**request_of_the_documents, "dry_run": True})
    assert (answer["files_to_load"], answer["bytes_to_load"], answer["files_processed"]) == (3, sizes, 0)
    assert answer["estimated_statements"] == 30
    assert count_events(tables) == 0


@pytest.mark.usefixtures("campus")
@pytest.mark.parametrize("reader", ["native"], indirect=True)
@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_a_run_that_lacked_time_goes_on_when_it_is_sent_again(
    handler: Handler, request_of_the_documents: dict[str, Any], tables: Warehouse
) -> None:
    first = handler.handle(request_of_the_documents, time_left=lambda: 3.0)
    assert (first["is_complete"], first["files_processed"]) == (False, 0)
    assert "again" in first["hint"]
    assert handler.handle(request_of_the_documents)["is_complete"] is True
    assert count_events(tables) == 30


@pytest.mark.slow  # a thousand objects
@pytest.mark.parametrize(("handle", "reader"), [("embedded", "native")], indirect=True)
def test_more_than_one_listing_page_is_loaded_in_few_inserts(
    etl_settings: Settings, put: Put, tables: Warehouse, bucket: str
) -> None:
    for number in range(1005):
        put(f"section/5/video/2024-01-01T00-00-00.{number:06}Z_x.jsonl", [video(number, section=5)])
    with Handler(etl_settings) as handler:
        answer = handler.handle({"section_id": 5})
    assert (answer["files_processed"], answer["events_new"]) == (1005, 1005)
    assert count_events(tables, "source_line = 1") == 1005
    assert tables.ask("SELECT count() FROM loads FINAL", why="tests").value() <= 12
    assert tables.ask("SELECT uniqExact(source_file) FROM raw_events FINAL", why="tests").value() == 1005


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
@pytest.mark.parametrize("reader", ["native"], indirect=True)
def test_a_bucket_that_is_not_there_is_an_error(handler: Handler) -> None:
    with pytest.raises(ObjectMissing, match="no-such-bucket"):
        handler.handle({"mode": "bulk", "s3_bucket": "no-such-bucket"})


def test_a_bucket_that_none_can_be_called_is_not_an_outage(handler: Handler) -> None:
    with pytest.raises(StorageError, match="no such name: s3://a bucket") as caught:
        handler.handle({"mode": "bulk", "s3_bucket": "a bucket"})
    assert not caught.value.is_retryable


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({}, "No bucket"),
        ({"s3_bucket": "b", "section_id": ""}, "section_id"),
        ({"s3_bucket": "b", "section_id": "1/2"}, "section_id"),
        ({"s3_bucket": "b", "section_id": True}, "section_id"),
        ({"s3_bucket": "b", "start_date": "January"}, "start_date is no date: 'January'"),
        ({"s3_bucket": "b", "start_date": "0001-01-01T00:00:00+14:00"}, "start_date is no date"),
        ({"s3_bucket": "b", "end_date": 2024}, "end_date is no text"),
        ({"s3_bucket": "b", "dry_run": "yes"}, "dry_run is true or false"),
        ({"s3_bucket": "b", "start_date": "2024-02-01", "end_date": "2024-01-01"}, "after end_date"),
        ({"s3_bucket": ["b"]}, "s3_bucket is no text"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(payload: dict[str, Any], says: str) -> None:
    with pytest.raises(PayloadError, match=says):
        read_request(payload, load_settings())


def test_a_date_without_a_time_means_the_whole_day() -> None:
    request = read_request({"s3_bucket": "b", "start_date": "2024-01-01", "end_date": "2024-01-01"}, load_settings())
    assert request.since is not None
    assert request.until is not None
    assert (request.until - request.since).total_seconds() == 86_400
    exact = read_request({"s3_bucket": "b", "end_date": "2024-01-01T06:00:00+02:00"}, load_settings())
    assert exact.until is not None
    assert exact.until.isoformat() == "2024-01-01T04:00:00+00:00"


@pytest.mark.parametrize(("handle", "reader"), [("server", "native")], indirect=True)
def test_long_keys_share_an_insert_as_far_as_a_server_takes_their_url(
    handler: Handler, put: Put, bucket: str, tables: Warehouse
) -> None:
    folder = "/".join(["ü" * 50] * 8)  # three times as long in a URL
    for number in range(60):
        put(f"section/1/{folder}/{number:02}.jsonl", [video(number, section=1)])
    answer = handler.handle({"mode": "bulk", "s3_bucket": bucket})
    assert (answer["files_processed"], answer["events_new"]) == (60, 60)
    assert tables.ask("SELECT count() FROM loads FINAL", why="tests").value() == 2
