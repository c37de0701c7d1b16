"""Event mode on S3, SQS and both handles of the warehouse, payload by payload as the documents give them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from schoolhouse.errors import LoadUnfinished
from schoolhouse.etl.handler import Handler
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse
from tests.etl.conftest import KEY, count_events, jsonl, notification, page_view, queue_event, video
from tests.ministack import Aws

Put = Callable[..., str]
# what happens to messages does not depend on who reads S3, or where ClickHouse is
one_way = pytest.mark.parametrize(("handle", "reader"), [("server", "native")], indirect=True)


def dead_letters(aws: Aws, url: str) -> list[dict[str, Any]]:
    answer = aws.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
    )
    return list(answer.get("Messages", []))


def test_bucket_and_key_are_loaded_and_answered_with_the_documents_counts(
    handler: Handler, put: Put, bucket: str, tables: Warehouse, reader: str
) -> None:
    etag = put(KEY, [*(video(number) for number in range(5)), *(page_view(number) for number in range(3))])
    answer = handler.handle({"bucket": bucket, "key": KEY})
    assert answer["success"] is True
    assert answer["processing_mode"] == "event"
    assert answer["section_id"] == "123"
    assert answer["events_processed"] == answer["events_new"] == 8
    assert answer["video_events_processed"] == 5
    assert answer["page_viewed_events_processed"] == 3
    assert answer["part_attempt_events_processed"] == 0
    rows = tables.ask(
        "SELECT source_file, source_etag, groupArraySorted(9)(source_line) FROM raw_events FINAL GROUP BY 1, 2",
        why="tests",
    ).rows
    assert rows == [(f"s3://{bucket}/{KEY}", etag, [1, 2, 3, 4, 5, 6, 7, 8])]
    loads = tables.ask("SELECT source, etag, route, accepted, error FROM loads FINAL", why="tests").rows
    assert loads == [(f"s3://{bucket}/{KEY}", etag, {"native": "s3", "parquet": "parquet"}[reader], 8, "")]


def test_an_s3_notification_is_loaded(handler: Handler, put: Put, bucket: str, tables: Warehouse) -> None:
    put(KEY, [video(1)])
    assert handler.handle(notification(bucket, KEY))["events_processed"] == 1
    assert count_events(tables) == 1


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
@pytest.mark.parametrize(
    "key",
    [
        "section/1/video/2024-01-01T12:00:00.000Z_a.jsonl",
        "section/1/video/a b+c.jsonl",
        "section/1/video/ü%41.jsonl",
        "section/1/video/a#b&c=d.jsonl",
        "section/1/video/a*b.jsonl",
        "section/1/video/{a,b}?.jsonl",
        "section/1//video/a.jsonl",
        "/section/1/video/first.jsonl",
        "section/1/./video/a.jsonl",
    ],
)
def test_any_key_is_loaded_and_no_other(handler: Handler, put: Put, bucket: str, tables: Warehouse, key: str) -> None:
    put(key, [video(1)])
    put("section/1/video/axb.jsonl", [video(2)])
    put("section/1/video/a.jsonl", [video(3)])
    answer = handler.handle({"bucket": bucket, "key": key})
    assert answer["success"], answer["errors"]
    assert tables.ask("SELECT source_file FROM raw_events FINAL", why="tests").rows == [(f"s3://{bucket}/{key}",)]


def test_a_bad_line_fails_nobody(handler: Handler, put: Put, bucket: str, tables: Warehouse) -> None:
    put(KEY, jsonl([video(1)]) + b'\nnot json\n\n[]\n{"actor": 1}\n' + jsonl([video(2)]))
    answer = handler.handle({"bucket": bucket, "key": KEY})
    assert answer["success"] is True
    assert (answer["events_processed"], answer["events_rejected"]) == (2, 3)
    assert answer["rejected_by_reason"] == {"missing_actor": 1, "not_json": 1, "not_object": 1}
    rows = tables.ask("SELECT source_line, code FROM rejected_statements FINAL ORDER BY 1", why="tests").rows
    assert rows == [(2, "not_json"), (4, "not_object"), (5, "missing_actor")]


def test_an_empty_object_is_done(handler: Handler, put: Put, bucket: str) -> None:
    put(KEY, b"")
    answer = handler.handle(queue_event({"bucket": bucket, "key": KEY}))
    assert (answer["success"], answer["events_processed"], answer["batchItemFailures"]) == (True, 0, [])


def test_a_bad_object_fails_no_batch(
    handler: Handler, put: Put, bucket: str, tables: Warehouse, aws: Aws, queues: tuple[str, str]
) -> None:
    put("section/1/video/a.jsonl", [video(1)])
    put("section/2/video/b.jsonl", [video(2, section=2)])
    answer = handler.handle(
        queue_event(
            {"bucket": bucket, "key": "section/1/video/a.jsonl"},
            {"bucket": bucket, "key": "section/1/video/gone.jsonl"},
            notification(bucket, "section/2/video/b.jsonl"),
        )
    )
    assert count_events(tables) == 2
    assert answer["batchItemFailures"] == []
    assert (answer["success"], answer["messages_dead"], answer["files_failed"]) == (False, 1, 1)
    (letter,) = dead_letters(aws, queues[1])
    assert json.loads(letter["Body"]) == {"bucket": bucket, "key": "section/1/video/gone.jsonl"}
    reasons = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert reasons["OriginalMessageId"] == "m1"
    assert reasons["FailureReason"] == f"s3://{bucket}/section/1/video/gone.jsonl is not there."


@one_way
def test_a_malformed_message_goes_to_the_dead_letter_queue_and_is_done(
    handler: Handler, aws: Aws, queues: tuple[str, str]
) -> None:
    answer = handler.handle(queue_event("no json", {"some": "thing"}))
    assert answer["batchItemFailures"] == []
    assert [error["code"] for error in answer["errors"]] == ["payload", "payload"]
    letters = {
        letter["Body"]: letter["MessageAttributes"]["FailureReason"]["StringValue"]
        for letter in dead_letters(aws, queues[1])
    }
    assert letters == {"no json": "The message is not JSON.", '{"some": "thing"}': "The message names no object."}


@one_way
def test_without_a_dead_letter_queue_the_message_stays_in_its_queue(
    etl_settings: Settings,
) -> None:
    with Handler(etl_settings.model_copy(update={"failure_queue_url": ""})) as handler:
        assert handler.handle(queue_event("no json"))["batchItemFailures"] == [{"itemIdentifier": "m0"}]


@one_way
def test_a_dead_letter_queue_that_is_away_keeps_the_message_in_its_queue(etl_settings: Settings, aws: Aws) -> None:
    gone = f"{aws.url}/000000000000/no-such-queue"
    with Handler(etl_settings.model_copy(update={"failure_queue_url": gone})) as handler:
        assert handler.handle(queue_event("no json"))["batchItemFailures"] == [{"itemIdentifier": "m0"}]


def test_s3_away_means_again_and_on_the_last_delivery_dead_with_the_reason(
    etl_settings: Settings, bucket: str, aws: Aws, queues: tuple[str, str], refused_port: int
) -> None:
    cut_off = {"aws_endpoint_url": f"http://127.0.0.1:{refused_port}", "s3_max_attempts": 1}
    message = notification(bucket, KEY, eTag="abc", size=10)
    with Handler(etl_settings.model_copy(update=cut_off)) as handler:
        assert handler.handle(queue_event(message))["batchItemFailures"] == [{"itemIdentifier": "m0"}]
        # the dead-letter queue is cut off as well, so even the last delivery loses nothing
        answer = handler.handle(queue_event(message, receives=5))
        assert answer["batchItemFailures"] == [{"itemIdentifier": "m0"}]
    assert dead_letters(aws, queues[1]) == []


@one_way
def test_what_fails_for_a_passing_reason_is_dead_after_the_last_delivery(
    etl_settings: Settings, put: Put, bucket: str, aws: Aws, queues: tuple[str, str]
) -> None:
    put(KEY, [video(1)])
    broken = etl_settings.model_copy(update={"clickhouse_database": "no_such_database"})
    with Handler(broken) as handler:
        message = {"bucket": bucket, "key": KEY}
        assert handler.handle(queue_event(message, receives=4))["batchItemFailures"] == [{"itemIdentifier": "m0"}]
        assert dead_letters(aws, queues[1]) == []
        assert handler.handle(queue_event(message, receives=5))["batchItemFailures"] == []
    (letter,) = dead_letters(aws, queues[1])
    assert "no_such_database" in letter["MessageAttributes"]["FailureReason"]["StringValue"]


@one_way
def test_a_notification_that_fails_is_raised_so_that_it_comes_again(
    etl_settings: Settings, put: Put, bucket: str, tables: Warehouse, refused_port: int
) -> None:
    put(KEY, [video(1)])
    cut_off = {"aws_endpoint_url": f"http://127.0.0.1:{refused_port}", "s3_max_attempts": 1}
    with Handler(etl_settings.model_copy(update=cut_off)) as handler, pytest.raises(LoadUnfinished):
        handler.handle(notification(bucket, KEY))
    assert count_events(tables) == 0


@one_way
def test_bucket_and_key_that_fail_are_answered_without_success(handler: Handler, bucket: str) -> None:
    answer = handler.handle({"bucket": bucket, "key": "section/9/video/gone.jsonl"})
    assert (answer["success"], answer["files_failed"], answer["section_id"]) == (False, 1, "9")
    assert [error["code"] for error in answer["errors"]] == ["object_missing"]


@one_way
def test_without_time_left_nothing_is_begun(handler: Handler, put: Put, bucket: str, tables: Warehouse) -> None:
    put(KEY, [video(1)])
    answer = handler.handle(queue_event({"bucket": bucket, "key": KEY}), time_left=lambda: 14.9)
    assert answer["batchItemFailures"] == [{"itemIdentifier": "m0"}]
    assert count_events(tables) == 0


@one_way
def test_an_object_over_the_limit_is_dead_with_its_size(
    etl_settings: Settings, put: Put, bucket: str, aws: Aws, queues: tuple[str, str]
) -> None:
    put(KEY, [video(1)])
    with Handler(etl_settings.model_copy(update={"max_s3_object_bytes": 20})) as handler:
        handler.handle(queue_event({"bucket": bucket, "key": KEY}))
    (letter,) = dead_letters(aws, queues[1])
    assert "20 are allowed" in letter["MessageAttributes"]["FailureReason"]["StringValue"]


def test_an_object_that_changes_is_loaded_again_and_adds_what_is_new(
    handler: Handler, put: Put, bucket: str, tables: Warehouse
) -> None:
    put(KEY, [video(1)])
    handler.handle({"bucket": bucket, "key": KEY})
    put(KEY, [video(1), video(2)])
    answer = handler.handle({"bucket": bucket, "key": KEY})
    assert (answer["events_new"], answer["events_duplicate"]) == (1, 1)
    assert count_events(tables) == 2


def test_every_message_three_times_in_any_order_counts_once(
    handler: Handler, put: Put, bucket: str, tables: Warehouse
) -> None:
    keys = [
        f"section/{section}/video/2024-01-0{section}T12-00-00Z_{part}.jsonl" for section in (1, 2) for part in "abc"
    ]
    for place, key in enumerate(keys):  # neighbours overlap
        put(key, [video(number, section=place // 3 + 1) for number in range(place * 10, place * 10 + 15)])
    messages = [notification(bucket, key) for key in keys] * 3
    random.Random(4).shuffle(messages)
    for start in range(0, len(messages), 6):
        assert handler.handle(queue_event(*messages[start : start + 6]))["batchItemFailures"] == []
    assert count_events(tables, "section_id = 1") == count_events(tables, "section_id = 2") == 35


@pytest.mark.parametrize("handle", ["server"], indirect=True)
def test_a_large_object_is_loaded_in_bounded_inserts_with_its_line_numbers(
    etl_settings: Settings, put: Put, bucket: str, tables: Warehouse
) -> None:
    put(KEY, [video(number) for number in range(2500)])
    with Handler(etl_settings.model_copy(update={"max_rows_per_insert": 400})) as handler:
        answer = handler.handle({"bucket": bucket, "key": KEY})
    assert answer["events_new"] == 2500
    rows = tables.ask(
        "SELECT count(), min(source_line), max(source_line), uniqExact(source_line) FROM raw_events FINAL", why="tests"
    ).rows
    assert rows == [(2500, 1, 2500, 2500)]


@pytest.mark.parametrize("handle", ["server"], indirect=True)
@pytest.mark.parametrize("reader", ["native"], indirect=True)
def test_a_named_collection_gives_clickhouse_its_credentials_and_they_stay_out_of_sight(
    etl_settings: Settings, put: Put, bucket: str, tables: Warehouse
) -> None:
    tables.run(
        "CREATE NAMED COLLECTION etl_test AS access_key_id = 'collected', secret_access_key = 'hidden-secret'",
        why="tests",
    )
    put(KEY, [video(1)])
    try:
        with Handler(etl_settings.model_copy(update={"clickhouse_s3_collection": "etl_test"})) as handler:
            assert handler.handle({"bucket": bucket, "key": KEY})["events_new"] == 1
            gone = handler.handle({"bucket": bucket, "key": "section/1/video/gone.jsonl"})
    finally:
        tables.run("DROP NAMED COLLECTION etl_test", why="tests")
    assert "hidden-secret" not in json.dumps(gone)
