"""Drawings of answers: what has a name of its own in the rows has a bar of its own."""

from __future__ import annotations

from dataclasses import replace

from schoolhouse.analytics.answers import Asker, ChartAnswer, ChartFilters, answer_chart, project_scope, section_scope
from schoolhouse.analytics.catalogue import find_chart
from schoolhouse.analytics.drawing import drawing, picture
from schoolhouse.analytics.projects import find_project
from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import find_section
from schoolhouse.warehouse.connection import Warehouse
from tests.analytics.given_events import statement_of
from tests.given import load

TEACHER = Asker("tests", may_see_learners=True)


def _answer(readers: Readers, name: str) -> ChartAnswer:
    scope = section_scope(find_section(readers, "2", who="tests"))
    return answer_chart(readers, find_chart(name), scope, ChartFilters(), TEACHER)


def test_videos_of_the_same_file_name_have_bars_of_their_own(tables: Warehouse, readers: Readers) -> None:
    acts = [
        {"who": who, "at": f"03-02 10:00:{second:02}", "did": did, "video": f"{week}/intro.mp4", "time": second}
        for who, week in (("ann", "week1"), ("bo", "week2"))
        for did, second in (("play", 0), ("pause", 10))
    ]
    load(tables, [statement_of(act, 2) for act in acts])
    answer = _answer(readers, "video_completion")
    assert [row["label"] for row in drawing(answer)["data"]["values"]] == ["intro.mp4 (week1)", "intro.mp4 (week2)"]
    svg = picture(answer, "svg").decode()
    assert ">intro.mp4 (week1)<" in svg
    assert ">intro.mp4 (week2)<" in svg


def test_a_page_is_called_the_same_at_both_ends_of_a_path(tables: Warehouse, readers: Readers) -> None:
    pages = (("10:00", 5), ("10:01", 6), ("10:02", 7))
    load(
        tables,
        [statement_of({"who": "ann", "at": f"03-02 {at}", "did": "view", "page": page}, 2) for at, page in pages],
    )
    answer = _answer(readers, "page_path")
    named = [(from_page, to_page, "Quiz", "Quiz" if to_page == "6" else "End", *more)
             for from_page, to_page, _, _, *more in answer.rows]  # fmt: skip
    rows = drawing(replace(answer, rows=named))["data"]["values"]
    assert [(row["from_label"], row["to_label"]) for row in rows] == [("Quiz (5)", "Quiz (6)"), ("Quiz (6)", "End")]


def test_experiments_are_told_apart(tables: Warehouse, readers: Readers) -> None:
    experiments = ("11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000001")
    acts = [
        {"who": "ann", "at": "03-02 10:00", "did": "assign", "experiment": e, "condition": "a"} for e in experiments
    ]
    load(tables, [statement_of(act, 2) for act in acts])
    answer = _answer(readers, "experiment_conditions")
    assert len({row["experiment_mark"] for row in drawing(answer)["data"]["values"]}) == 2


def test_what_has_no_place_is_not_drawn_at_infinity(tables: Warehouse, readers: Readers) -> None:
    load(tables, [statement_of({"who": "ann", "at": "03-02 10:00", "did": "view", "page": 5}, 2)])
    scope = project_scope(readers, find_project(readers, "7", who="tests"), who="tests")
    answer = answer_chart(readers, find_chart("section_comparison"), scope, ChartFilters(), TEACHER)
    assert answer.dicts()[0]["mean_score"] is None
    assert drawing(answer)["data"]["values"] == []
    svg = picture(answer, "svg").decode()
    assert answer.chart.empty in svg
    assert "e308" not in svg
