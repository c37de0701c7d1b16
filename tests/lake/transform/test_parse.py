"""Messages to typed rows; what is no message is named, and spoils no other."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schoolhouse.lake.topics import TOPICS
from schoolhouse.lake.transform import parse
from tests.lake.messages import attempt, example, session

ATTEMPTS = TOPICS["user.attempts"]


def encoded(**more: object) -> bytes:
    return json.dumps(attempt(**more)).encode()


def test_good_messages_become_rows_of_the_topics_schema_in_order() -> None:
    frame, poison = parse(ATTEMPTS, [encoded(number=number) for number in range(5)])
    assert poison == []
    assert frame.schema == ATTEMPTS.schema
    assert frame["event_id"].to_list() == [f"event-{number}" for number in range(5)]
    assert frame["timestamp"][1] == datetime(2025, 9, 1, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize(("topic", "message"), [("user.sessions", session()), ("ml.training", example())])
def test_the_other_topics_read_their_messages_too(topic: str, message: dict[str, object]) -> None:
    frame, poison = parse(TOPICS[topic], [json.dumps(message).encode()])
    assert poison == []
    assert frame.schema == TOPICS[topic].schema
    assert frame.null_count().row(0) == tuple(int(name not in message) for name in TOPICS[topic].schema)


def test_no_messages_are_no_rows() -> None:
    frame, poison = parse(ATTEMPTS, [])
    assert (frame.height, frame.schema, poison) == (0, ATTEMPTS.schema, [])


def test_only_poison_leaves_an_empty_frame_of_the_right_schema() -> None:
    frame, poison = parse(ATTEMPTS, [b"{", b"}"])
    assert (frame.height, frame.schema) == (0, ATTEMPTS.schema)
    assert [place for place, _ in poison] == [0, 1]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "not JSON"),
        (b"plain text", "not JSON"),
        (b'{"event_id": "\xff"}', "not JSON"),
        (b"{}{}", "not JSON"),
        (b'{"other": ' + b"[" * 50_000, "not JSON"),
        (b"5", "wrong type: Expected `object`, got `int`"),
        (b"null", "wrong type: Expected `object`, got `null`"),
        (b'{"time_taken_ms": "7"}', "wrong type: Expected `int | null`, got `str` - at `$.time_taken_ms`"),
        (b'{"correct": 1}', "wrong type: Expected `bool | null`, got `int` - at `$.correct`"),
        (b'{"quality": 99999999999}', "wrong value: expected `int32` - at `$.quality`"),
        (b'{"irt_ability_before": 1e999}', "wrong type: Number out of range - at `$.irt_ability_before`"),
        (encoded(timestamp="yesterday"), "wrong value: expected a time - at `$.timestamp`"),
        (encoded(timestamp=None), "missing `timestamp`"),
        (encoded(event_id=None), "missing `event_id`"),
        (encoded(user_id=""), "missing `user_id`"),
    ],
)
def test_a_poison_message_is_named_with_its_place_and_reason(value: bytes | None, reason: str) -> None:
    frame, poison = parse(ATTEMPTS, [encoded(number=0), value, encoded(number=1)])
    assert poison == [(1, reason)]
    assert frame["event_id"].to_list() == ["event-0", "event-1"]


def test_a_reason_never_tells_a_value() -> None:
    secret = "Ada-Lovelace"
    values = [encoded(timestamp=secret), encoded(quality=secret), encoded(user_id="", item_id=secret), secret.encode()]
    _, poison = parse(ATTEMPTS, [*values, json.dumps({"quality": 10**12, "user_id": secret}).encode()])
    assert len(poison) == 5
    assert not [reason for _, reason in poison if secret in reason]


def test_a_message_of_many_lines_is_one_message() -> None:
    pretty = json.dumps(attempt(1), indent=2).encode()
    frame, poison = parse(ATTEMPTS, [b"", pretty, encoded(number=2)])
    assert poison == [(0, "empty")]
    assert frame["event_id"].to_list() == ["event-1", "event-2"]


def test_fields_that_we_do_not_know_are_passed_over_and_absent_ones_are_null() -> None:
    frame, poison = parse(ATTEMPTS, [encoded(browser={"name": "x"}, quality=None)])
    assert poison == []
    assert frame["quality"].to_list() == [None]


@pytest.mark.parametrize(
    "text",
    ["2025-09-01T08:00:00Z", "2025-09-01T10:00:00+02:00", "2025-09-01T08:00:00", "2025-09-01 08:00:00.000+00:00"],
)
def test_times_are_utc_however_they_are_written(text: str) -> None:
    frame, _ = parse(ATTEMPTS, [encoded(timestamp=text), encoded(number=1)])
    assert frame["timestamp"][0] == datetime(2025, 9, 1, 8, tzinfo=UTC)


def test_a_field_that_changed_its_type_for_good_is_poison_message_by_message() -> None:
    values = [
        encoded(number=number, time_taken_ms=str(number) if number >= 3_000 else number) for number in range(6_000)
    ]
    frame, poison = parse(ATTEMPTS, values)
    assert [place for place, _ in poison] == list(range(3_000, 6_000))
    assert frame["time_taken_ms"].to_list() == list(range(3_000))


GOOD = st.integers(0, 99).map(lambda number: encoded(number=number))
ANY = st.one_of(
    GOOD,
    st.binary(max_size=30),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one), max_leaves=5).map(
        lambda value: json.dumps(value).encode()
    ),
    st.dictionaries(st.sampled_from(list(ATTEMPTS.schema)), st.integers() | st.text() | st.booleans(), max_size=4).map(
        lambda value: json.dumps(value).encode()
    ),
)


@settings(max_examples=60)
@given(st.lists(ANY, max_size=12))
def test_whatever_arrives_every_message_is_a_row_or_is_poison(values: list[bytes]) -> None:
    frame, poison = parse(ATTEMPTS, values)
    bad = {place for place, _ in poison}
    assert frame.height + len(bad) == len(values)
    assert len(bad) == len(poison)
    good = [value for place, value in enumerate(values) if place not in bad]
    alone = [parse(ATTEMPTS, [value])[0]["event_id"].to_list() for value in good]
    assert frame["event_id"].to_list() == [one for (one,) in alone]
