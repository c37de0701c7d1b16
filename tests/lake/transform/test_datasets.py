"""The datasets keep the columns that their readers know."""

from __future__ import annotations

import polars as pl
import pytest

from schoolhouse.errors import UsageError
from schoolhouse.lake.transform import DATASETS, dataset_of

PUBLISHED = {
    "user_attempts": {
        "user_id": str,
        "item_id": str,
        "session_id": str,
        "correct": bool,
        "time_taken_ms": int,
        "quality": int,
        "response_time_seconds": float,
        "response_time_category": str,
        "hour_of_day": int,
        "day_of_week": int,
        "is_weekend": bool,
        "sm2_easiness_factor_before": float,
        "sm2_interval_before": int,
        "bkt_prob_knowledge_before": float,
        "year": int,
        "month": int,
        "day": int,
    },
    "user_sessions": {
        "session_id": str,
        "user_id": str,
        "duration_minutes": float,
        "items_attempted": int,
        "correct_count": int,
        "accuracy": float,
        "items_per_minute": float,
        "topics_count": int,
        "session_type": str,
        "start_hour": int,
        "year": int,
        "month": int,
        "day": int,
    },
    "daily_aggregations": {
        "user_id": str,
        "year": int,
        "month": int,
        "day": int,
        "total_attempts": int,
        "correct_attempts": int,
        "accuracy": float,
        "avg_response_time_ms": float,
        "total_study_time_minutes": float,
        "unique_items_attempted": int,
        "total_sessions": int,
    },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_columns_are_there_with_their_types_in_their_order(name: str) -> None:
    schema = dataset_of(name).schema
    assert {column: schema[column].to_python() for column in PUBLISHED[name]} == PUBLISHED[name]
    assert [column for column in schema if column in PUBLISHED[name]] == list(PUBLISHED[name])


@pytest.mark.parametrize("name", DATASETS)
def test_keys_times_and_the_partition_columns_are_columns_that_are_never_null(name: str) -> None:
    dataset = dataset_of(name)
    required = {column.name for column in dataset.columns if column.required}
    assert {*dataset.key, "year", "month", "day"} <= required
    assert dataset.event_time in {"", *required}
    assert dataset.schema["month"] == pl.Int8


def test_a_dataset_that_is_not_there_is_said_to_be_so() -> None:
    with pytest.raises(UsageError, match="no dataset 'attempts'"):
        dataset_of("attempts")
