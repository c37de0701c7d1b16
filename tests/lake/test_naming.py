"""Messages in quarantine may be anything; they are erased when they name the learner, and only then."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from schoolhouse.lake import erasure, window
from schoolhouse.lake.clock import Window
from schoolhouse.lake.naming import Naming
from schoolhouse.lake.zones import Lake
from tests.lake.broker import START, Broker


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        ("learner-1", b'{"user_id": "learner-1"}'),
        ("learner-1", b'{"user_id":"learner-1", broken'),
        ("learner-1", b'{"user_id": "learner-1'),  # cut off
        ("learner-1", b'{"event_id": "e", "user_id": "learner-1, "topic": "algebra"}'),
        ("learner-1", b'{"event_id": "e", "user_id": learner-1", "topic": "algebra"}'),
        ("learner-1", b"{user_id: learner-1, correct: true}"),
        ("learner-1", b"learner-1,item-5,true"),
        ("learner-1", b"learner-1 broke this"),
        ("learner-1", b'{"userid": "learner-1"}'),
        ("learner-1", b'{"user_id": null, "who": {"names": ["ann", "learner-1"]}}'),
        ("learner-1", b'["learner-1"]'),
        ("learner-1", b'{"user_id": "bob"}{"user_id": "learner-1'),
        ("learner-1", b'{"user_id": "bob", "user_id": "learner-1"}'),
        ("learner-1", b"\xff\xfe\xfa {'user_id': \"learner-1\"}"),
        ("ann\u00e9", b'{"user_id": "ann\\u00e9", "event_id": 5x'),
        ("ann\u00e9", b'{"user": "ann\\u00E9", "event_id": 5x'),
        ("ann\u00e9", '{"user_id": "ann\u00e9"}'.encode()),
        ("ann\u00e9", '{"user": "ann\u00e9", 5x'.encode()),
        ("\U0001f600", b'{"user": "\\ud83d\\uDE00", 5x'),
        ("a/b\\c", b'{"user": "a\\/b\\\\c", 5x'),
        ("mailto:a@b.org", b'{"user": "mailto:a@b.org", 5x'),
        ("42", b'{"user_id": 42, "timestamp": 7}'),
        ("42", b'{"user_id": 42, "timestamp": 7x'),
    ],
)
def test_a_message_that_names_the_learner_is_found(learner: str, message: bytes) -> None:
    assert Naming(learner).is_in(message)


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        ("learner-1", b'{"user_id": "learner-12"}'),
        ("learner-1", b'{"user_id": "learner-12", broken'),
        ("learner-1", b'{"user_id": "learner-12'),
        ("learner-1", b'{"user": "a-learner-1", broken'),
        ("learner-1", b'{"user": "org:learner-1", broken'),
        ("learner-1", b'{"user": "learner-1:org", broken'),
        ("learner-1", b"learner-12 broke this"),
        ("learner-1", b'{"user_id": "learner-1\\u0032", broken'),
        ("learner-1", b'{"user_id": null, "who": "learner-1 and others"}'),
        ("user", b'{"user": "learner-1", broken'),  # the name of a field
        ("user_id", b'{"user_id": "learner-1", "timestamp": 1}'),
        ("42", b'{"user_id": "bob", "item_id": "42", "time_taken_ms": 42}'),
        ("42", b'{"user_id": "bob", "item_id": "42", "time_taken_ms": 42, broken'),
        ("ann", b'{"user": "ann\\u00e9", 5x'),
        ("ann\u00e9", b""),
        ("ann\u00e9", b"[" * 100_000),
    ],
)
def test_a_message_that_names_somebody_else_or_nobody_is_left_alone(learner: str, message: bytes) -> None:
    assert not Naming(learner).is_in(message)


def test_erasing_removes_the_learner_s_messages_from_quarantine_and_no_others(
    broker: Broker, lake: Lake, rows_of: Callable[[Any, str], pl.DataFrame]
) -> None:
    values = {
        "learner-12": b'{"user_id": "learner-12", broken',
        "learner-1": b'{"user_id": "learner-1", broken',
        "ann\u00e9": b'{"user_id": "ann\\u00e9", "event_id": 5x',
        "bob": json.dumps({"user_id": "bob", "timestamp": 5}).encode(),
    }
    broker.send("user.attempts", [(START, value, 0) for value in values.values()])
    window.run(lake, "user_attempts", Window(START))

    for learner in ("learner-1", "ann\u00e9", "bo"):
        erasure.erase(lake, learner, dry_run=False)

    assert sorted(rows_of("quarantine", "messages")["value"]) == sorted([values["learner-12"], values["bob"]])
