"""`daily_aggregations`: what each learner did on each day. A day is recomputed whole, from all its rows."""

from __future__ import annotations

import polars as pl

from schoolhouse.lake.transform.datasets import DATASETS

DAY = ("user_id", "year", "month", "day")


def daily(attempts: pl.LazyFrame, sessions: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of `daily_aggregations` from the rows of whole days of `user_attempts` and `user_sessions`, in order.

    A session that was sent again under the same id counts once, with its longest duration.
    """
    tried = attempts.group_by(DAY).agg(
        total_attempts=pl.len(),
        correct_attempts=pl.col("correct").sum(),
        avg_response_time_ms=pl.col("time_taken_ms").mean(),
        unique_items_attempted=pl.col("item_id").drop_nulls().n_unique(),
    )
    met = (
        sessions.group_by(*DAY, "session_id")
        .agg(pl.col("duration_minutes").max())
        .group_by(DAY)
        .agg(total_study_time_minutes=pl.col("duration_minutes").sum(), total_sessions=pl.len())
    )
    counts = ("total_attempts", "correct_attempts", "unique_items_attempted", "total_sessions")
    both = tried.join(met, on=DAY, how="full", coalesce=True, nulls_equal=True)
    return (
        both.with_columns(pl.col(*counts).fill_null(0), pl.col("total_study_time_minutes").fill_null(0.0))
        .with_columns(
            accuracy=pl.when(pl.col("total_attempts") > 0).then(pl.col("correct_attempts") / pl.col("total_attempts"))
        )
        .select(pl.col(name).cast(dtype) for name, dtype in DATASETS["daily_aggregations"].schema.items())
        .sort(DAY)
    )
