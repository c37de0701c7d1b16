"""The datasets of the lake: every column with its type, meaning, unit and bounds.

`docs/lake-datasets.md` says the same, and a test keeps the two equal. The bounds are what the quality suites check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from schoolhouse.errors import UsageError
from schoolhouse.lake.topics import TOPICS, Topic
from schoolhouse.lake.topics.topic import UTC_TIME

Zone = Literal["processed", "aggregated"]

RESPONSE_TIME_CATEGORIES = ("very_fast", "fast", "normal", "slow", "very_slow")
RESPONSE_TIME_BOUNDS_SECONDS = (2.0, 5.0, 15.0, 30.0)  # each is the first moment of the next category
SESSION_TYPES = ("practice", "review", "mock_test")
STATE_SOURCES = ("message", "computed", "mixed")
SPLITS = ("train", "validation", "test")
IRT_PREFIX = "irt_ability_"


@dataclass(frozen=True)
class Column:
    """One column. A required one is never null; `low` and `high` are bounds that belong to the range."""

    name: str
    dtype: pl.DataType
    about: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True)
class Dataset:
    """A dataset. `key` names the columns that make a row the only one of its kind."""

    name: str
    zone: Zone
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    event_time: str  # empty: rows have a day only

    @property
    def schema(self) -> pl.Schema:
        """Names and types of the fixed columns, in order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})


def _year_month_day(of: str) -> tuple[Column, ...]:
    return (
        Column("year", pl.Int16(), f"Year of {of}, in UTC", low=1970, high=2200),
        Column("month", pl.Int8(), f"Month of {of}", low=1, high=12),
        Column("day", pl.Int8(), f"Day of the month of {of}", low=1, high=31),
    )


def _states(when: Literal["before", "after"]) -> tuple[Column, ...]:
    return (
        Column(
            f"sm2_easiness_factor_{when}",
            pl.Float32(),
            f"SM-2's easiness of this question for this learner {when} the answer",
            low=1.3,
            high=6.0,
        ),
        Column(
            f"sm2_interval_{when}",
            pl.Int32(),
            f"SM-2's wait until the next repetition, as set {when} the answer; 0: never repeated",
            "days",
            low=0,
            high=36_500,
        ),
        Column(
            f"sm2_repetitions_{when}",
            pl.Int16(),
            f"Repetitions in a row graded 3 or better, {when} the answer",
            low=0,
            high=32_767,
        ),
        Column(
            f"bkt_prob_knowledge_{when}",
            pl.Float32(),
            f"Chance that the learner knows the topic, {when} the answer",
            low=0,
            high=1,
        ),
    )


def _ability(when: Literal["before", "after"]) -> tuple[Column, ...]:
    return (
        Column(
            f"irt_ability_{when}",
            pl.Float32(),
            f"The learner's ability in the topic of the question, {when} the answer",
            "logits",
            low=-20,
            high=20,
        ),
        Column(
            f"irt_uncertainty_{when}",
            pl.Float32(),
            f"Standard deviation of our belief about the ability, {when} the answer",
            "logits",
            low=0,
            high=1,
        ),
    )


_ATTEMPTS = Dataset(
    name="user_attempts",
    zone="processed",
    columns=(
        Column("user_id", pl.String(), "The learner"),
        Column("item_id", pl.String(), "The question"),
        Column("session_id", pl.String(), "The session"),
        Column("correct", pl.Boolean(), "Whether the answer was right"),
        Column("time_taken_ms", pl.Int32(), "From showing the question to the answer", "ms", low=0, high=86_400_000),
        Column("quality", pl.Int8(), "SM-2's grade of the answer; derived where the message has none", low=0, high=5),
        Column("response_time_seconds", pl.Float32(), "time_taken_ms / 1000", "s", low=0, high=86_400),
        Column(
            "response_time_category",
            pl.String(),
            "very_fast under 2 s, fast under 5 s, normal under 15 s, slow under 30 s, very_slow from 30 s",
            values=RESPONSE_TIME_CATEGORIES,
        ),
        Column("hour_of_day", pl.Int8(), "Hour of the answer, in UTC", low=0, high=23),
        Column("day_of_week", pl.Int8(), "Day of the week of the answer; Monday is 0", low=0, high=6),
        Column("is_weekend", pl.Boolean(), "Saturday or Sunday, in UTC"),
        *_states("before"),
        *_year_month_day("the answer"),
        Column("event_id", pl.String(), "Identity of the event"),
        Column("attempted_at", UTC_TIME, "When the answer was given", "µs, UTC"),
        Column(
            "topic",
            pl.String(),
            "The topic (skill) of the question in small letters, digits and _; unknown where none is given",
        ),
        *_states("after"),
        *_ability("before"),
        *_ability("after"),
        Column(
            "state_source",
            pl.String(),
            "message: the platform sent all states; computed: it sent none; mixed: some",
            values=STATE_SOURCES,
        ),
    ),
    key=("event_id",),
    event_time="attempted_at",
)

_SESSIONS = Dataset(
    name="user_sessions",
    zone="processed",
    columns=(
        Column("session_id", pl.String(), "The session"),
        Column("user_id", pl.String(), "The learner"),
        Column("duration_minutes", pl.Float64(), "ended_at - started_at", "min", low=0, high=1_440),
        Column("items_attempted", pl.Int32(), "Answers given in it", low=0, high=100_000),
        Column("correct_count", pl.Int32(), "Those that were right", low=0, high=100_000),
        Column(
            "accuracy", pl.Float64(), "correct_count / items_attempted; null where none", low=0, high=1, required=False
        ),
        Column(
            "items_per_minute",
            pl.Float64(),
            "items_attempted / duration_minutes; null where the session took no time",
            "1/min",
            low=0,
            high=1_000_000,
            required=False,
        ),
        Column("topics_count", pl.Int16(), "Different topics practised", low=0, high=10_000),
        Column("session_type", pl.String(), "Kind of the session", values=SESSION_TYPES),
        Column("start_hour", pl.Int8(), "Hour in which it began, in UTC", low=0, high=23),
        *_year_month_day("its beginning"),
        Column("event_id", pl.String(), "Identity of the event"),
        Column("started_at", UTC_TIME, "When it began", "µs, UTC"),
        Column("ended_at", UTC_TIME, "When it ended", "µs, UTC"),
    ),
    key=("event_id",),
    event_time="started_at",
)

_DAILY = Dataset(
    name="daily_aggregations",
    zone="aggregated",
    columns=(
        Column("user_id", pl.String(), "The learner"),
        *_year_month_day("what is counted"),
        Column("total_attempts", pl.Int32(), "Attempts of that day", low=0, high=1_000_000),
        Column("correct_attempts", pl.Int32(), "Those that were right", low=0, high=1_000_000),
        Column(
            "accuracy",
            pl.Float64(),
            "correct_attempts / total_attempts; null where none",
            low=0,
            high=1,
            required=False,
        ),
        Column(
            "avg_response_time_ms",
            pl.Float64(),
            "Mean of time_taken_ms; null without attempts",
            "ms",
            low=0,
            high=86_400_000,
            required=False,
        ),
        Column(
            "total_study_time_minutes",
            pl.Float64(),
            "Sum of duration_minutes of the sessions that began on that day",
            "min",
            low=0,
            high=100_000,
        ),
        Column("unique_items_attempted", pl.Int32(), "Different questions tried", low=0, high=1_000_000),
        Column("total_sessions", pl.Int32(), "Sessions that began on that day", low=0, high=100_000),
    ),
    key=("user_id", "year", "month", "day"),
    event_time="",
)

_ML_TRAINING = Dataset(
    name="ml_training",
    zone="processed",
    columns=(
        Column("event_id", pl.String(), "Identity of the event"),
        Column("created_at", UTC_TIME, "When the example was made", "µs, UTC"),
        Column("user_id", pl.String(), "The learner"),
        Column("item_id", pl.String(), "The question", required=False),
        Column("topic", pl.String(), "The topic (skill) of the question", required=False),
        Column("attempt_event_id", pl.String(), "event_id of the attempt that gave the label", required=False),
        Column("model_name", pl.String(), "The model, in small letters"),
        Column("model_version", pl.String(), "Its version", required=False),
        Column("split", pl.String(), "What the example is for", values=SPLITS),
        Column("feature_names", pl.List(pl.String()), "Names of the features"),
        Column("feature_values", pl.List(pl.Float64()), "Their values, in the same order"),
        Column("prediction", pl.Float64(), "Chance of a right answer that the model gave", low=0, high=1),
        Column("label", pl.Boolean(), "Whether the answer was right"),
        Column("weight", pl.Float64(), "Weight of the example", low=0, high=1_000_000),
        Column(
            "squared_error", pl.Float64(), "(prediction - label) squared: Brier's score of the example", low=0, high=1
        ),
        Column(
            "log_loss",
            pl.Float64(),
            "-ln of the chance given to what happened, the chance held to 1e-15 and more",
            "nats",
            low=0,
            high=35,
        ),
        *_year_month_day("the example"),
    ),
    key=("event_id",),
    event_time="created_at",
)


def _plain(topic: Topic) -> Dataset:
    """The dataset of a topic that has no transformation of its own: its fields as they are."""
    columns = [
        Column(name, dtype, topic.about.get(name, ""), required=name in topic.placing)
        for name, dtype in topic.schema.items()
    ]
    return Dataset(
        topic.dataset, "processed", (*columns, *_year_month_day("the event")), (topic.event_id,), topic.event_time
    )


def dataset_of(name: str) -> Dataset:
    """The dataset of this name: one of ours, or that of a topic without a transformation of its own."""
    if name in DATASETS:
        return DATASETS[name]
    raise UsageError(f"There is no dataset {name!r}.", hint=f"The datasets are {', '.join(DATASETS)}.")


def _all() -> dict[str, Dataset]:
    known = {one.name: one for one in (_ATTEMPTS, _SESSIONS, _DAILY, _ML_TRAINING)}
    for topic in TOPICS.values():
        known.setdefault(topic.dataset, _plain(topic))
    return known


DATASETS: dict[str, Dataset] = _all()
