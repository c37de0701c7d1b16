"""Every payload of the documents, and what senders may make of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolhouse.errors import PayloadError
from schoolhouse.etl.payloads import ObjectRef, messages_of, mode_of, sender_of
from tests.etl.conftest import KEY, notification, queue_event

BUCKET = "your-s3-bucket"
DIRECT = {"bucket": BUCKET, "key": KEY}
BULK = {
    "mode": "bulk",
    "section_id": "123",
    "start_date": "2024-01-01",
    "end_date": "2024-12-31",
    "s3_bucket": BUCKET,
    "s3_prefix": "section/",
    "dry_run": False,
    "force_reprocess": False,
}
TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2024-01-01T00:00:00.000Z",
    "Bucket": BUCKET,
    "RequestId": "5582815E1AEA5ADF",
}
BRIDGE = {
    "version": "0",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "detail": {"bucket": {"name": BUCKET}, "object": {"key": KEY, "size": 5, "etag": "e1"}},
}


def envelope(message: Any) -> dict[str, Any]:
    """What SNS puts around a message."""
    return {"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:1:xapi", "Message": json.dumps(message)}


@pytest.mark.parametrize(
    ("payload", "mode"),
    [
        (DIRECT, "event"),
        (notification(BUCKET, KEY), "event"),
        (queue_event(DIRECT), "event"),
        ({"Records": []}, "event"),
        (BRIDGE, "event"),
        (TEST_EVENT, "event"),
        (envelope(DIRECT), "event"),
        ({"mode": "event", **DIRECT}, "event"),
        (BULK, "bulk"),
        ({"mode": "bulk"}, "bulk"),
        ({"section_id": "123", "start_date": "2024-01-01", "end_date": "2024-12-31"}, "bulk"),
        ({"section_id": "123", "force_reprocess": False}, "bulk"),
        ({"start_date": "2024-01-01"}, "bulk"),
        ({"section_id": "123", **DIRECT}, "event"),
        ({"section_id": "123", **notification(BUCKET, KEY)}, "event"),
        ({"mode": "bulk", **DIRECT}, "bulk"),
        ({"health_check": True}, "health_check"),
        ({"health_check": True, "mode": "bulk"}, "health_check"),
        ({"health_check": False, **DIRECT}, "event"),
        ({"diagnostics": True, "s3_check": {"bucket": BUCKET}}, "diagnostics"),
    ],
)
def test_the_mode_is_detected_as_the_documents_say(payload: dict[str, Any], mode: str) -> None:
    assert mode_of(payload) == mode


@pytest.mark.parametrize(
    "payload", [{}, [], "text", None, 7, {"health_check": False}, {"bucket": BUCKET}, {"mode": "other"}, {"a": 1}]
)
def test_what_no_mode_understands_is_refused(payload: Any) -> None:
    with pytest.raises(PayloadError):
        mode_of(payload)


@pytest.mark.parametrize(
    "content",
    [
        DIRECT,
        notification(BUCKET, KEY),
        envelope(DIRECT),
        envelope(notification(BUCKET, KEY)),
        BRIDGE,
        envelope(BRIDGE),
        {"Records": [{"EventSource": "aws:sns", "Sns": envelope(notification(BUCKET, KEY))}]},
    ],
    ids=["direct", "s3", "sns direct", "sns s3", "bridge", "sns bridge", "sns to lambda"],
)
def test_the_object_is_found_however_it_is_wrapped(content: dict[str, Any]) -> None:
    for payload in (content, queue_event(content), queue_event(envelope(content))):
        (message,) = messages_of(payload)
        assert [(ref.bucket, ref.key) for ref in message.objects] == [(BUCKET, KEY)]
        assert message.problem == ""


@pytest.mark.parametrize(
    ("payload", "sender"),
    [
        (queue_event(DIRECT), "sqs"),
        (notification(BUCKET, KEY), "notification"),
        (BRIDGE, "notification"),
        (envelope(DIRECT), "notification"),
        (DIRECT, "direct"),
        (TEST_EVENT, "direct"),
        ({"Records": []}, "notification"),
    ],
)
def test_the_sender_is_known(payload: dict[str, Any], sender: str) -> None:
    assert sender_of(payload) == sender


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("section/1/v/a+b.jsonl", "section/1/v/a b.jsonl"),
        ("section/1/v/a%2Bb.jsonl", "section/1/v/a+b.jsonl"),
        ("section/1/v/2024-01-01T12%3A00%3A00Z_x.jsonl", "section/1/v/2024-01-01T12:00:00Z_x.jsonl"),
        ("section/1/v/%C3%BC%25.jsonl", "section/1/v/ü%.jsonl"),
        ("section/1/v/x%2Ejsonl", "section/1/v/x.jsonl"),
    ],
)
def test_keys_of_notifications_are_url_decoded(written: str, key: str) -> None:
    (message,) = messages_of(queue_event(notification(BUCKET, written)))
    assert [ref.key for ref in message.objects] == [key]


def test_keys_of_eventbridge_and_of_people_are_taken_as_they_are() -> None:
    key = "section/1/v/a+b%20c.jsonl"
    bridge = {**BRIDGE, "detail": {"bucket": {"name": BUCKET}, "object": {"key": key}}}
    for payload in ({"bucket": BUCKET, "key": key}, bridge):
        assert [ref.key for ref in messages_of(payload)[0].objects] == [key]


def test_what_the_event_tells_of_the_object_is_kept() -> None:
    (message,) = messages_of(notification(BUCKET, KEY, eTag="abc", size=1024, sequencer="0055"))
    assert message.objects == (ObjectRef(BUCKET, KEY, "abc", 1024),)
    assert message.objects[0].uri == f"s3://{BUCKET}/{KEY}"


def test_a_test_event_is_a_message_without_objects() -> None:
    for payload in (TEST_EVENT, queue_event(TEST_EVENT), queue_event(envelope(TEST_EVENT))):
        (message,) = messages_of(payload)
        assert (message.objects, message.problem, message.skipped) == ((), "", 0)


@pytest.mark.parametrize("key", ["section/1/v/x.json", "section/1/v/", "x.jsonl.tmp", "manifest.csv", "x.JSONL"])
def test_other_suffixes_are_skipped(key: str) -> None:
    (message,) = messages_of(queue_event(notification(BUCKET, key, KEY)))
    assert ([ref.key for ref in message.objects], message.skipped) == ([KEY], 1)


def test_deletions_are_skipped() -> None:
    gone = notification(BUCKET, KEY)
    gone["Records"][0]["eventName"] = "ObjectRemoved:Delete"
    for payload in (gone, {**BRIDGE, "detail-type": "Object Deleted"}):
        (message,) = messages_of(payload)
        assert (message.objects, message.skipped) == ((), 1)


def test_several_objects_of_a_message_are_taken_and_one_named_twice_is_taken_once() -> None:
    (message,) = messages_of(notification(BUCKET, "a/b/c/1.jsonl", "a/b/c/2.jsonl", "a/b/c/1.jsonl"))
    assert [ref.key for ref in message.objects] == ["a/b/c/1.jsonl", "a/b/c/2.jsonl"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (r'{"bucket": "b", "key": "section/1/v/\ud800.jsonl"}', "no Unicode"),
        (r'{"bucket": "\udfff", "key": "x.jsonl"}', "no Unicode"),
        (r'{"bucket": "b", "key": "x.jsonl", "etag": "\ud800"}', "no Unicode"),
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("null", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{}", "names no object"),
        ({"Records": [{}]}, "names no object"),
        ({"Records": ["x"]}, "not an object"),
        ({"Records": [{"s3": {}}]}, "lacks its bucket or object"),
        ({"Records": [{"s3": {"bucket": {"name": ""}, "object": {"key": "k"}}}]}, "missing or is no text"),
        ({"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": 5}}}]}, "missing or is no text"),
        ({"bucket": "b", "key": None}, "missing or is no text"),
        ({"detail": {}}, "lacks its bucket or object"),
        (envelope(envelope(envelope(envelope(envelope(DIRECT))))), "too deeply"),
        ({"Message": "plain words"}, "not JSON"),
    ],
)
def test_a_malformed_message_is_a_problem_of_its_own(body: Any, problem: str) -> None:
    bad, good = messages_of(queue_event(body, DIRECT))
    assert problem in bad.problem
    assert bad.body == (body if isinstance(body, str) else json.dumps(body))
    assert (good.problem, len(good.objects)) == ("", 1)


@pytest.mark.parametrize(("count", "receives"), [("3", 3), (None, 1), ("x", 1), (7, 1)])
def test_the_number_of_deliveries_is_read(count: Any, receives: int) -> None:
    payload = queue_event(DIRECT)
    payload["Records"][0]["attributes"]["ApproximateReceiveCount"] = count
    assert messages_of(payload)[0].receives == receives


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Records", "s3", "Sns", "body", "bucket", "key", "object", "name", "detail", "Message", "Event"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_no_message_can_break_its_batch(body: Any) -> None:
    first, second = messages_of(queue_event(body, DIRECT))
    assert first.problem or all(ref.key.endswith(".jsonl") for ref in first.objects)
    assert len(second.objects) == 1
