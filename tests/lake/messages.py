"""Messages of the lake's topics, as a platform would send them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from schoolhouse.lake.topics import TOPICS
from schoolhouse.lake.transform import parse

MONDAY = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)


def attempt(number: int = 0, **more: Any) -> dict[str, Any]:
    """An attempt; each number is another event, a minute after the one before."""
    plain = {
        "event_id": f"event-{number}",
        "user_id": "learner-1",
        "item_id": "item-1",
        "session_id": "session-1",
        "timestamp": (MONDAY + timedelta(minutes=number)).isoformat(),
        "topic": "algebra",
        "correct": True,
        "time_taken_ms": 8_000,
    }
    return plain | more


def session(number: int = 0, **more: Any) -> dict[str, Any]:
    """A session of half an hour with 20 answers, 15 of them right."""
    plain = {
        "event_id": f"session-event-{number}",
        "session_id": f"session-{number}",
        "user_id": "learner-1",
        "session_type": "practice",
        "start_time": "2025-09-01T08:00:00Z",
        "end_time": "2025-09-01T08:30:00Z",
        "items_attempted": 20,
        "correct_count": 15,
        "topics": ["algebra", "geometry", "algebra"],
    }
    return plain | more


def example(number: int = 0, **more: Any) -> dict[str, Any]:
    """A training example that gave 0.8 to a right answer."""
    plain = {
        "event_id": f"example-{number}",
        "timestamp": "2025-09-01T09:00:00Z",
        "user_id": "learner-1",
        "item_id": "item-1",
        "topic": "algebra",
        "attempt_event_id": "event-0",
        "model_name": "bkt",
        "model_version": "1",
        "split": "train",
        "feature_names": ["prior", "attempts"],
        "feature_values": [0.4, 3],
        "prediction": 0.8,
        "label": True,
    }
    return plain | more


def raw(topic: str, *messages: dict[str, Any]) -> pl.LazyFrame:
    """The messages as the extraction hands them on: parsed, with their place in Kafka."""
    frame, poison = parse(TOPICS[topic], [json.dumps(message).encode() for message in messages])
    assert poison == []
    return frame.with_columns(
        kafka_partition=pl.lit(0, pl.Int32),
        kafka_offset=pl.int_range(pl.len(), dtype=pl.Int64),
        kafka_timestamp=pl.lit(MONDAY).dt.cast_time_unit("us"),
    ).lazy()
