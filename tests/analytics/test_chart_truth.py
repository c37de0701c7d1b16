"""Every chart's numbers equal what the simulated learners did, through statements, flaws, loading and FINAL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.analytics.answers import Asker, ChartFilters, ChartScope, answer_chart, project_scope
from schoolhouse.analytics.catalogue import catalogue, find_chart
from schoolhouse.analytics.projects import Project
from schoolhouse.analytics.readers import Readers
from schoolhouse.settings import Settings, load_settings
from schoolhouse.simulate import Imperfections, campus_plan, openedx, torus
from schoolhouse.simulate.campus import Plan, course_of, sections_of
from schoolhouse.simulate.into_warehouse import load_statements
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import open_warehouse
from tests.analytics.campus_truth import KEYS, TRUTHS, Campus, tell

FLAWS = Imperfections(duplicates=0.02, malformed=0.002)
EVERYTHING = ChartFilters(top=1000)
CHARTS = [chart.name for chart in catalogue()]


@dataclass(frozen=True)
class Told:
    """A loaded campus: what happened, in the sections of a project and in its first section alone."""

    plan: Plan
    readers: Readers
    project: ChartScope
    first: ChartScope
    all_events: Campus
    first_events: Campus


def _told(plan: Plan, settings: Settings) -> Told:
    places = [place.index for place in sections_of(plan) if place.course_number == 0]
    with open_warehouse(settings, who="tests", must_exist=False) as warehouse:
        migrations.up(warehouse)
        load_statements(warehouse, plan, workers=1)
        known = dict(warehouse.ask("SELECT key, section_id FROM sections FINAL", why="tests").rows)
    ids = [known[_key(plan, index)] for index in places]
    readers = Readers(settings)
    number = torus.FIRST_PROJECT if plan.dialect == "torus" else 0  # Open edX names no project
    project = project_scope(readers, Project(plan.host, number, "p", tuple(ids)), who="tests")
    first = ChartScope("section", plan.host, (ids[0],), (), "s", "s")
    return Told(plan, readers, project, first, tell(plan, places), tell(plan, places[:1]))


def _key(plan: Plan, index: int) -> str:
    place = sections_of(plan)[index]
    if plan.dialect == "torus":
        return str(place.number)
    return openedx.course_key(course_of(plan, place.course_number), place)


def _own_database(data_dir: Path) -> Settings:
    return load_settings(data_dir=data_dir, clickhouse_database=f"truth_{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="module", params=["torus", "openedx"])
def told(request: pytest.FixtureRequest, embedded_data_dir: Path) -> Iterator[Told]:
    plan = campus_plan(dialect=request.param, sections=2, learners=60, days=42, statements=14_000, seed=5, flaws=FLAWS)
    made = _told(plan, _own_database(embedded_data_dir))
    yield made
    made.readers.close()


@pytest.mark.parametrize("name", CHARTS)
def test_the_chart_says_what_the_learners_did(told: Told, name: str) -> None:
    _compare(told, name)


@pytest.mark.slow
@pytest.mark.parametrize(("dialect", "statements"), [("torus", 700_000), ("openedx", 300_000)])
def test_every_chart_is_true_on_a_million_statements(embedded_data_dir: Path, dialect: str, statements: int) -> None:
    plan = campus_plan(
        dialect=dialect, sections=3, learners=statements // 500, days=70, statements=statements, seed=11, flaws=FLAWS
    )
    told = _told(plan, _own_database(embedded_data_dir))
    try:
        assert len(told.all_events.events) == statements
        for name in CHARTS:
            _compare(told, name)
    finally:
        told.readers.close()


def _compare(told: Told, name: str) -> None:
    chart = find_chart(name)
    is_project = "project" in chart.scopes
    scope, campus = (told.project, told.all_events) if is_project else (told.first, told.first_events)
    answer = answer_chart(told.readers, chart, scope, EVERYTHING, Asker("tests", may_see_learners=True))
    rows = {_key_of(told, name, row): row for row in answer.dicts()}
    truth = {tuple(row[key] for key in KEYS[name]): row for row in TRUTHS[name](campus)}
    limit = EVERYTHING.top if "top" in chart.filters and name != "page_views_by_day" else len(truth)
    assert len(rows) == len(answer.rows) == min(limit, len(truth)), name
    for key, row in rows.items():
        wanted = {column: value for column, value in truth[key].items() if column in row and column not in KEYS[name]}
        assert {column: row[column] for column in wanted} == pytest.approx(wanted, abs=1e-9), (name, key)


def _key_of(told: Told, name: str, row: dict[str, Any]) -> tuple[Any, ...]:
    """The key of an answered row as the truth has it: places and learners of the simulation."""
    if name == "section_comparison":
        return (told.project.section_ids.index(row["section_id"]),)
    if name == "learners_at_risk":
        if told.plan.dialect == "torus":
            return (int(row["learner"]) - torus.FIRST_USER,)
        names = openedx.learner_ids(told.plan, list(range(told.plan.learners)))
        return (names.index(row["learner"]),)
    return tuple(row[key] for key in KEYS[name])
