"""Projects: which sections teach them, and that their charts count nothing of another project."""

from __future__ import annotations

from typing import Any

import pytest

from schoolhouse.analytics.answers import Asker, ChartFilters, answer_chart, project_scope, section_scope
from schoolhouse.analytics.catalogue import catalogue, find_chart
from schoolhouse.analytics.projects import find_project, projects_at
from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import find_section
from schoolhouse.errors import NotFound
from schoolhouse.warehouse.connection import Warehouse
from tests.given import HOST, load, page_viewed

SHARED = 42  # a section that teaches pages of projects 7 and 9


@pytest.fixture
def readers(readers: Readers, tables: Warehouse) -> Readers:
    times = [f"2026-03-0{day}T10:00:00Z" for day in range(1, 6)]
    load(tables, [page_viewed(SHARED, 901, time, project=9) for time in times])
    load(tables, [page_viewed(43, 903, times[0], project=9), page_viewed(None, 904, times[0], project=9)])
    load(tables, [page_viewed(SHARED, 902, times[1])])  # the last to arrive names project 7
    return readers


def events(readers: Readers, number: int) -> int:
    scope = project_scope(readers, find_project(readers, str(number), who="tests"), who="tests")
    answer = answer_chart(readers, find_chart("event_summary"), scope, ChartFilters(), Asker("tests", True))
    return sum(row["events"] for row in answer.dicts())


def test_a_project_counts_what_names_it_and_no_other_project_of_its_sections(readers: Readers) -> None:
    seven, nine = (find_project(readers, str(number), who="tests") for number in (7, 9))
    assert (seven.platform, seven.section_ids) == (HOST, (SHARED,))
    assert nine.section_ids == (SHARED, 43)
    assert (events(readers, 7), events(readers, 9)) == (1, 6)


def test_a_section_counts_the_pages_of_all_its_projects(readers: Readers) -> None:
    scope = section_scope(find_section(readers, str(SHARED), who="tests"))
    answer = answer_chart(readers, find_chart("event_summary"), scope, ChartFilters(), Asker("tests", True))
    assert sum(row["events"] for row in answer.dicts()) == 6


def test_no_chart_of_a_project_changes_with_another_projects_statements(readers: Readers, tables: Warehouse) -> None:
    scope = project_scope(readers, find_project(readers, "7", who="tests"), who="tests")
    charts = [chart for chart in catalogue() if "project" in chart.scopes]

    def rows() -> dict[str, list[Any]]:
        return {c.name: answer_chart(readers, c, scope, ChartFilters(), Asker("tests", True)).rows for c in charts}

    before = rows()
    assert any(before.values())
    load(tables, [page_viewed(SHARED, 905, "2026-03-09T10:00:00Z", project=9)])
    assert rows() == before


def test_a_host_that_two_platforms_share_names_both_of_their_projects(readers: Readers, tables: Warehouse) -> None:
    (alone,) = projects_at(readers, "7@torus.example", who="tests")
    load(tables, [page_viewed(SHARED, 906, "2026-03-09T10:00:00Z", platform=HOST.replace("https", "http"))])
    found = projects_at(readers, alone.slug, who="tests")
    assert {each.platform for each in found} == {HOST, HOST.replace("https", "http")}
    for each in found:
        assert projects_at(readers, each.slug, who="tests") == [each]


def test_a_project_that_nothing_names_is_not_found(readers: Readers) -> None:
    for address in ("0", "8", "x", "9" * 5000, "-7", "7@other.example", ""):
        assert projects_at(readers, address, who="tests") == [], address
        with pytest.raises(NotFound):
            find_project(readers, address, who="tests")
