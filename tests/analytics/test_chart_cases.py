"""Every chart answers its given events with the expected rows, on both handles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pytest
import yaml

from schoolhouse.analytics.answers import Asker, answer_chart, project_scope, section_scope
from schoolhouse.analytics.catalogue import catalogue, find_chart
from schoolhouse.analytics.projects import Project
from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import Section, find_section
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import open_warehouse
from schoolhouse.web.chart_address import read_filters
from tests.analytics.given_events import course_key, statement_of
from tests.conftest import settings_on
from tests.given import load

TEACHER = Asker("tests", may_see_learners=True)


@dataclass(frozen=True)
class Case:
    chart: str
    name: str
    section: int  # a section of its own, so that all cases share one warehouse
    text: str

    @property
    def facts(self) -> dict[str, Any]:
        return dict(yaml.safe_load(self.text))

    @property
    def key(self) -> str:
        return course_key(self.section) if self.facts.get("dialect") == "openedx" else str(self.section)


def _cases() -> list[Case]:
    found = []
    for chart in catalogue():
        folder = files("schoolhouse.analytics.charts").joinpath(chart.name, "cases")
        for entry in sorted(folder.iterdir(), key=lambda each: each.name):
            name = entry.name.removesuffix(".yaml")
            found.append(Case(chart.name, name, 1001 + len(found), entry.read_text(encoding="utf-8")))
    return found


CASES = _cases()


@pytest.fixture(scope="module", params=["embedded", "server"])
def readers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readers]:
    """A warehouse that holds the events of all cases, each in its own section."""
    settings = settings_on(request.param, request, data_dir=tmp_path_factory.mktemp("cases"))
    with open_warehouse(settings, who="tests", must_exist=False) as warehouse:
        migrations.up(warehouse)
        load(warehouse, [statement_of(event, case.section) for case in CASES for event in case.facts["given"]])
        for case in CASES:
            rows = [_block(case.section, name, title) for name, title in case.facts.get("titles", {}).items()]
            columns = ("course_key", "location", "display_name", "time_last_dumped")
            if rows:
                warehouse.insert("course_blocks", rows, columns, why="tests")
    opened = Readers(settings)
    yield opened
    opened.close()
    with open_warehouse(settings, who="tests") as warehouse:
        warehouse.run(f"DROP DATABASE `{settings.clickhouse_database}` SYNC", why="tidy up after a test")


def _block(section: int, name: str, title: str) -> tuple[Any, ...]:
    from datetime import UTC, datetime

    kind = "problem" if name.startswith("p") else "sequential"
    location = f"{course_key(section).replace('course', 'block')}+type@{kind}+block@{name}"
    return course_key(section), location, title, datetime(2026, 1, 1, tzinfo=UTC)


def _project(section: Section) -> Project:
    """The project of a section that names one, and else (Open edX) the whole section as one."""
    return Project(section.platform, section.project_id or 0, "7", (section.section_id,))


def _filters(case: Case) -> dict[str, Any]:
    return {name: str(value) for name, value in case.facts.get("filters", {}).items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.chart}-{case.name}")
def test_the_chart_answers_the_given_events(readers: Readers, case: Case) -> None:
    section = find_section(readers, case.key, who="tests")
    kind = "section" if "section" in find_chart(case.chart).scopes else "project"
    scope = section_scope(section)
    if kind == "project":
        scope = project_scope(readers, _project(section), who="tests")
    answer = answer_chart(readers, find_chart(case.chart, kind), scope, read_filters(_filters(case)), TEACHER)
    rows = json.loads(json.dumps(answer.dicts()))
    expected = case.facts["expected"]
    assert len(rows) == len(expected), rows
    for row, wanted in zip(rows, expected, strict=True):
        assert {name: row[name] for name in wanted} == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("chart", catalogue(), ids=lambda chart: chart.name)
def test_the_answer_has_the_columns_that_the_chart_is_said_to_have(readers: Readers, chart: Any) -> None:
    case = next(case for case in CASES if case.chart == chart.name)
    section = find_section(readers, case.key, who="tests")
    scope = section_scope(section)
    if "project" in chart.scopes:
        scope = project_scope(readers, _project(section), who="tests")
    answer = answer_chart(readers, chart, scope, read_filters(_filters(case)), TEACHER)
    assert answer.rows
    assert answer.columns == tuple(column.name for column in chart.columns)


def test_every_chart_has_a_case() -> None:
    assert {case.chart for case in CASES} == {chart.name for chart in catalogue()}
