"""Custom SQL and saved questions over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.web.conftest import Reply
from tests.web.visitors import PeopledSite

OWN = "/api/v1/sections/42@torus.example"
COUNT = "SELECT event_type, count() AS events FROM raw_events GROUP BY event_type ORDER BY event_type"


def _send(site: PeopledSite, who: str, method: str, path: str, body: dict[str, Any]) -> Reply:
    return site.request(who, method, path, json.dumps(body).encode(), Content_Type="application/json")


def _ask(site: PeopledSite, who: str, path: str, sql: str, **more: str) -> Reply:
    return _send(site, who, "POST", f"{path}/query", {"sql": sql, **more})


def test_an_instructor_asks_and_gets_rows_types_and_time(peopled_site: PeopledSite) -> None:
    answer = _ask(peopled_site, "ann", OWN, COUNT).json()
    assert answer["columns"] == [
        {"name": "event_type", "type": "LowCardinality(String)"},
        {"name": "events", "type": "UInt64"},
    ]
    assert answer["rows"] == [["page_attempt", 1], ["page_viewed", 2]]
    assert answer["seconds"] >= 0
    assert answer["read_rows"] > 0


def test_other_formats_come_as_files(peopled_site: PeopledSite) -> None:
    csv = _ask(peopled_site, "ann", OWN, COUNT, format="csv")
    assert csv.text.splitlines()[1] == '"page_attempt",1'
    assert csv.headers["content-type"].startswith("text/csv")
    assert _ask(peopled_site, "ann", OWN, "SELECT '=1+1' AS a, -1 AS b", format="csv").text == '"a","b"\n"\'=1+1",-1\n'
    assert _ask(peopled_site, "ann", OWN, "SELECT NULL AS a, '' AS b", format="csv").text == '"a","b"\n,""\n'
    assert _ask(peopled_site, "ann", OWN, COUNT, format="parquet").body[:4] == b"PAR1"
    assert _ask(peopled_site, "ann", OWN, COUNT, format="arrow").status == 200


@pytest.mark.parametrize(
    "path",
    ["/api/v1/sections/43@torus.example", "/api/v1/sections/42@other.example", "/api/v1/projects/7@torus.example"],
)
def test_an_instructor_of_one_section_asks_no_other(peopled_site: PeopledSite, path: str) -> None:
    assert _ask(peopled_site, "ann", path, COUNT).status == 403
    assert _ask(peopled_site, "", path, COUNT).status == 401
    assert peopled_site.get("ann", f"{path}/questions").status == 403


def test_in_the_own_section_the_others_do_not_exist(peopled_site: PeopledSite) -> None:
    sql = "SELECT count() FROM raw_events WHERE section_id = 43 OR 1 = 1 UNION ALL SELECT count() FROM sections"
    assert sorted(_ask(peopled_site, "ann", OWN, sql).json()["rows"]) == [[1], [3]]


def test_an_author_asks_of_the_project_and_counts_learners_without_seeing_them(peopled_site: PeopledSite) -> None:
    path = "/api/v1/projects/7@torus.example"
    sections = _ask(peopled_site, "cy", path, "SELECT DISTINCT section_id FROM raw_events ORDER BY section_id").json()
    assert sections["rows"] == [[0], [42], [43]]
    assert _ask(peopled_site, "cy", path, "SELECT uniq(user_id) FROM raw_events").json()["rows"] == [[23]]
    refused = _ask(peopled_site, "cy", path, "SELECT user_id FROM raw_events")
    assert (refused.status, refused.json()["error"]["code"]) == (400, "question_refused")


def test_a_refusal_says_the_place(peopled_site: PeopledSite) -> None:
    error = _ask(peopled_site, "ann", OWN, "SELECT 1,\n  file('/etc/passwd')").json()["error"]
    assert error["place"] == [2, 3]
    assert error["message"] == "Line 2, column 3: The function file is not allowed here."


def test_what_was_asked_is_recorded_with_its_outcome(peopled_site: PeopledSite) -> None:
    _ask(peopled_site, "ann", OWN, "SELECT 'recorded' AS x")
    _ask(peopled_site, "ann", OWN, "SELECT * FROM learners -- kim@school.example")
    entries = peopled_site.site.app.state.schoolhouse.database.audit.entries(who="ann", action="query")
    by_outcome = {entry.outcome: entry for entry in entries[:2]}
    assert "recorded" in by_outcome["ok"].detail
    assert "kim@school" not in by_outcome["question_refused"].detail


def test_tables_are_described_for_who_writes_questions(peopled_site: PeopledSite) -> None:
    tables = {table["name"]: table for table in peopled_site.get("ann", "/api/v1/tables").json()}
    assert set(tables) == {"raw_events", "video_events", "experiment_attributions", "sections"}
    assert {"name": "section_id", "type": "UInt64"} in tables["raw_events"]["columns"]


def test_a_question_is_kept_shared_changed_and_removed(peopled_site: PeopledSite) -> None:
    questions = f"{OWN}/questions"
    draft = {"title": "Views", "sql": COUNT, "chart": '{"mark": "bar"}'}
    kept = _send(peopled_site, "ann", "POST", questions, draft)
    assert kept.status == 201
    path = f"{questions}/{kept.json()['id']}"
    assert [each["title"] for each in peopled_site.get("ann", questions).json()] == ["Views"]
    assert peopled_site.get("di", questions).json() == []  # not shared yet
    shared = _send(peopled_site, "ann", "PUT", path, {**draft, "is_shared": True})
    assert shared.json()["is_shared"] is True
    assert [each["owner"] for each in peopled_site.get("di", questions).json()] == ["ann"]
    assert _send(peopled_site, "di", "PUT", path, draft).status == 403
    assert peopled_site.request("di", "DELETE", path).status == 403
    assert peopled_site.get("di", "/api/v1/sections/43@torus.example/questions").json() == []
    assert peopled_site.request("ann", "DELETE", path).status == 204
    assert peopled_site.request("ann", "DELETE", path).status == 404


def test_an_admin_unshares_what_somebody_else_shared(peopled_site: PeopledSite) -> None:
    questions = f"{OWN}/questions"
    draft = {"title": "Views", "sql": COUNT}
    path = f"{questions}/{_send(peopled_site, 'ann', 'POST', questions, {**draft, 'is_shared': True}).json()['id']}"
    changed = _send(peopled_site, "root", "PUT", path, draft)
    assert (changed.status, changed.json()["is_shared"], changed.json()["owner"]) == (200, False, "ann")
    assert ": Views" in peopled_site.get("root", "/admin/audit?action=change%20question&who=root").text
    assert peopled_site.request("ann", "DELETE", path).status == 204


@pytest.mark.parametrize(
    "draft",
    [{"title": "", "sql": "SELECT 1"}, {"title": "x", "sql": ""}, {"title": "x", "sql": "SELECT 1", "chart": "[1"}],
)
def test_what_cannot_be_kept_is_refused(peopled_site: PeopledSite, draft: dict[str, str]) -> None:
    assert _send(peopled_site, "ann", "POST", f"{OWN}/questions", draft).status == 400
