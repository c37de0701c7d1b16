"""Practice as messages of the lake's topics: lines of JSON in the order in which they are sent.

A platform that carries learner states holds them by the models of the lake, with the true parameters; so the states are
what a platform that knows its questions would hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schoolhouse.lake.models import replay
from schoolhouse.lake.models.replay import Attempts, Tables
from schoolhouse.simulate.campus import Ints
from schoolhouse.simulate.practising import HOUR_MS, SESSION_TYPES, Practised

GOOD, AGAIN, CUT = 0, 1, 2
DELAY_MS = 2_000.0  # mean time from an event to its message
SLICE = 200_000

_FIELDS = ("sm2_easiness_factor", "sm2_interval", "sm2_repetitions", "bkt_prob_knowledge", "irt_ability")


@dataclass(frozen=True)
class Messages:
    """The messages of one topic. `rows` has one row an event; `event`, `sent_ms` and `kind` one entry a message."""

    topic: str
    rows: pl.DataFrame  # columns as the JSON has them, and `user_id`
    event: Ints
    sent_ms: Ints
    kind: NDArray[np.int8]

    def lines(self) -> Iterator[tuple[list[bytes], list[str], list[int]]]:
        """Values, keys and times, some at a time, in the order of sending."""
        for first in range(0, len(self.event), SLICE):
            part = slice(first, first + SLICE)
            rows = self.rows[self.event[part]]
            values = _encoded(rows)
            for place in np.flatnonzero(self.kind[part] == CUT):
                values[place] = values[place][: len(values[place]) // 2]
            yield values, rows["user_id"].to_list(), self.sent_ms[part].tolist()


def messages_of(done: Practised) -> list[Messages]:
    """The messages of all three topics."""
    before, after = _states(done)
    return [
        _sent(done, "user.attempts", _attempts(done, before, after), done.at_ms),
        _sent(done, "user.sessions", _sessions(done), done.sessions.end_ms),
        _examples(done, before),
    ]


def _encoded(rows: pl.DataFrame) -> list[bytes]:
    return (
        rows.with_columns(pl.selectors.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
        .write_ndjson()
        .encode()
        .splitlines()
    )


def _sent(done: Practised, topic: str, rows: pl.DataFrame, at_ms: Ints) -> Messages:
    """When each event is sent, and which are sent late, twice, or cut off."""
    plan, count = done.plan, len(at_ms)
    random = plan.random("delivery", topic)
    sent = at_ms + random.exponential(DELAY_MS, count).astype(np.int64)
    late = random.random(count) < plan.late
    sent = np.where(late, sent + random.integers(HOUR_MS, 6 * HOUR_MS, count), sent)
    again = np.flatnonzero(random.random(count) < plan.duplicates)
    cut = np.flatnonzero(random.random(count) < plan.malformed)
    event = np.concatenate([np.arange(count), again, cut])
    when = np.concatenate([sent, sent[again] + random.integers(1, 60_000, len(again)), sent[cut]])
    kind = np.repeat(np.array([GOOD, AGAIN, CUT], dtype=np.int8), (count, len(again), len(cut)))
    order = np.argsort(when, kind="stable")
    return Messages(topic, rows, event[order], when[order], kind[order])


def _named(form: str, numbers: Ints) -> pl.Expr:
    return pl.format(form, pl.lit(pl.Series(numbers)).cast(pl.String).str.zfill(6))


def _event_id(done: Practised, topic: int, count: int) -> pl.Expr:
    """Ids that look like UUIDs and differ by seed, topic and number."""
    number = pl.int_range(count, eager=True).cast(pl.String).str.zfill(12)
    return pl.format(f"{done.plan.seed % 10**8:08d}-{topic:04d}-4000-8000-{{}}", pl.lit(number))


def _moment(milliseconds: Ints) -> pl.Series:
    return pl.Series(milliseconds).cast(pl.Datetime("ms", "UTC"))


def _topics(done: Practised, numbers: Ints) -> pl.Series:
    names = pl.Series([done.content.topic_name(number) for number in range(done.plan.topics)])
    return names.gather(numbers)


def _attempts(done: Practised, before: NDArray[np.float32], after: NDArray[np.float32]) -> pl.DataFrame:
    rows = pl.select(
        event_id=_event_id(done, 1, len(done.at_ms)),
        user_id=_named("learner-{}", done.learner),
        item_id=_named("item-{}", done.item),
        session_id=_named("session-{}", done.session),
        timestamp=_moment(done.at_ms),
        topic=_topics(done, done.topic),
        correct=pl.Series(done.correct),
        time_taken_ms=pl.Series(done.took_ms),
        quality=pl.Series(_grades(done)),
    )
    if not done.plan.with_states:
        return rows
    return rows.with_columns(
        _state(f"{name}_{when}", states[:, at], whole=name in _FIELDS[1:3])
        for when, states in (("before", before), ("after", after))
        for at, name in enumerate(_FIELDS)
    )


def _state(name: str, values: NDArray[np.float32], *, whole: bool) -> pl.Series:
    column = pl.Series(name, values.astype(float))
    return column.cast(pl.Int32) if whole else column.round(6)


def _grades(done: Practised) -> NDArray[np.int8]:
    """SM-2's grade by answer and time, as the lake derives it."""
    by_time = np.select([done.took_ms < 5_000, done.took_ms < 15_000], [5, 4], 3)
    return np.where(done.correct, by_time, 1).astype(np.int8)


def _states(done: Practised) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    plan, content = done.plan, done.content
    count = len(done.at_ms)
    items, item_pair = np.unique(done.learner * plan.items + done.item, return_inverse=True)
    nothing = np.full((count, replay.STATES), np.nan, dtype=np.float32)
    attempts = Attempts(
        item_pair=item_pair,
        topic_pair=done.learner * plan.topics + done.topic,
        answer=done.correct.astype(np.int8),
        quality=_grades(done),
        topic=done.topic,
        item=done.item,
        carried_before=nothing,
        carried_after=nothing,
    )
    tables = Tables(
        replay.first_item_states(len(items)),
        replay.first_topic_states(plan.learners * plan.topics),
        np.column_stack([content.prior, content.learn, content.guess, content.slip]),
        np.column_stack([content.discrimination, content.difficulty]),
    )
    return replay.replay(attempts, tables)


def session_rows(done: Practised) -> pl.DataFrame:
    """What is true of each session: answers, right ones, topics."""
    return (
        pl.DataFrame({"session": done.session, "correct": done.correct, "topic": _topics(done, done.topic)})
        .group_by("session")
        .agg(items_attempted=pl.len(), correct_count=pl.col("correct").sum(), topics=pl.col("topic").unique().sort())
        .sort("session")
    )


def _sessions(done: Practised) -> pl.DataFrame:
    sessions, counted = done.sessions, session_rows(done)
    count = len(sessions.learner)
    return pl.select(
        event_id=_event_id(done, 2, count),
        session_id=_named("session-{}", np.arange(count)),
        user_id=_named("learner-{}", sessions.learner),
        session_type=pl.Series(SESSION_TYPES).gather(sessions.kind),
        start_time=_moment(sessions.start_ms),
        end_time=_moment(sessions.end_ms),
        items_attempted=counted["items_attempted"],
        correct_count=counted["correct_count"],
        topics=counted["topics"],
    )


def _examples(done: Practised, before: NDArray[np.float32]) -> Messages:
    """Some attempts, as a model of the platform saw them before it knew the answer."""
    plan, content = done.plan, done.content
    random = plan.random("examples")
    chosen = np.flatnonzero(random.random(len(done.at_ms)) < plan.examples)
    item, topic = done.item[chosen], done.topic[chosen]
    known, ability = before[chosen, replay.KNOWN].astype(float), before[chosen, replay.ABILITY].astype(float)
    by_bkt = known * (1 - content.slip[topic]) + (1 - known) * content.guess[topic]
    by_irt = 1 / (1 + np.exp(-content.discrimination[item] * (ability - content.difficulty[item])))
    is_bkt = random.random(len(chosen)) < 0.5
    features = np.column_stack([known, ability, done.took_ms[chosen] / 1000.0]).round(6)
    rows = pl.select(
        event_id=_event_id(done, 3, len(chosen)),
        timestamp=_moment(done.at_ms[chosen] + 1_000),
        user_id=_named("learner-{}", done.learner[chosen]),
        item_id=_named("item-{}", item),
        topic=_topics(done, topic),
        attempt_event_id=pl.select(_event_id(done, 1, len(done.at_ms))).to_series().gather(chosen),
        model_name=pl.Series(np.where(is_bkt, "bkt", "irt")),
        model_version=pl.repeat("1", len(chosen)),
        split=pl.Series(np.array(["train", "validation", "test"])[random.choice(3, len(chosen), p=[0.8, 0.1, 0.1])]),
        feature_names=pl.repeat(["prob_knowledge", "ability", "seconds"], len(chosen), dtype=pl.List(pl.String)),
        feature_values=pl.Series(features.tolist(), dtype=pl.List(pl.Float64)),
        prediction=pl.Series(np.where(is_bkt, by_bkt, by_irt).round(6)),
        label=pl.Series(done.correct[chosen]),
        weight=pl.repeat(1.0, len(chosen)),
    )
    return _sent(done, "ml.training", rows, done.at_ms[chosen] + 1_000)
