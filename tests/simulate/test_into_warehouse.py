"""A simulated run in the warehouse: its answers equal the truth exactly."""

from __future__ import annotations

import multiprocessing
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.simulate import Plan, into_warehouse
from schoolhouse.simulate.into_warehouse import load_statements
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.loads import LoadSummary
from tests.simulate.lines import FLAWS, small_plan, told

pytestmark = [
    pytest.mark.xdist_group("simulated warehouse"),
    pytest.mark.parametrize("dialect", ["torus", "openedx"]),
    pytest.mark.parametrize("handle", ["embedded"], indirect=True),
]

_COUNTS = """
    SELECT section_id, event_type, toString(toDate(timestamp)) AS day, count() AS statements
    FROM raw_events FINAL GROUP BY section_id, event_type, day
"""
_LEARNERS = "SELECT section_id, uniqExact(platform, user_id) AS learners FROM raw_events FINAL GROUP BY section_id"
_ACTIVITIES = """
    SELECT section_id, {activity} AS activity, count() AS attempts, uniqExact(user_id) AS learners,
           avg(scaled_score) AS mean
    FROM raw_events FINAL WHERE {condition} GROUP BY section_id, activity
"""
_SCORED = {
    "torus": ("activity_id", "event_type = 'activity_attempt'"),
    "openedx": ("object_id", "event_type = 'problem' AND endsWith(verb_id, '/evaluated')"),
}
_VIDEOS = """
    SELECT section_id, video_url AS video, countIf(verb_id LIKE '%/played') AS plays,
           uniqExactIf(user_id, verb_id LIKE '%/played') AS viewers, countIf(verb_id LIKE '%/completed') AS completions
    FROM raw_events FINAL WHERE event_type = 'video' GROUP BY section_id, video
"""


_EXPERIMENTS = """
    SELECT section_id, condition_code AS condition, countIf(raw_event_type = 'experiment') AS learners,
           countIf(raw_event_type != 'experiment') AS attributions
    FROM experiment_attributions FINAL GROUP BY section_id, condition
"""


def section_ids(warehouse: Warehouse) -> dict[int, int | str]:
    """What the truth calls each section, by the warehouse's number."""
    rows = warehouse.ask("SELECT section_id, key FROM sections FINAL", why="test").rows
    return {number: int(key) if key.isdigit() else key for number, key in rows}


def check(warehouse: Warehouse, plan: Plan, summary: LoadSummary, truth: dict[str, Any]) -> None:
    names = section_ids(warehouse)

    def rows(sql: str) -> list[dict[str, Any]]:
        found = warehouse.ask(sql, why="test").dicts()
        return [{"section": names[row.pop("section_id")], **row} for row in found]

    assert summary.lines == truth["lines"]
    assert summary.new == truth["statements"]
    assert summary.duplicate == truth["duplicates"]
    assert summary.conflict == 0
    assert summary.rejected == truth["rejects"]
    assert by_key(rows(_COUNTS), 3) == by_key(truth["counts"], 3)
    learners = [{"section": row["section"], "learners": row["learners"]} for row in truth["learners"]]
    assert by_key(rows(_LEARNERS), 1) == by_key(learners, 1)
    activity, condition = _SCORED[plan.dialect]
    found = by_key(rows(_ACTIVITIES.format(activity=activity, condition=condition)), 2)
    assert found.keys() == by_key(truth["activities"], 2).keys()
    for key, (attempts, people, mean, *_) in by_key(truth["activities"], 2).items():
        assert found[key][:2] == (attempts, people)
        assert found[key][2] == pytest.approx(mean, abs=1e-9)
    assert by_key(rows(_VIDEOS), 2) == by_key(truth["videos"], 2)
    assert by_key(rows(_EXPERIMENTS), 2) == by_key(truth["experiments"], 2)


def by_key(rows: list[dict[str, Any]], width: int) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    values = [tuple(row.values()) for row in rows]
    return {row[:width]: row[width:] for row in values}


def test_the_warehouse_answers_what_the_truth_says(tables: Warehouse, dialect: str) -> None:
    plan = small_plan(dialect, flaws=replace(FLAWS, too_long=0.0005), statements=20_000)
    summary, truth = load_statements(tables, plan)
    check(tables, plan, summary, told(truth))


@pytest.mark.slow
def test_a_million_statements_answer_what_the_truth_says(tables: Warehouse, dialect: str) -> None:
    plan = small_plan(dialect, flaws=FLAWS, sections=24, learners=2_000, statements=1_000_000)
    summary, truth = load_statements(tables, plan)
    assert truth.statements == 1_000_000
    check(tables, plan, summary, told(truth))


def test_loading_a_run_again_adds_nothing(tables: Warehouse, dialect: str) -> None:
    plan = small_plan(dialect, statements=3_000)
    first, _ = load_statements(tables, plan)
    second, _ = load_statements(tables, plan)
    assert (first.new, second.new, second.duplicate) == (3_000, 0, 3_000)


@pytest.mark.slow
def test_a_run_that_is_cut_off_leaves_no_files_and_no_workers(
    tables: Warehouse, dialect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(into_warehouse, "FILE_BYTES", 1_000_000)
    loaded = []

    def stop(lines: int, size_bytes: int) -> None:
        loaded.append((lines, size_bytes, [path.name for path in tmp_path.iterdir()]))
        raise KeyboardInterrupt

    plan = small_plan(dialect, statements=160_000)  # enough for two workers
    with pytest.raises(KeyboardInterrupt):
        load_statements(tables, plan, on_progress=stop)
    ((lines, size_bytes, names),) = loaded
    assert 0 < lines < 160_000
    assert size_bytes > 1_000_000
    assert len(names) == 1  # the run's own directory
    assert not list(tmp_path.iterdir())
    assert not multiprocessing.active_children()
    summary, _ = load_statements(tables, plan)
    assert (summary.accepted, summary.duplicate > 0) == (160_000, True)
