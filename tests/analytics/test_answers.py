"""What charts answer about several sections at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from schoolhouse.analytics.answers import Asker, ChartFilters, answer_chart, project_scope, section_scope
from schoolhouse.analytics.catalogue import find_chart
from schoolhouse.analytics.projects import Project
from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import find_section
from schoolhouse.warehouse.connection import Warehouse
from tests.analytics.given_events import course_key, statement_of
from tests.given import HOST, E, load, page_viewed

TEACHER = Asker("tests", may_see_learners=True)


def _of_project(readers: Readers, name: str, *sections: int) -> list[dict[str, Any]]:
    scope = project_scope(readers, Project(HOST, 7, "7", sections), who="tests")
    return answer_chart(readers, find_chart(name, "project"), scope, ChartFilters(), TEACHER).dicts()


def _did(who: str, at: str, did: str, section: int, **more: Any) -> dict[str, Any]:
    made = statement_of({"who": who, "at": at, "did": did, **more}, section)
    made["context"].setdefault("extensions", {})[f"{E}project_id"] = 7
    return made


def test_a_conflict_does_not_move_today(tables: Warehouse, readers: Readers) -> None:
    viewed = _did("ann", "03-02 10:00", "view", 1, page=5) | {"id": "00000000-0000-4000-8000-000000000001"}
    load(tables, [viewed])
    load(tables, [viewed | {"timestamp": "2026-09-01T10:00:00Z"}])
    [row] = _of_project(readers, "section_comparison", 1)
    assert (row["learners"], row["active_learners"], row["events"]) == (1, 1, 1)


def test_who_leaves_one_of_two_sections_is_not_gone(tables: Warehouse, readers: Readers) -> None:
    load(
        tables,
        [
            _did("kim", "03-02 10:00", "register", 10),
            _did("kim", "03-09 10:00", "register", 11),
            _did("kim", "03-16 10:00", "unregister", 10),
            _did("lou", "03-02 10:00", "register", 10),
            _did("lou", "03-02 11:00", "register", 11),
            _did("lou", "03-16 10:00", "unregister", 11),
            _did("lou", "03-23 10:00", "unregister", 10),
        ],
    )
    both = [find_section(readers, course_key(number), who="tests").section_id for number in (10, 11)]
    assert [tuple(row.values()) for row in _of_project(readers, "enrolments", *both)] == [
        ("2026-03-02", 2, 0, 2),
        ("2026-03-23", 0, 1, 1),
    ]
    assert [tuple(row.values()) for row in _of_project(readers, "enrolments", both[0])] == [
        ("2026-03-02", 2, 0, 2),
        ("2026-03-16", 0, 1, 1),
        ("2026-03-23", 0, 1, 0),
    ]


def _name_page(tables: Warehouse, course_key: str, title: str) -> None:
    columns = ("course_key", "location", "display_name", "time_last_dumped")
    tables.insert("course_blocks", [(course_key, "90", title, datetime(2026, 1, 1, tzinfo=UTC))], columns, why="tests")


def _titles(readers: Readers, slug: str) -> list[str]:
    scope = section_scope(find_section(readers, slug, who="tests"))
    answer = answer_chart(readers, find_chart("page_engagement"), scope, ChartFilters(), TEACHER)
    return [row["title"] for row in answer.dicts()]


def test_a_page_is_named_by_the_number_of_its_section_where_one_platform_has_it(
    tables: Warehouse, readers: Readers
) -> None:
    load(tables, [page_viewed(42, 1, "2026-03-02T10:00:00Z", page=90)])
    _name_page(tables, "42", "Exam")
    assert _titles(readers, "42@torus.example") == ["Exam"]


def test_no_page_of_another_platform_lends_its_name(tables: Warehouse, readers: Readers) -> None:
    other = "https://other.example"
    load(tables, [page_viewed(42, 1, "2026-03-02T10:00:00Z", page=90, platform=each) for each in (HOST, other)])
    _name_page(tables, "42", "Secret exam of one of them")
    assert _titles(readers, "42@torus.example") == _titles(readers, "42@other.example") == ["Page 90"]
    _name_page(tables, f"42@{HOST}", "Exam")
    assert _titles(readers, "42@torus.example") == ["Exam"]
    assert _titles(readers, "42@other.example") == ["Page 90"]
    scope = project_scope(readers, Project(HOST, 7, "7", (42,)), who="tests")
    answer = answer_chart(readers, find_chart("page_engagement"), scope, ChartFilters(), TEACHER)
    assert [row["title"] for row in answer.dicts()] == ["Exam"]
