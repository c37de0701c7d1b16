"""The dashboards as HTML: addresses, states, filters, and who sees what."""

from __future__ import annotations

import json
import re

import pytest

from schoolhouse.analytics.catalogue import CATEGORIES, charts_of
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import open_warehouse
from tests.given import HOST, name_section
from tests.web.conftest import Site, serving
from tests.web.visitors import PeopledSite

PAGE = "/sections/1001@torus.example/instructor_dashboard/insights/analytics"


def _states(text: str) -> list[str]:
    return re.findall(r'data-state="([a-z-]+)"', text)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/sections/1001/insights", PAGE),
        ("/sections/1001@torus.example/insights", PAGE),
        ("/sections/1001/instructor_dashboard/insights", PAGE),
        (
            "/sections/1001/instructor_dashboard/insights/analytics?category=video&top=50",
            f"{PAGE}?top=50&category=video",
        ),
        ("/projects/301/analytics", "/projects/301@torus.example/analytics"),
    ],
)
def test_numbers_and_other_addresses_lead_to_the_one_address(lively: Site, path: str, target: str) -> None:
    reply = lively.page(path)
    assert reply.status == 307
    assert reply.headers["location"] == target


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_category_shows_its_charts_with_their_definitions(lively: Site, category: str) -> None:
    for path, scope in ((PAGE, "section"), ("/projects/301@torus.example/analytics", "project")):
        text = lively.page(f"{path}?category={category}").text
        for chart in charts_of(category, scope):  # type: ignore[arg-type]
            assert f'id="title-{chart.name}">{chart.title}<' in text
            assert f"{path}/charts/{chart.name}" in text
        assert text.count('aria-current="page"') == 1
        assert set(_states(text)) == {"loading"}


def test_the_address_holds_what_differs_from_the_defaults_and_nothing_else(lively: Site) -> None:
    sent = "category=video&since=&until=2025-10-01&pages=&video=&top=20&min_group=1"
    reply = lively.get(f"{PAGE}?{sent}", Accept="text/html", **{"HX-Request": "true"})
    assert reply.headers["hx-push-url"] == f"{PAGE}?until=2025-10-01&category=video"
    assert f"{PAGE}/charts/video_completion?until=2025-10-01&amp;category=video" in reply.text


def test_a_panel_holds_the_drawing_the_table_and_the_downloads(lively: Site) -> None:
    text = lively.page(f"{PAGE}/charts/video_completion?top=5").text
    spec = re.search(r'<script type="application/json" id="spec-video_completion">(.*?)</script>', text, re.DOTALL)
    assert spec is not None
    assert len(json.loads(spec[1])["data"]["values"]) == 5
    assert text.count("<tr>") == 6
    assert re.search(r"5 rows · query [\d,]+ ms", text)
    for ending in ("csv", "parquet", "arrow", "png", "svg"):
        assert f"/charts/video_completion.{ending}?top=5" in text


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_loaded_empty_not_loaded_and_error_are_told_apart(lively: Site, migrated_settings: Settings) -> None:
    assert _states(lively.page(f"{PAGE}/charts/event_summary?cards=1").text) == ["loaded"]
    nothing = lively.page(f"{PAGE}/charts/event_summary?cards=1&since=2030-01-01").text
    assert _states(nothing) == ["empty"]
    panel = lively.page(f"{PAGE}/charts/video_completion?since=2030-01-01").text
    assert _states(panel) == ["empty"]
    assert "Not enough data" in panel

    with open_warehouse(migrated_settings) as warehouse:
        name_section(warehouse, 5, title="Silent")
    with serving(migrated_settings) as site:
        path = "/sections/5@torus.example/instructor_dashboard/insights/analytics"
        text = site.page(f"{path}/charts/event_summary?cards=1").text
        assert _states(text) == ["not-loaded"]
        assert "/admin/clickhouse/backfill" in text  # this visitor is an admin
        with open_warehouse(migrated_settings) as warehouse:
            warehouse.run("RENAME TABLE course_blocks TO away", why="tests")
        reply = site.page(f"{path}/charts/video_completion")
        with open_warehouse(migrated_settings) as warehouse:
            warehouse.run("RENAME TABLE away TO course_blocks", why="tests")
        assert (reply.status, _states(reply.text)) == (503, ["error"])
        assert "data-again" in reply.text


def test_a_wrong_filter_keeps_the_page_from_lying(lively: Site) -> None:
    reply = lively.page(f"{PAGE}?since=2026-02-02&until=2026-02-01")
    assert reply.status == 400
    assert "hold no day" in reply.text


def test_the_form_shows_what_the_address_asks_for(lively: Site) -> None:
    text = lively.page(f"{PAGE}?top=30&event_types=video,page_viewed").text
    assert '<option value="30" selected>30 rows</option>' in text
    assert '<option value="video,page_viewed" selected>Video, Page viewed</option>' in text


def test_people_get_the_dashboards_that_are_theirs(peopled_site: PeopledSite) -> None:
    own = "/sections/42@torus.example/instructor_dashboard/insights/analytics"
    assert peopled_site.get("ann", own, Accept="text/html").status == 200
    assert peopled_site.get("cy", "/projects/7@torus.example/analytics", Accept="text/html").status == 200
    refused = (
        ("ann", "/sections/43@torus.example/instructor_dashboard/insights/analytics"),
        ("ann", "/sections/43@torus.example/instructor_dashboard/insights/analytics/charts/event_summary"),
        ("ann", "/sections/43@torus.example/insights"),
        ("ann", "/projects/7@torus.example/analytics"),
        ("ann", "/projects/7@torus.example/analytics/charts/event_summary"),
        ("cy", own),
        ("bo", own),
    )
    for who, path in refused:
        assert peopled_site.get(who, path, Accept="text/html").status == 403, (who, path)
    assert (
        peopled_site.get("", own, Accept="text/html").headers["location"].startswith("/sign-in?next=%2Fsections%2F42")
    )


def test_small_groups_stay_hidden_from_those_who_may_not_see_learners(peopled_site: PeopledSite) -> None:
    path = "/projects/7@torus.example/analytics"
    page = peopled_site.get("cy", f"{path}?min_group=1", Accept="text/html").text
    assert "groups of fewer than 5 learners are hidden" in page
    assert 'name="min_group"' not in page
    small = "/sections/42@torus.example/instructor_dashboard/insights/analytics"
    cards = peopled_site.get("di", f"{small}/charts/event_summary?cards=1", Accept="text/html").text
    assert _states(cards) == ["empty"]  # there are events: it must not be told that none has arrived
    assert "Fewer than 5 learners have events" in cards
    panel = peopled_site.get("cy", f"{path}/charts/page_engagement?min_group=1", Accept="text/html").text
    assert "Groups of fewer than 5 learners are hidden." in panel


def test_titles_come_from_the_course_tables(lively: Site, lively_settings: Settings) -> None:
    from datetime import UTC, datetime

    with open_warehouse(lively_settings) as warehouse:
        page = warehouse.ask(
            "SELECT toString(max(page_id)) FROM raw_events WHERE platform = {host:String}", {"host": HOST}, why="tests"
        ).value()
        warehouse.insert(
            "course_blocks",
            [("1001", page, "The last <page>", datetime(2026, 1, 1, tzinfo=UTC))],
            ("course_key", "location", "display_name", "time_last_dumped"),
            why="tests",
        )
    text = lively.page(f"{PAGE}/charts/page_engagement?pages={page}").text
    assert "The last &lt;page&gt;" in text
    assert "<page>" not in text


def test_no_fragment_holds_inline_script_or_style(lively: Site) -> None:
    for path in (PAGE, f"{PAGE}/charts/page_path", f"{PAGE}/charts/event_summary?cards=1", f"{PAGE}/charts/nonsense"):
        text = lively.page(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=", text), path
        assert all("src=" in tag or "application/json" in tag for tag in re.findall(r"<script[^>]*>", text))
