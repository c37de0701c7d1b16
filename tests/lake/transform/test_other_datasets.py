"""`user_sessions`, `ml_training` and `daily_aggregations`."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import polars as pl
import pytest

from schoolhouse.errors import UsageError
from schoolhouse.lake import topics
from schoolhouse.lake.topics import Topic
from schoolhouse.lake.topics.topic import UTC_TIME
from schoolhouse.lake.transform import DATASETS, daily, datasets, transform
from tests.lake.messages import attempt, example, raw, session


def sessions(*messages: dict[str, Any]) -> pl.DataFrame:
    return transform("user_sessions", raw("user.sessions", *messages)).collect()


def examples(*messages: dict[str, Any]) -> pl.DataFrame:
    return transform("ml_training", raw("ml.training", *messages)).collect()


def test_a_session_has_its_length_its_pace_and_its_accuracy() -> None:
    frame = sessions(session())
    assert frame.schema == DATASETS["user_sessions"].schema
    found = frame.to_dicts()[0]
    assert (found["duration_minutes"], found["accuracy"]) == (30.0, 0.75)
    assert found["items_per_minute"] == pytest.approx(20 / 30)
    assert (found["topics_count"], found["start_hour"], found["day"]) == (2, 8, 1)


def test_a_session_without_items_or_time_has_no_accuracy_and_no_pace() -> None:
    found = sessions(session(items_attempted=0, correct_count=0, end_time="2025-09-01T08:00:00Z", topics=None)).row(
        0, named=True
    )
    assert (found["accuracy"], found["items_per_minute"], found["topics_count"]) == (None, None, 0)


@pytest.mark.parametrize("written", ["mock_test", "Mock-Test", " MOCK TEST "])
def test_session_types_are_written_alike(written: str) -> None:
    assert sessions(session(session_type=written))["session_type"].item() == "mock_test"


def test_a_session_event_that_came_again_is_there_once() -> None:
    assert sessions(session(0), session(0), session(1)).height == 2


def test_an_example_tells_how_far_the_prediction_was_off() -> None:
    frame = examples(example(0), example(1, label=False, weight=0.5), example(2, prediction=0.0))
    assert frame.schema == DATASETS["ml_training"].schema
    assert frame["squared_error"].to_list() == pytest.approx([0.04, 0.64, 1.0])
    assert frame["log_loss"].to_list() == pytest.approx([-math.log(0.8), -math.log(0.2), -math.log(1e-15)])
    assert frame["weight"].to_list() == [1.0, 0.5, 1.0]


def test_a_day_counts_attempts_items_and_the_sessions_that_began_on_it() -> None:
    attempts = transform(
        "user_attempts",
        raw(
            "user.attempts",
            attempt(0, time_taken_ms=1_000),
            attempt(1, correct=False, time_taken_ms=4_000),
            attempt(2, item_id="item-2", time_taken_ms=4_000),
            attempt(3, timestamp="2025-09-02T00:00:00Z"),
            attempt(4, user_id="learner-2", correct=False),
        ),
    )
    longer = session(2, session_id="session-0", end_time="2025-09-01T08:45:00Z")
    met = sessions(session(0), session(1), longer, session(3, user_id="learner-3"))
    frame = daily(attempts, met.lazy()).collect()
    assert frame.schema == DATASETS["daily_aggregations"].schema
    first = frame.row(0, named=True)
    assert first == {
        "user_id": "learner-1",
        "year": 2025,
        "month": 9,
        "day": 1,
        "total_attempts": 3,
        "correct_attempts": 2,
        "accuracy": pytest.approx(2 / 3),
        "avg_response_time_ms": 3_000.0,
        "total_study_time_minutes": 75.0,
        "unique_items_attempted": 2,
        "total_sessions": 2,
    }
    days = [date(*one) for one in frame.select("year", "month", "day").rows()]
    assert [*zip(frame["user_id"], days, frame["total_attempts"], strict=True)] == [
        ("learner-1", date(2025, 9, 1), 3),
        ("learner-1", date(2025, 9, 2), 1),
        ("learner-2", date(2025, 9, 1), 1),
        ("learner-3", date(2025, 9, 1), 0),
    ]
    assert frame["accuracy"].to_list()[2:] == [0.0, None]


def test_no_rows_make_no_days() -> None:
    nothing = [pl.LazyFrame(schema=DATASETS[name].schema) for name in ("user_attempts", "user_sessions")]
    assert daily(*nothing).collect().schema == DATASETS["daily_aggregations"].schema


def test_a_topic_without_a_transformation_is_stored_as_it_is_each_event_once(monkeypatch: pytest.MonkeyPatch) -> None:
    topic = Topic(
        "page.views",
        "page_views",
        pl.Schema({"id": pl.String(), "at": UTC_TIME, "who": pl.String()}),
        "id",
        "at",
        "who",
    )
    monkeypatch.setitem(topics.TOPICS, topic.name, topic)
    monkeypatch.setitem(DATASETS, topic.dataset, datasets._plain(topic))
    view = {"id": "1", "at": "2025-09-01T08:00:00Z", "who": "learner-1"}
    frame = transform("page_views", raw("page.views", view, view, view | {"id": "2"})).collect()
    assert frame["id"].to_list() == ["1", "2"]
    assert frame.schema == DATASETS["page_views"].schema
    assert frame["month"].to_list() == [9, 9]


@pytest.mark.parametrize("name", ["daily_aggregations", "elsewhere"])
def test_a_dataset_that_no_topic_becomes_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        transform(name, pl.LazyFrame())
