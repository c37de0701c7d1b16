"""`user.attempts` to `user_attempts`: features of the answer, and the learner's states before and after.

Rows come out by learner and then time. States that the message carries stay as the platform said them; the others are
computed, in order of time, from the states that the window before left (`states`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schoolhouse.lake.models import replay
from schoolhouse.lake.models.parameters import Parameters
from schoolhouse.lake.models.replay import Attempts, Tables
from schoolhouse.lake.transform.datasets import (
    DATASETS,
    IRT_PREFIX,
    RESPONSE_TIME_BOUNDS_SECONDS,
    RESPONSE_TIME_CATEGORIES,
    STATE_SOURCES,
)
from schoolhouse.lake.transform.normalize import each_event_once, within_type, year_month_day

Codes: TypeAlias = NDArray[np.int64]
Coded: TypeAlias = tuple[Codes, pl.Series]

# The states, in the order of `models.replay`: the message's field, without `_before` and `_after`.
FIELDS = ("sm2_easiness_factor", "sm2_interval", "sm2_repetitions", "bkt_prob_knowledge", "irt_ability")
NONSENSE = 10**9
NO_TOPIC = "unknown"
MOST_TOPICS = 100  # more get no columns of their own in a window; `irt_ability_before` and `_after` have theirs too
UNCERTAINTY = "irt_uncertainty"  # ours alone: the standard deviation of the ability


def attempts_in_parts(
    raw: pl.LazyFrame, states: pl.LazyFrame | None, parameters: Parameters | None = None, *, parts: int = 1
) -> Iterator[pl.LazyFrame]:
    """Rows of `user_attempts` from parsed messages, in parts of which each has all rows of its learners.

    Learners do not depend on one another, so a part at a time needs the memory of a part.
    """
    once = each_event_once(raw, "event_id")
    topics = _commonest(once)
    for part in range(parts):
        mine = once if parts == 1 else once.filter(pl.col("user_id").hash() % parts == part)
        yield _transformed(mine.collect(engine="streaming"), states, parameters or Parameters(), topics)


def _transformed(
    frame: pl.DataFrame, states: pl.LazyFrame | None, parameters: Parameters, topics: list[str]
) -> pl.LazyFrame:
    place = ("kafka_timestamp", "kafka_partition", "kafka_offset")
    learner = _coded(frame["user_id"])[0]
    frame = frame[frame.select(pl.arg_sort_by(pl.Series(learner), "timestamp", *place)).to_series()].drop(place)
    frame = frame.with_columns(topic=slug(pl.col("topic")), quality=_quality().pipe(within_type, pl.Int8))
    carried = [f"{field}_{when}" for when in ("before", "after") for field in FIELDS]
    sent = _carried(frame, "before"), _carried(frame, "after")
    frame = frame.with_columns(state_source=_source(frame.select(carried))).drop(carried)
    before, after = _replayed(frame, sent, states, parameters)
    del sent
    frame = frame.with_columns(**_columns(before, "before"), **_columns(after, "after"))
    return frame.lazy().with_columns(*_features()).select(_in_order(topics))


def slug(topic: pl.Expr) -> pl.Expr:
    """A topic as it stands in column names: small letters, digits and underscores."""
    plain = topic.str.to_lowercase().str.replace_all(r"[^a-z0-9]+", "_").str.strip_chars("_")
    # Most topics are slugs already, and to look is cheaper than to rewrite.
    return (
        pl.when(topic.str.contains(r"^[a-z0-9]+(_[a-z0-9]+)*$"))
        .then(topic)
        .otherwise(pl.when(plain == "").then(None).otherwise(plain))
        .fill_null(NO_TOPIC)
    )


def irt_topics(columns: list[str]) -> list[str]:
    """The topics whose abilities stand in these columns, sorted."""
    form = re.compile(rf"{IRT_PREFIX}(.+)_after")
    return sorted(match[1] for name in columns if (match := form.fullmatch(name)))


def _quality() -> pl.Expr:
    """SM-2's grade: the message's; else 1 for a wrong answer, and 5, 4 or 3 for a right one by its time (5 s, 15 s)."""
    time = pl.col("time_taken_ms")
    derived = (
        pl.when(pl.col("correct").not_())
        .then(1)
        .when(pl.col("correct"))
        .then(pl.when(time < 5_000).then(5).when(time < 15_000).then(4).otherwise(3))
    )
    return pl.coalesce("quality", derived)


def _features() -> list[pl.Expr]:
    time, seconds = pl.col("timestamp"), pl.col("time_taken_ms") / 1000
    weekday = time.dt.weekday() - 1
    return [
        pl.col("time_taken_ms").pipe(within_type, pl.Int32),
        seconds.cast(pl.Float32).alias("response_time_seconds"),
        _category(seconds).alias("response_time_category"),
        time.dt.hour().alias("hour_of_day"),
        weekday.alias("day_of_week"),
        (weekday >= 5).alias("is_weekend"),
        *year_month_day("timestamp"),
        time.alias("attempted_at"),
    ]


def _category(seconds: pl.Expr) -> pl.Expr:
    category = pl.when(seconds >= RESPONSE_TIME_BOUNDS_SECONDS[-1]).then(pl.lit(RESPONSE_TIME_CATEGORIES[-1]))
    for bound, name in reversed([*zip(RESPONSE_TIME_BOUNDS_SECONDS, RESPONSE_TIME_CATEGORIES, strict=False)]):
        category = pl.when(seconds < bound).then(pl.lit(name)).otherwise(category)  # type: ignore[assignment]
    return category


def _commonest(rows: pl.LazyFrame) -> list[str]:
    counts = rows.group_by("topic").len().group_by(slug(pl.col("topic"))).agg(pl.col("len").sum())
    most = counts.sort("len", "topic", descending=[True, False]).head(MOST_TOPICS)
    return sorted(most.collect(engine="streaming")["topic"])


def _in_order(topics: list[str]) -> list[pl.Expr]:
    """The dataset's columns, and after them the abilities, each in the column of its topic."""
    columns: list[pl.Expr] = [pl.col(name).cast(dtype) for name, dtype in DATASETS["user_attempts"].schema.items()]
    for topic in topics:
        here = pl.col("topic") == topic
        columns += [
            pl.when(here).then(pl.col(f"irt_ability_{when}")).alias(f"{IRT_PREFIX}{topic}_{when}")
            for when in ("before", "after")
        ]
    return columns


def _source(held: pl.DataFrame) -> pl.Series:
    """Whether the message carried all states, none, or some."""
    known = held.select(pl.sum_horizontal(pl.all().is_not_null().cast(pl.UInt8)).alias("known"))["known"]
    message, computed, mixed = STATE_SOURCES
    return (
        known.to_frame()
        .select(
            pl.when(pl.col("known") == held.width)
            .then(pl.lit(message))
            .when(pl.col("known") == 0)
            .then(pl.lit(computed))
            .otherwise(pl.lit(mixed))
        )
        .to_series()
    )


def _columns(states: NDArray[np.float32], when: str) -> dict[str, pl.Series]:
    columns = {}
    for at, name in enumerate((*FIELDS, UNCERTAINTY)):
        dtype = DATASETS["user_attempts"].schema[f"{name}_{when}"]
        column = pl.Series(f"{name}_{when}", np.ascontiguousarray(states[:, at]), nan_to_null=True)
        if dtype.is_integer():
            column = column.to_frame().select(pl.first().pipe(within_type, dtype)).to_series()
        columns[f"{name}_{when}"] = column.cast(dtype)
    return columns


def _replayed(
    frame: pl.DataFrame,
    sent: tuple[NDArray[np.float32], NDArray[np.float32]],
    states: pl.LazyFrame | None,
    parameters: Parameters,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    users, items, topics = (_coded(frame[name]) for name in ("user_id", "item_id", "topic"))
    item_pair, topic_pair = _pairs(users, items), _pairs(users, topics)
    by_item = replay.first_item_states(int(item_pair.max(initial=-1)) + 1)
    by_topic = replay.first_topic_states(int(topic_pair.max(initial=-1)) + 1)
    if states is not None:
        _take_up(by_item, _named(frame, item_pair, "item_id"), states, "item", FIELDS[:3])
        _take_up(by_topic, _named(frame, topic_pair, "topic"), states, "topic", (*FIELDS[3:], UNCERTAINTY))
    attempts = Attempts(
        item_pair=item_pair,
        topic_pair=topic_pair,
        answer=frame["correct"].cast(pl.Int8).fill_null(-1).to_numpy(),
        quality=frame["quality"].clip(0, 5).fill_null(-1).to_numpy(),
        topic=topics[0],
        item=np.maximum(items[0], 0),
        carried_before=sent[0],
        carried_after=sent[1],
    )
    item_table = parameters.of_items(items[1] if len(items[1]) else pl.Series(["none"]))
    tables = Tables(by_item, by_topic, _table(parameters.of_topics(topics[1])), _table(item_table))
    return replay.replay(attempts, tables)


def _coded(values: pl.Series) -> Coded:
    """A number for each value (-1 for null), and the values in the order of their numbers."""
    known = values.cast(pl.Categorical(pl.Categories.random()))
    names = known.drop_nulls().unique(maintain_order=True)
    numbers = names.to_physical().cast(pl.Int64).to_numpy()
    dense = np.full(numbers.max(initial=-1) + 1, -1, dtype=np.int64)
    dense[numbers] = np.arange(len(names))
    codes = np.full(len(known), -1, dtype=np.int64)
    there = known.is_not_null().to_numpy()
    codes[there] = dense[known.drop_nulls().to_physical().to_numpy()]
    return codes, names.cast(pl.String)


def _pairs(users: Coded, others: Coded) -> Codes:
    """A number for each pair of learner and other; -1 where there is no other."""
    there = pl.Series(others[0]) >= 0
    key = pl.Series(users[0] * max(len(others[1]), 1) + others[0]).set(~there, None)
    return (key.rank("dense").cast(pl.Int64) - 1).fill_null(-1).to_numpy()


def _named(frame: pl.DataFrame, pairs: Codes, other: str) -> pl.DataFrame:
    """The learner and the other of each pair, in the order of their numbers."""
    rows = frame.select("user_id", pl.col(other).alias("key"), pair=pl.Series(pairs))
    return rows.filter(pl.col("pair") >= 0).unique("pair", keep="any").sort("pair").drop("pair")


def _take_up(
    first: NDArray[np.float32], pairs: pl.DataFrame, states: pl.LazyFrame, kind: str, fields: tuple[str, ...]
) -> None:
    """Put the states of the window before in the place of first ones."""
    wanted = pairs.lazy().with_row_index("pair")
    found = wanted.join(states.filter(pl.col("kind") == kind), on=("user_id", "key")).select("pair", *fields).collect()
    known = found.select(pl.col(fields).cast(pl.Float32)).to_numpy()
    first[found["pair"].to_numpy()] = known


def _carried(frame: pl.DataFrame, when: str) -> NDArray[np.float32]:
    """The states that the messages carry, rows by states; NaN for none, and for the uncertainty, which none carries."""
    # Nonsense is kept, for the quality checks to find, but not so far out that arithmetic fails.
    known = frame.select(
        *(pl.col(f"{field}_{when}").clip(-NONSENSE, NONSENSE).cast(pl.Float32).fill_null(np.nan) for field in FIELDS),
        pl.lit(np.nan, pl.Float32).alias(UNCERTAINTY),
    )
    return np.ascontiguousarray(known.to_numpy())


def _table(parameters: pl.DataFrame) -> NDArray[np.float64]:
    return np.ascontiguousarray(parameters.to_numpy(), dtype=np.float64)
