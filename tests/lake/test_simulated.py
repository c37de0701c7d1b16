"""A simulated campus goes through the broker into the lake, and the lake says what the truth says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from schoolhouse.cli import app
from schoolhouse.errors import NotFound
from schoolhouse.lake import fitted, reports, window
from schoolhouse.lake.clock import Window
from schoolhouse.lake.ledger import Ledger
from schoolhouse.lake.quality import validate
from schoolhouse.lake.tables import Table
from schoolhouse.lake.zones import Lake, lake_of
from schoolhouse.settings import load_settings
from schoolhouse.simulate.practising import TopicPlan
from schoolhouse.simulate.to_topics import send_topics
from tests.lake.broker import running_broker

PLAN = TopicPlan(
    attempts=4_000, learners=150, topics=2, items=20, hours=1, with_states=False, model="bkt",
    start=datetime(2025, 9, 1, 20, tzinfo=UTC), duplicates=0.02, malformed=0.01,
)  # fmt: skip


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, dict[str, Any]]]:
    """The lake after every hour of the simulation, and the truth."""
    directory = tmp_path_factory.mktemp("simulated")
    with running_broker(directory / "broker") as broker:
        settings = load_settings(data_dir=directory / "data", kafka_bootstrap_servers=broker.address)
        send_topics(PLAN, settings, directory, partitions=2)
        truth = json.loads((directory / "truth.json").read_text())
        lake = lake_of(settings)
        hours = sorted({hour for topic in truth["topics"].values() for hour in topic["windows"]})
        for hour in hours:
            for dataset in window.datasets(lake.settings):
                window.run(lake, dataset, Window(datetime.fromisoformat(hour)))
        yield lake, truth


def rows(lake: Lake, dataset: str) -> pl.DataFrame:
    zone = "aggregated" if dataset == "daily_aggregations" else "processed"
    found = Table(lake, zone, dataset).scan()  # type: ignore[arg-type]
    assert found is not None
    return found.collect()


def test_every_event_is_there_once_and_every_cut_message_in_quarantine(loaded: tuple[Lake, dict[str, Any]]) -> None:
    lake, truth = loaded
    for topic, dataset in (
        ("user.attempts", "user_attempts"),
        ("user.sessions", "user_sessions"),
        ("ml.training", "ml_training"),
    ):
        found = rows(lake, dataset)
        assert found["event_id"].n_unique() == found.height == truth["topics"][topic]["events"]
    poison = Table(lake, "quarantine", "messages").scan()
    assert poison is not None
    assert poison.select(pl.len()).collect().item() == sum(topic["poison"] for topic in truth["topics"].values())


def test_the_days_add_up_to_the_truth(loaded: tuple[Lake, dict[str, Any]]) -> None:
    lake, truth = loaded
    found = (
        rows(lake, "daily_aggregations")
        .group_by(pl.date("year", "month", "day").cast(pl.String).alias("day"))
        .agg(
            attempts=pl.col("total_attempts").sum(),
            correct=pl.col("correct_attempts").sum(),
            sessions=pl.col("total_sessions").sum(),
            study_minutes=pl.col("total_study_time_minutes").sum(),
        )
        .sort("day")
    )
    for told, day in zip(truth["days"], found.to_dicts(), strict=True):
        assert day == {name: pytest.approx(told[name]) if name != "day" else told[name] for name in day}


@pytest.mark.parametrize("dataset", ["user_attempts", "user_sessions", "ml_training", "daily_aggregations"])
def test_what_a_sound_platform_sends_is_of_good_quality(loaded: tuple[Lake, dict[str, Any]], dataset: str) -> None:
    lake, _ = loaded
    end = PLAN.start + timedelta(hours=3)
    report = validate(dataset, rows(lake, dataset), window_start=PLAN.start, window_end=end)
    wrong = {result.check.name: result.status for result in report.results if result.status not in {"ok", "info"}}
    assert wrong == {}
    assert report.score > 99


def test_a_window_is_judged_by_its_size_once_it_is_whole(loaded: tuple[Lake, dict[str, Any]]) -> None:
    lake, _ = loaded
    ledger = Ledger(lake)
    first = Window(rows(lake, "user_attempts")["window_start"].min())
    plan = ledger.last_plan("user_attempts", first)
    assert plan is not None
    here = rows(lake, "user_attempts").filter(pl.col("window_start") == first.start).height
    assert reports.earlier_rows(ledger, plan) == 0
    assert reports.earlier_rows(ledger, replace(plan, number=plan.number + 1)) == here > 0
    assert reports.earlier_rows(ledger, replace(plan, number=plan.number + 1, mode="again")) == 0


def test_states_go_on_from_window_to_window(loaded: tuple[Lake, dict[str, Any]]) -> None:
    lake, _ = loaded
    attempts = rows(lake, "user_attempts").sort("user_id", "topic", "attempted_at", "event_id")
    assert attempts["window_start"].n_unique() > 1
    chain = attempts.with_columns(
        expected=pl.col("bkt_prob_knowledge_after").shift().over("user_id", "topic")
    ).drop_nulls("expected")
    # An attempt that arrived a window after a newer one is computed from the newer one.
    in_order = chain.filter(pl.col("window_start") >= pl.col("window_start").shift().over("user_id", "topic"))
    same = (in_order["expected"] == in_order["bkt_prob_knowledge_before"]).mean()
    assert same is not None
    assert same > 0.99


def test_fitted_parameters_are_kept_and_used_by_the_next_window(
    loaded: tuple[Lake, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, truth = loaded
    assert fitted.parameters(lake).bkt.height == 0
    monkeypatch.setenv("SCHOOLHOUSE_DATA_DIR", str(lake.settings.data_dir))
    days = (datetime.now(UTC) - PLAN.start + timedelta(days=1)).days
    runner = CliRunner()
    dry = runner.invoke(app, ["lake", "fit", "--days", str(days), "--dry-run", "--json"])
    assert dry.exit_code == 0, dry.output
    assert fitted.parameters(lake).bkt.height == 0
    done = runner.invoke(app, ["lake", "fit", "--days", str(days)])
    assert done.exit_code == 0, done.output
    kept = fitted.parameters(lake)
    assert kept.as_json()["bkt"] == json.loads(dry.stdout)["bkt"]
    assert kept.irt.height == 20
    true = {topic["topic"]: topic for topic in truth["bkt"]}
    for topic in kept.bkt.iter_rows(named=True):
        assert topic["guess"] == pytest.approx(true[topic["topic"]]["guess"], abs=0.1)
    last = Window(rows(lake, "user_attempts")["window_start"].min())
    window.run(lake, "user_attempts", last, again=True)
    first = (
        rows(lake, "user_attempts")
        .filter(pl.col("window_start") == last.start)
        .sort("attempted_at")
        .unique(["user_id", "topic"], keep="first", maintain_order=True)
    )
    priors = dict(kept.bkt.select("topic", "prior").iter_rows())
    for known, topic in first.select("bkt_prob_knowledge_before", "topic").iter_rows():
        assert known == pytest.approx(priors[topic])


def test_a_lake_without_attempts_has_nothing_to_fit(tmp_path: Path) -> None:
    empty = lake_of(load_settings(data_dir=tmp_path))
    with pytest.raises(NotFound, match="too few attempts"):
        fitted.fit_lake(empty, 30)


def test_a_span_without_attempts_leaves_the_parameters_in_use(
    loaded: tuple[Lake, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, _ = loaded
    monkeypatch.setenv("SCHOOLHOUSE_DATA_DIR", str(lake.settings.data_dir))
    before = fitted.parameters(lake).as_json()
    refused = CliRunner().invoke(app, ["lake", "fit", "--days", "1"])  # the plan's days are long past
    assert isinstance(refused.exception, NotFound)
    assert fitted.parameters(lake).as_json() == before
