"""The API answers as documented, and every error has one shape."""

from __future__ import annotations

import json

import pytest

from schoolhouse.web.failures import ErrorBody
from tests.web.conftest import TOKEN, Reply, Site


def _error(reply: Reply) -> str:
    assert reply.headers["content-type"] == "application/json"
    return ErrorBody.model_validate(reply.json(), extra="forbid").error.code


def _ask(site: Site, question: object, *, token: str = TOKEN) -> Reply:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    return site.request("POST", "/api/query", body=json.dumps(question).encode(), headers=headers)


def test_sections_come_in_pages(site: Site) -> None:
    first = site.get("/api/sections?per_page=3&sort=events").json()
    assert (first["total"], first["pages"]) == (4, 2)
    assert first["sections"][0] == {
        "slug": "43@torus.example",
        "platform": "https://torus.example",
        "section_id": 43,
        "key": "43",
        "title": "",
        "project_id": 7,
        "events": 200,
        "learners": 20,
        "newest_event": first["sections"][0]["newest_event"],
    }
    second = site.get("/api/sections?per_page=3&sort=events&page=2").json()
    slugs = [section["slug"] for page in (first, second) for section in page["sections"]]
    assert len(set(slugs)) == 4


def test_the_overview_adds_up(site: Site) -> None:
    overview = site.get("/api/sections/43/overview").json()
    assert overview["section"]["slug"] == "43@torus.example"
    assert overview["events"] == 200 == sum(row["events"] for row in overview["series"])
    assert sum(row["share"] for row in overview["by_type"]) == pytest.approx(1)
    assert overview["bucket"] == "week"
    assert overview["query_seconds"] > 0


def test_health_and_readiness_answer(site: Site) -> None:
    assert site.get("/healthz").json() == {"status": "ok"}
    assert site.get("/readyz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nowhere", 404, "not_found"),
        ("GET", "/api/sections/7/overview", 404, "not_found"),
        ("GET", "/sections/7", 404, "not_found"),
        ("GET", "/static/nothing.js", 404, "not_found"),
        ("GET", "/api/sections?per_page=0", 400, "usage"),
        ("DELETE", "/api/sections", 405, "usage"),
        ("GET", "/api/query", 405, "usage"),
        ("POST", "/api/query", 400, "usage"),
    ],
)
def test_every_error_has_one_shape(site: Site, method: str, path: str, status: int, code: str) -> None:
    reply = site.request(method, path)
    assert (reply.status, _error(reply)) == (status, code)
    if status == 405:
        assert reply.headers["allow"]


def test_an_api_error_is_json_even_for_a_browser(site: Site) -> None:
    assert _error(site.page("/api/nowhere")) == "not_found"


def test_the_operator_asks_in_any_format(site: Site) -> None:
    rows = _ask(site, {"sql": "SELECT count() AS n FROM raw_events FINAL", "format": "JSONEachRow"})
    assert (rows.status, rows.headers["content-type"]) == (200, "application/x-ndjson")
    assert json.loads(rows.body) == {"n": 205}
    assert _ask(site, {"sql": "SELECT 1 AS x", "format": "CSVWithNames"}).text == '"x"\n1\n'


@pytest.mark.parametrize("token", ["", "wrong", "ü"])
def test_nobody_asks_without_the_token(site: Site, token: str) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}".encode().decode("latin-1")}
    reply = site.request("POST", "/api/query", body=b'{"sql": "SELECT 1"}', headers=headers)
    assert (reply.status, _error(reply)) == (403, "access_refused")


def test_the_operators_question_cannot_write(site: Site) -> None:
    reply = _ask(site, {"sql": "DROP TABLE raw_events"})
    assert (reply.status, _error(reply)) == (403, "query_refused")
    assert site.get("/readyz").status == 200


def test_a_wrong_question_is_the_askers_error(site: Site) -> None:
    for sql in ("SELEC 1", "SELECT nothing FROM raw_events", "SELECT 1 FROM no_such_table"):
        reply = _ask(site, {"sql": sql})
        assert (reply.status, _error(reply)) == (400, "query"), sql


def test_a_setting_in_a_question_stays_with_it(site: Site) -> None:
    _ask(site, {"sql": "SET max_result_rows = 1"})
    assert len(site.get("/api/sections").json()["sections"]) == 4


def test_every_route_of_the_api_is_documented_with_its_errors(site: Site) -> None:
    document = site.get("/api/openapi.json").json()
    assert {"/api/sections", "/api/query", "/healthz", "/readyz"} <= set(document["paths"])
    for path in document["paths"].values():
        for operation in path.values():
            content = operation["responses"]["default"]["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
            assert "422" not in operation["responses"]
