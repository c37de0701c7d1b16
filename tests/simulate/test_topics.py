"""Messages for the lake, and what is true of them."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from schoolhouse.errors import InputError, UsageError
from schoolhouse.lake.models.parameters import BKT_SCHEMA, IRT_SCHEMA, Parameters
from schoolhouse.lake.topics import TOPICS
from schoolhouse.lake.transform import daily, parse, transform
from schoolhouse.simulate.practising import TopicPlan, practised
from schoolhouse.simulate.to_topics import write_topics

PLAN = TopicPlan(attempts=6_000, learners=60, topics=4, items=80, seed=7, duplicates=0.02, late=0.03, malformed=0.01)


def read(out: Path, topic: str) -> list[bytes]:
    return (out / f"{topic}.jsonl").read_bytes().splitlines()


def parsed(out: Path, topic: str, *, without: tuple[str, ...] = ()) -> pl.LazyFrame:
    frame, _ = parse(TOPICS[topic], read(out, topic))
    return frame.with_columns(
        *(pl.lit(None, frame.schema[name]).alias(name) for name in without),
        kafka_partition=pl.lit(0, pl.Int32),
        kafka_offset=pl.int_range(pl.len(), dtype=pl.Int64),
        kafka_timestamp=pl.lit(datetime(2025, 9, 1, tzinfo=UTC)),
    ).lazy()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("topics")
    done = write_topics(PLAN, out)
    return out, json.loads(Path(done.truth).read_text())


@pytest.mark.parametrize("topic", TOPICS)
def test_the_truth_counts_the_messages_of_each_kind(written: tuple[Path, dict[str, Any]], topic: str) -> None:
    out, truth = written
    told = truth["topics"][topic]
    values = read(out, topic)
    frame, poison = parse(TOPICS[topic], values)
    assert len(values) == told["messages"] == told["events"] + told["duplicates"] + told["poison"]
    assert len(poison) == told["poison"]
    assert frame["event_id"].n_unique() == told["events"]
    for name in ("messages", "events"):
        assert sum(hour[name] for hour in told["windows"].values()) == told[name]
    assert told["duplicates"] > 0
    assert told["poison"] > 0


def test_equal_plans_make_equal_bytes_and_other_seeds_others(
    tmp_path: Path, written: tuple[Path, dict[str, Any]]
) -> None:
    write_topics(PLAN, tmp_path / "same", compressed=True)
    write_topics(TopicPlan(attempts=6_000, learners=60, topics=4, items=80, seed=8), tmp_path / "other")
    for topic in TOPICS:
        first = (written[0] / f"{topic}.jsonl").read_bytes()
        assert gzip.decompress((tmp_path / "same" / f"{topic}.jsonl.gz").read_bytes()) == first
        assert (tmp_path / "other" / f"{topic}.jsonl").read_bytes() != first


def test_the_daily_aggregations_of_the_lake_add_up_to_the_truth(written: tuple[Path, dict[str, Any]]) -> None:
    out, truth = written
    attempts = transform("user_attempts", parsed(out, "user.attempts"))
    sessions = transform("user_sessions", parsed(out, "user.sessions"))
    found = (
        daily(attempts, sessions)
        .group_by(pl.date("year", "month", "day").cast(pl.String).alias("day"))
        .agg(
            attempts=pl.col("total_attempts").sum(),
            correct=pl.col("correct_attempts").sum(),
            learners=(pl.col("total_attempts") > 0).sum(),
            sessions=pl.col("total_sessions").sum(),
            study_minutes=pl.col("total_study_time_minutes").sum(),
        )
        .sort("day")
        .collect()
        .to_dicts()
    )
    assert [{**day, "study_minutes": pytest.approx(day["study_minutes"])} for day in truth["days"]] == found


def test_the_lake_computes_the_states_that_the_platform_sent(written: tuple[Path, dict[str, Any]]) -> None:
    out, truth = written
    states = tuple(name for name in TOPICS["user.attempts"].schema if name.endswith(("_before", "_after")))
    parameters = Parameters(
        pl.DataFrame(truth["bkt"], schema=BKT_SCHEMA),
        pl.DataFrame(truth["irt"]).select(IRT_SCHEMA.names()),
    )
    sent = transform("user_attempts", parsed(out, "user.attempts")).sort("event_id").collect()
    ours = transform("user_attempts", parsed(out, "user.attempts", without=states), parameters=parameters)
    computed = ours.sort("event_id").collect()
    assert set(sent["state_source"]) == {"message"}
    assert set(computed["state_source"]) == {"computed"}
    for name in states:
        assert np.allclose(sent[name].to_numpy(), computed[name].to_numpy(), atol=1e-5), name


def test_without_states_messages_carry_none(tmp_path: Path) -> None:
    write_topics(TopicPlan(attempts=100, learners=5, with_states=False), tmp_path)
    assert "sm2_interval_before" not in json.loads(read(tmp_path, "user.attempts")[0])


def test_answers_are_right_as_often_as_the_two_parameter_model_says() -> None:
    done = practised(TopicPlan(attempts=200_000, learners=500, seed=3))
    a, b = done.content.discrimination[done.item], done.content.difficulty[done.item]
    chance = 1 / (1 + np.exp(-a * (done.ability - b)))
    for low in np.arange(0.1, 1.0, 0.2):
        there = (chance >= low - 0.1) & (chance < low + 0.1)
        error = np.sqrt((chance[there] * (1 - chance[there])).sum()) / there.sum()
        assert there.sum() > 500
        assert done.correct[there].mean() == pytest.approx(chance[there].mean(), abs=4 * error)


def test_under_bkt_learners_begin_with_the_prior_and_learn_slip_and_guess_as_told() -> None:
    done = practised(TopicPlan(attempts=400_000, learners=20_000, topics=3, items=30, seed=3, model="bkt"))
    pair = done.learner * 3 + done.topic
    order = np.argsort(pair, kind="stable")
    knows, right, topic = done.ability[order] == 1, done.correct[order], done.topic[order]
    starts = np.concatenate([[True], pair[order][1:] != pair[order][:-1]])
    goes_on = ~np.concatenate([starts[1:], [True]])
    for number in range(3):
        here, content = topic == number, done.content
        assert knows[here & starts].mean() == pytest.approx(content.prior[number], abs=0.02)
        assert right[here & ~knows].mean() == pytest.approx(content.guess[number], abs=0.02)
        assert 1 - right[here & knows].mean() == pytest.approx(content.slip[number], abs=0.01)
        learners = np.flatnonzero(here & ~knows & goes_on)
        assert knows[learners + 1].mean() == pytest.approx(content.learn[number], abs=0.02)


def test_sessions_hold_their_attempts_and_lie_in_the_span() -> None:
    plan = TopicPlan(attempts=5_000, learners=40, hours=3, start=datetime(2025, 9, 1, 20, tzinfo=UTC))
    done = practised(plan)
    assert (np.diff(done.at_ms) >= 0).all()
    assert (done.at_ms - done.took_ms >= done.sessions.start_ms[done.session]).all()
    assert (done.at_ms <= done.sessions.end_ms[done.session]).all()
    first, last = done.sessions.start_ms.min(), done.sessions.start_ms.max()
    assert plan.start_ms <= first < last < plan.start_ms + 3 * 3_600_000
    assert (done.learner == done.sessions.learner[done.session]).all()


@pytest.mark.parametrize(
    "wrong", [{"model": "elo"}, {"attempts": 0}, {"items": 3, "topics": 5}, {"seed": -1}, {"hours": 0}]
)
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        TopicPlan(**wrong)


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"Cannot write .*file: File exists"):
        write_topics(TopicPlan(attempts=10, learners=2), tmp_path / "file")
    (tmp_path / "out" / "user.attempts.jsonl").mkdir(parents=True)
    with pytest.raises(InputError, match=r"Cannot write .*user\.attempts.jsonl: Is a directory"):
        write_topics(TopicPlan(attempts=10, learners=2), tmp_path / "out")
