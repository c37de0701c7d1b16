"""Nobody sees what is not theirs, by page or by API, and everybody can prove who they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from schoolhouse.accounts import flags
from schoolhouse.accounts.people import NewAccount, add_person
from schoolhouse.settings import Settings
from tests.web.conftest import Reply, Site, serving
from tests.web.visitors import PASSWORD, PeopledSite

OWN = "42@torus.example"
FOREIGN = ("43@torus.example", "42@other.example", "0@torus.example", "43", "no-such-course")


def _cookie(reply: Reply) -> str:
    return reply.headers["set-cookie"].split(";")[0]


def test_without_accounts_who_sits_at_this_machine_is_the_operator(site: Site) -> None:
    page = site.page("/")
    assert page.status == 200
    assert "local operator" in page.text
    assert "Sign out" not in page.text


def test_a_request_through_a_proxy_is_not_from_this_machine(site: Site) -> None:
    assert site.get("/api/sections", **{"X-Forwarded-For": "203.0.113.9"}).status == 401


def test_once_there_are_accounts_nobody_is_let_in_unasked(peopled_site: PeopledSite) -> None:
    refused = peopled_site.get("", "/api/sections")
    assert refused.status == 401
    assert refused.json()["error"]["code"] == "not_signed_in"
    assert "bearer" in refused.headers["www-authenticate"].lower()
    page = peopled_site.get("", "/sections/42@torus.example?x=1", Accept="text/html")
    assert (page.status, page.headers["location"]) == (303, "/sign-in?next=%2Fsections%2F42%40torus.example%3Fx%3D1")


@pytest.mark.parametrize("slug", FOREIGN)
def test_an_instructor_is_refused_every_other_section(peopled_site: PeopledSite, slug: str) -> None:
    for path in (f"/sections/{slug}", f"/sections/{slug}/insights"):
        page = peopled_site.get("ann", path, Accept="text/html")
        assert page.status == 403
        assert "200" not in page.text
    assert peopled_site.get("ann", f"/api/sections/{slug}/overview").status == 403


def test_an_instructor_sees_the_own_section_and_a_list_of_nothing_else(peopled_site: PeopledSite) -> None:
    assert peopled_site.get("ann", f"/sections/{OWN}", Accept="text/html").status == 200
    assert peopled_site.get("ann", f"/api/sections/{OWN}/overview").json()["events"] == 3
    listed = peopled_site.get("ann", "/api/sections").json()
    assert [section["slug"] for section in listed["sections"]] == [OWN]
    assert listed["total"] == 1
    assert "43@torus.example" not in peopled_site.get("ann", "/", Accept="text/html").text


def test_an_author_finds_the_own_projects_on_the_first_page_and_no_section(peopled_site: PeopledSite) -> None:
    page = peopled_site.get("cy", "/", Accept="text/html").text
    assert re.findall(r'href="(/projects/[^"]+)"', page) == ["/projects/7@torus.example/analytics"]
    assert 'data-state="none-yours"' in page
    assert "/projects/" not in peopled_site.get("ann", "/", Accept="text/html").text


def test_the_same_number_on_another_platform_is_another_section(peopled_site: PeopledSite) -> None:
    assert peopled_site.get("bo", "/api/sections/42@other.example/overview").status == 200
    assert peopled_site.get("bo", f"/api/sections/{OWN}/overview").status == 403


def test_a_number_that_two_platforms_have_means_the_one_that_is_theirs(peopled_site: PeopledSite) -> None:
    page = peopled_site.get("ann", "/sections/42", Accept="text/html")
    assert (page.status, page.headers["location"]) == (307, f"/sections/{OWN}")
    insights = peopled_site.get("bo", "/sections/42/insights", Accept="text/html")
    assert insights.headers["location"].startswith("/sections/42@other.example/instructor_dashboard")
    assert peopled_site.get("ann", "/api/sections/42/overview").json()["events"] == 3


def test_where_both_are_theirs_the_answer_names_both(peopled_site: PeopledSite) -> None:
    both = peopled_site.get("di", "/sections/42", Accept="text/html")
    assert both.status == 404
    assert "Choose one: 42@other.example, 42@torus.example." in both.text


def test_admins_and_analysts_see_every_section_and_authors_none(peopled_site: PeopledSite) -> None:
    for who, expected in (("root", 200), ("di", 200), ("cy", 403)):
        assert peopled_site.get(who, "/api/sections/43@torus.example/overview").status == expected
    assert peopled_site.get("root", "/api/sections/99/overview").status == 404
    assert peopled_site.get("cy", "/api/sections").json()["total"] == 0


def test_a_wrong_token_is_not_a_visitor(peopled_site: PeopledSite) -> None:
    for value in ("Bearer sht_wrong", "Bearer ", "Basic cm9vdDpyb290", "sht_"):
        assert peopled_site.get("", "/api/sections", Authorization=value).status == 401


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_do_not_get(peopled_site: PeopledSite) -> None:
    reply = peopled_site.sign_in("ann", goal=f"/sections/{OWN}")
    assert (reply.status, reply.headers["location"]) == (303, f"/sections/{OWN}")
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "secure" not in cookie.lower()  # no TLS here
    page = peopled_site.get("", f"/sections/{OWN}", Accept="text/html", Cookie=_cookie(reply))
    assert page.status == 200
    assert "Sign out" in page.text


def test_behind_tls_the_cookie_is_secure(peopled_site: PeopledSite) -> None:
    reply = peopled_site.sign_in("ann", X_Forwarded_Proto="https", X_Forwarded_For="203.0.113.7")
    assert "secure" in reply.headers["set-cookie"].lower()


def test_signing_out_ends_the_session_on_the_server(peopled_site: PeopledSite) -> None:
    cookie = _cookie(peopled_site.sign_in("ann"))
    left = peopled_site.request("", "POST", "/sign-out", Cookie=cookie)
    assert left.status == 303
    assert peopled_site.get("", "/api/sections", Cookie=cookie).status == 401


def test_a_wrong_password_is_told_without_saying_what_was_wrong(peopled_site: PeopledSite) -> None:
    known, unknown = peopled_site.sign_in("ann", "not the password"), peopled_site.sign_in("nobody", PASSWORD)
    assert (known.status, unknown.status) == (401, 401)
    assert known.text == unknown.text
    assert "set-cookie" not in known.headers


@pytest.mark.parametrize(
    "goal", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\nb", "//["]
)
def test_signing_in_never_leads_elsewhere(peopled_site: PeopledSite, goal: str) -> None:
    assert peopled_site.sign_in("ann", goal=goal).headers["location"] == "/"


def test_an_address_that_is_no_address_still_gets_the_form(peopled_site: PeopledSite) -> None:
    assert peopled_site.get("", "/sign-in?next=//[", Accept="text/html").status == 200


def test_who_comes_by_a_very_long_address_can_sign_in(peopled_site: PeopledSite) -> None:
    reply = peopled_site.get("", f"/sections/42/insights?pages={'9' * 3000}", Accept="text/html")
    assert (reply.status, reply.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({}, 303),
    ],
)
def test_a_page_elsewhere_cannot_act_for_who_is_signed_in(
    peopled_site: PeopledSite, headers: dict[str, str], expected: int
) -> None:
    cookie = _cookie(peopled_site.sign_in("ann"))
    assert peopled_site.site.request("POST", "/sign-out", headers={**headers, "Cookie": cookie}).status == expected


def test_what_people_see_and_are_refused_is_recorded(peopled_site: PeopledSite) -> None:
    peopled_site.get("ann", f"/sections/{OWN}", Accept="text/html")
    peopled_site.get("ann", "/sections/43@torus.example", Accept="text/html")
    entries = peopled_site.site.app.state.schoolhouse.database.audit.entries(who="ann")
    seen = {(entry.action, entry.subject, entry.outcome) for entry in entries}
    assert ("view", f"section {OWN}", "ok") in seen
    assert ("view", "43@torus.example", "refused") in seen


@pytest.fixture
def own_site(campus_settings: Settings, tmp_path: Path) -> Iterator[Site]:
    """A site whose flags and accounts a test may change."""
    database = SecretStr(f"sqlite:///{tmp_path / 'own.sqlite'}")
    with serving(campus_settings.model_copy(update={"database_url": database})) as served:
        yield served


def test_a_section_can_be_switched_off(own_site: Site) -> None:
    engine = own_site.app.state.schoolhouse.database.engine
    flags.set_share(engine, "section-analytics", 0)
    flags.choose(engine, "section-analytics", "42@https://torus.example", is_on=True)
    assert own_site.get(f"/api/sections/{OWN}/overview").status == 200
    refused = own_site.get("/api/sections/43@torus.example/overview")
    assert refused.status == 403
    assert "section-analytics" in refused.json()["error"]["hint"]
    flags.set_share(engine, "clickhouse-olap", 0)
    assert own_site.get(f"/api/sections/{OWN}/overview").status == 403


def test_the_first_account_closes_the_door_at_once(own_site: Site) -> None:
    assert own_site.get("/api/sections").status == 200
    add_person(own_site.app.state.schoolhouse.database.engine, NewAccount("root", "admin", PASSWORD))
    assert own_site.get("/api/sections").status == 401


# What anybody may ask: is the server there, what does the API look like, and the way in.
OPEN_TO_ALL = ("/healthz", "/readyz", "/static/", "/sign-in", "/sign-out", "/xAPI/", "/api/openapi.json")
OPERATORS_BODY = b'{"sql": "SELECT 1", "chart": "event_summary"}'  # what the operator's own doors take


def _routes(
    site: Site, *, section: str = "43@torus.example", project: str = "7@torus.example"
) -> list[tuple[str, str]]:
    """Every route as (method, path), with a section or project, and 1 in the place of other names."""
    found = []
    for route in _flat(site.app.routes):
        path = re.sub(r"(projects/)\{slug[^}]*\}", rf"\g<1>{project}", route.path)
        path = re.sub(r"\{slug[^}]*\}", section, path)
        path = re.sub(r"\{name[^}]*\}", "event_summary", path)
        path = re.sub(r"\{ending[^}]*\}", "csv", path)
        path = re.sub(r"\{[^}]*\}", "1", path)
        if not path.startswith(OPEN_TO_ALL):
            found += [(method, path) for method in sorted(route.methods - {"HEAD", "OPTIONS"})]
    return found


def _flat(routes: Any) -> list[Any]:
    """Routes, also those that stand inside of included routers."""
    found = []
    for route in routes:
        if isinstance(getattr(route, "path", None), str) and getattr(route, "methods", None):
            found.append(route)
        else:
            router = getattr(route, "original_router", None) or getattr(route, "router", None)
            found += _flat(getattr(router, "routes", []))
    return found


def test_no_route_answers_who_has_not_signed_in(peopled_site: PeopledSite) -> None:
    routes = _routes(peopled_site.site)
    assert len(routes) > 30
    for method, path in routes:
        refused = peopled_site.request("", method, path, OPERATORS_BODY, Content_Type="application/json")
        leads_on = (refused.status, refused.headers.get("location")) == (307, "/")  # an old address of the first page
        assert refused.status in {401, 403} or leads_on, (method, path)


# What people who are signed in may ask of no section: what there is to ask, and the list of what is theirs.
OPEN_TO_PEOPLE = {"/", "/sections", "/api/sections", "/api/v1/charts", "/api/v1/tables"}
FOREIGN_MARKS = re.compile(rb"43@torus|Statistics,|other\.example|projects/7")


def test_an_instructor_of_one_section_gets_403_or_an_empty_world_on_every_other_route(
    peopled_site: PeopledSite,
) -> None:
    answered = set()
    for method, path in _routes(peopled_site.site):
        reply = peopled_site.request("ann", method, path, OPERATORS_BODY, Content_Type="application/json")
        if reply.status != 403:
            answered.add(path)
            assert not FOREIGN_MARKS.search(reply.body), (method, path)
    assert answered == OPEN_TO_PEOPLE
    foreign = peopled_site.get("root", "/api/sections").body
    assert FOREIGN_MARKS.search(foreign)  # else the search above finds nothing, whatever is shown


def test_the_routes_of_the_own_section_show_nothing_of_another(peopled_site: PeopledSite) -> None:
    shown = 0
    for method, path in _routes(peopled_site.site, section=OWN):
        if method == "GET" and OWN in path:
            reply = peopled_site.get("ann", path)
            assert reply.status in {200, 307}, path
            assert not FOREIGN_MARKS.search(reply.body), path
            shown += reply.status == 200
    assert shown > 6
