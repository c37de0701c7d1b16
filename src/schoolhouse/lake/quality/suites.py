"""The suite of each dataset: what follows from its columns, and its business rules.

A check of a whole dataset stands in `_RULES`; to add one, add a line there and one in `docs/lake-quality.md`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import reduce

import polars as pl

from schoolhouse.lake.quality.checks import Check, Level, between, in_set, not_null, rule
from schoolhouse.lake.topics import topic_of
from schoolhouse.lake.transform.attempts import NO_TOPIC
from schoolhouse.lake.transform.datasets import (
    RESPONSE_TIME_BOUNDS_SECONDS,
    RESPONSE_TIME_CATEGORIES,
    Column,
    Dataset,
)

FEW = 0.001  # of rows that may lack a required value or leave a range before the level of the check counts
MANY = 0.5  # of rows that may lack an optional value
LATE = timedelta(hours=24)  # how old an event may be at the beginning of its window
AHEAD = timedelta(minutes=5)  # how far a platform's clock may be ahead
_CLOSE = 1e-6

_col = pl.col


def _close(left: pl.Expr, right: pl.Expr, share: float = _CLOSE) -> pl.Expr:
    return (left - right).abs() <= share * (1 + right.abs())


def _category() -> pl.Expr:
    seconds = _col("response_time_seconds")
    number = reduce(
        lambda total, bound: total + (seconds >= bound).cast(pl.Int8), RESPONSE_TIME_BOUNDS_SECONDS, pl.lit(0, pl.Int8)
    )
    named = _col("response_time_category").replace_strict(
        RESPONSE_TIME_CATEGORIES, range(len(RESPONSE_TIME_CATEGORIES)), default=None, return_dtype=pl.Int8
    )
    return named == number


_RULES: dict[str, tuple[Check, ...]] = {
    "user_attempts": (
        rule(
            "seconds are milliseconds / 1000",
            "response_time_seconds = time_taken_ms / 1000.",
            "accuracy",
            _close(_col("response_time_seconds"), _col("time_taken_ms") / 1000),
        ),
        rule(
            "the grade fits the answer",
            "A right answer is graded 3 or better, a wrong one worse.",
            "accuracy",
            (_col("quality") >= 3) == _col("correct"),
            level="warning",
        ),
        rule(
            "knowledge follows the answer",
            "After a right answer bkt_prob_knowledge is not lower than before.",
            "accuracy",
            ~_col("correct") | (_col("bkt_prob_knowledge_after") >= _col("bkt_prob_knowledge_before") - 1e-3),
            level="warning",
        ),
        rule("the category fits the time", "response_time_category is that of the time.", "consistency", _category()),
        rule(
            "the weekend is Saturday and Sunday",
            "is_weekend where day_of_week is 5 or 6.",
            "consistency",
            _col("is_weekend") == (_col("day_of_week") >= 5),
        ),
        rule(
            "a failed repetition starts again",
            "After a grade under 3 the computed interval is one day.",
            "consistency",
            (_col("quality") >= 3) | (_col("state_source") != "computed") | (_col("sm2_interval_after") == 1),
        ),
        rule("the topic is given", "topic is not unknown.", "completeness", _col("topic") != NO_TOPIC, level="warning"),
    ),
    "user_sessions": (
        rule(
            "accuracy is right / attempted",
            "accuracy = correct_count / items_attempted.",
            "accuracy",
            _close(_col("accuracy"), _col("correct_count") / _col("items_attempted")),
        ),
        rule(
            "the pace is attempted / minutes",
            "items_per_minute = items_attempted / duration_minutes.",
            "accuracy",
            _close(_col("items_per_minute"), _col("items_attempted") / _col("duration_minutes")),
        ),
        rule(
            "no more right than attempted",
            "correct_count is not above items_attempted.",
            "consistency",
            _col("correct_count") <= _col("items_attempted"),
        ),
        rule(
            "a session ends after it began",
            "ended_at >= started_at.",
            "consistency",
            _col("ended_at") >= _col("started_at"),
        ),
        rule(
            "the length is end - start",
            "duration_minutes = ended_at - started_at.",
            "accuracy",
            _close(
                _col("duration_minutes"), (_col("ended_at") - _col("started_at")).dt.total_milliseconds() / 60_000, 1e-4
            ),
        ),
    ),
    "daily_aggregations": (
        rule(
            "accuracy is right / attempted",
            "accuracy = correct_attempts / total_attempts.",
            "accuracy",
            _close(_col("accuracy"), _col("correct_attempts") / _col("total_attempts")),
        ),
        rule(
            "no more right than attempted",
            "correct_attempts is not above total_attempts.",
            "consistency",
            _col("correct_attempts") <= _col("total_attempts"),
        ),
        rule(
            "no more questions than attempts",
            "unique_items_attempted is not above total_attempts.",
            "consistency",
            _col("unique_items_attempted") <= _col("total_attempts"),
        ),
        rule(
            "a row has attempts or sessions",
            "Not both total_attempts and total_sessions are 0.",
            "consistency",
            (_col("total_attempts") > 0) | (_col("total_sessions") > 0),
        ),
    ),
    "ml_training": (
        rule(
            "the error is that of the prediction",
            "squared_error = (prediction - label) squared.",
            "accuracy",
            _close(_col("squared_error"), (_col("prediction") - _col("label").cast(pl.Float64)).pow(2)),
        ),
        rule(
            "as many values as names",
            "feature_names and feature_values are equally long.",
            "consistency",
            _col("feature_names").list.len() == _col("feature_values").list.len(),
        ),
        rule(
            "features are there",
            "feature_names is not empty.",
            "completeness",
            _col("feature_names").list.len() > 0,
            level="warning",
        ),
    ),
}


def suite_of(dataset: Dataset, frame_schema: pl.Schema, window_start: datetime, window_end: datetime) -> list[Check]:
    """The checks of a dataset for a window, in the order of the report."""
    checks = _schema_checks(dataset, frame_schema)
    placing = {*dataset.key, dataset.event_time}
    if topic := topic_of(dataset.name):
        placing |= {topic.learner_id}
    for column in dataset.columns:
        checks += _column_checks(column, "placing" if column.name in placing else "other")
    checks.append(
        Check(
            f"{' and '.join(dataset.key)} stand once",
            "No row has the key of another.",
            "consistency",
            "warning",
            "distinct",
            dataset.key,
        )
    )
    checks += _RULES.get(dataset.name, ())
    return checks + _time_checks(dataset, window_start, window_end)


def _schema_checks(dataset: Dataset, found: pl.Schema) -> list[Check]:
    return [
        Check(
            f"{name} is a column",
            f"The column is there and is {dtype}.",
            "validity",
            "critical",
            "fact",
            given=found.get(name) == dtype,
        )
        for name, dtype in dataset.schema.items()
        if found.get(name) != dtype
    ] or [Check("the schema", "All columns are there with their types.", "validity", "critical", "fact", given=True)]


def _column_checks(column: Column, role: str) -> list[Check]:
    level: Level = "critical" if column.required else "warning"
    tolerance = (0.0 if role == "placing" else FEW) if column.required else MANY
    checks = [not_null(column.name, level, tolerance)]
    if column.low is not None and column.high is not None:
        checks.append(between(column.name, column.low, column.high, FEW))
    if column.values:
        checks.append(in_set(column.name, column.values, FEW))
    return checks


def _time_checks(dataset: Dataset, window_start: datetime, window_end: datetime) -> list[Check]:
    if not dataset.event_time:
        date = pl.date(_col("year"), _col("month"), _col("day"))
        return [
            rule("no day is ahead", "The day has begun.", "timeliness", date <= pl.lit(window_end.date())),
        ]
    time = _col(dataset.event_time)
    day = [time.dt.year() == _col("year"), time.dt.month() == _col("month"), time.dt.day() == _col("day")]
    return [
        rule("the day is that of the time", f"year, month and day are those of {dataset.event_time}.", "consistency",
             pl.all_horizontal(day)),
        Check(
            "the newest event is fresh",
            f"The newest {dataset.event_time} is not older than the window.",
            "timeliness",
            "warning",
            "fresh",
            (dataset.event_time,),
            (window_end - window_start, window_end),
        ),
        rule("no event is ahead", f"{dataset.event_time} is at most 5 minutes after the window.", "timeliness",
             time < pl.lit(window_end + AHEAD)),
        rule("no event is old", f"{dataset.event_time} is at most 24 hours before the window.", "timeliness",
             time >= pl.lit(window_start - LATE), level="warning"),
    ]  # fmt: skip
