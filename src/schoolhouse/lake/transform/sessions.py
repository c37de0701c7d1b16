"""`user.sessions` to `user_sessions`: how long, how many, how well."""

from __future__ import annotations

import polars as pl

from schoolhouse.lake.transform.datasets import DATASETS
from schoolhouse.lake.transform.normalize import each_event_once, one_word, within_type, year_month_day


def transform_sessions(raw: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of `user_sessions` from parsed messages."""
    start, end = pl.col("start_time"), pl.col("end_time")
    minutes = (end - start).dt.total_microseconds() / 60_000_000
    items, right = pl.col("items_attempted"), pl.col("correct_count")
    return (
        each_event_once(raw, "event_id")
        .with_columns(
            duration_minutes=minutes,
            accuracy=pl.when(items != 0).then(right / items),
            items_per_minute=pl.when(minutes != 0).then(items / minutes),
            topics_count=pl.col("topics").list.drop_nulls().list.n_unique().fill_null(0).pipe(within_type, pl.Int16),
            session_type=one_word(pl.col("session_type")),
            start_hour=start.dt.hour(),
            started_at=start,
            ended_at=end,
        )
        .with_columns(year_month_day("start_time"))
        .select(pl.col(name).cast(dtype) for name, dtype in DATASETS["user_sessions"].schema.items())
    )
