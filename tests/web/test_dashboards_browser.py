"""The dashboards and custom SQL in a real Chromium: drawn, quiet, light and dark, narrow, by keyboard, and readable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import (
    FIRST_PAGE_BYTES,
    Opener,
    needs_chromium,
    running_chromium,
    serious_faults,
    slowly,
    take_picture,
    watched_pages,
)
from tests.web.conftest import Site

pytestmark = needs_chromium
SECTION = "/sections/1001@torus.example/instructor_dashboard/insights/analytics"
PROJECT = "/projects/301@torus.example/analytics"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as opened:
        yield opened


@pytest.fixture
def open_page(browser: Browser, lively: Site) -> Iterator[Opener]:
    with watched_pages(browser, lively.address) as opener:
        yield opener


def _settled(page: Page) -> None:
    """Every panel has arrived and every chart is drawn."""
    expect(page.locator("[data-state=loading]")).to_have_count(0, timeout=30_000)


@pytest.mark.parametrize(
    "category", ["engagement", *map(slowly, ("video", "assessment", "performance", "cross_event"))]
)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), slowly("dark", 390)])
def test_a_dashboard_is_drawn_and_readable(open_page: Opener, category: str, scheme: str, width: int) -> None:
    page, watch = open_page(scheme, width, 6000)
    page.goto(f"{SECTION}?category={category}")
    _settled(page)
    assert page.locator("[data-state=failed], [data-state=error]").count() == 0
    assert page.locator("[data-chart] svg .mark-group").count() > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious_faults(page) == []
    take_picture(page, f"dashboard-{category}-{scheme}-{width}")
    assert watch.complaints == []
    assert watch.foreign == []


def test_a_projects_dashboard_compares_its_sections(open_page: Opener) -> None:
    page, watch = open_page("dark", 1280, 2000)
    page.goto(f"{PROJECT}?category=cross_event")
    _settled(page)
    expect(page.get_by_role("heading", name="Sections compared")).to_be_visible()
    assert serious_faults(page) == []
    take_picture(page, "project-dark-1280")
    assert watch.complaints == []


def test_the_first_page_is_small(open_page: Opener) -> None:
    page, watch = open_page()
    page.goto(SECTION)
    expect(page.locator("[data-chart][data-state=drawn]").first).to_be_visible(timeout=30_000)
    assert watch.received_bytes < FIRST_PAGE_BYTES


def test_panels_arrive_without_moving_the_page(open_page: Opener) -> None:
    page, _ = open_page("light", 1280, 3000)
    page.add_init_script(
        """window.moved = 0;
        new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.moved += entry.value; })
          .observe({ type: "layout-shift", buffered: true });"""
    )
    page.goto(f"{SECTION}?category=video")
    _settled(page)
    assert page.evaluate("window.moved") < 0.1


def test_filters_stay_in_the_address_and_choose_what_is_shown(open_page: Opener) -> None:
    page, watch = open_page("light", 1280, 3000)
    page.goto(f"{SECTION}?category=video")
    _settled(page)
    page.get_by_label("Show", exact=True).select_option("10")
    expect(page).to_have_url(re.compile(r"analytics\?top=10&category=video$"))
    _settled(page)
    expect(page.locator("#slot-video_rewatched_parts .chart-foot")).to_contain_text("10 rows")
    page.get_by_role("link", name="Performance").click()
    expect(page).to_have_url(re.compile(r"analytics\?top=10&category=performance$"))
    expect(page.get_by_role("link", name="Performance")).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("link", name="Performance")).to_be_focused()
    _settled(page)
    page.go_back()
    expect(page.get_by_role("heading", name="Watch curve")).to_be_visible()
    _settled(page)  # before htmx is there, a change goes unheard
    page.get_by_label("From", exact=True).fill("2030-01-01")
    expect(page.locator(".cards-slot [data-state=empty]")).to_be_visible()
    expect(page.locator("#slot-video_completion [data-state=empty]")).to_contain_text("Not enough data")
    assert watch.complaints == []


def test_the_table_behind_a_chart_opens_by_keyboard(open_page: Opener) -> None:
    page, _ = open_page("light", 1280, 3000)
    page.goto(f"{SECTION}?category=performance")
    _settled(page)
    slot = page.locator("#slot-grade_distribution")
    slot.get_by_text("Show the numbers as a table").press("Enter")
    expect(slot.get_by_role("region", name="Grade distribution, table").get_by_role("row").nth(1)).to_be_visible()


def test_a_chart_is_downloaded_as_file_and_picture(open_page: Opener, tmp_path: Path) -> None:
    page, _ = open_page("light", 1280, 3000)
    page.goto(f"{SECTION}?category=performance&until=2025-09-15")
    _settled(page)
    group = page.get_by_role("group", name="Download Grade distribution")
    for name, start in (("CSV", b'"from_percent","to_percent","learners"'), ("PNG", b"\x89PNG")):
        with page.expect_download() as waiting:
            group.get_by_role("link", name=name, exact=True).click()
        waiting.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)


def test_a_panel_says_what_kept_it_from_arriving_and_tries_again(open_page: Opener) -> None:
    page, _ = open_page("light", 1280, 3000)
    page.route("**/charts/grade_distribution*", lambda route: route.abort())
    page.goto(f"{SECTION}?category=performance")
    slot = page.locator("#slot-grade_distribution")
    expect(slot.locator("[data-state=error]")).to_contain_text("The server did not answer.")
    page.unroute("**/charts/grade_distribution*")
    slot.get_by_role("button", name="Try again").click()
    expect(slot.locator("[data-state=drawn]")).to_be_visible()


def test_a_choice_that_is_refused_can_be_changed(open_page: Opener) -> None:
    page, _ = open_page("light", 1280, 1000)
    page.goto(f"{SECTION}?category=performance&until=2025-09-15")
    expect(page.locator("#slot-grade_distribution [data-state=drawn]")).to_be_visible(timeout=30_000)
    page.get_by_label("From", exact=True).fill("2025-10-01")
    expect(page.locator("#refusal")).to_contain_text("hold no day")
    expect(page.locator("#slot-grade_distribution [data-state=drawn]")).to_be_visible()
    page.get_by_label("Groups of at least").fill("5000")
    page.get_by_label("Groups of at least").press("Tab")
    expect(page.get_by_label("Groups of at least")).to_be_focused()  # where the browser says why
    page.get_by_label("Groups of at least").fill("1")
    page.route("**/analytics?category=*", lambda route: route.abort())
    page.get_by_label("Before", exact=True).fill("2025-11-01")
    expect(page.locator("#refusal")).to_contain_text("The server did not answer.")
    page.unroute("**/analytics?category=*")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"since=2025-10-01&until=2025-11-01"))
    expect(page.locator("#refusal")).to_be_empty()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), slowly("dark", 1280), slowly("light", 390)])
def test_custom_sql_is_asked_shown_and_drawn(open_page: Opener, scheme: str, width: int) -> None:
    page, watch = open_page(scheme, width)
    page.goto(f"{SECTION}/custom")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#outcome")).to_have_attribute("data-state", "loaded", timeout=30_000)
    expect(page.locator("#rows tbody tr").first).to_contain_text("part_attempt")
    expect(page.locator("#chart-place [data-chart]")).to_have_attribute("data-state", "drawn", timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious_faults(page) == []
    take_picture(page, f"custom-{scheme}-{width}")
    assert watch.complaints == []
    assert watch.foreign == []


def _write(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="SQL", exact=True).focus()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def test_a_long_answer_comes_in_pages_and_as_a_file(open_page: Opener, tmp_path: Path) -> None:
    page, _ = open_page()
    page.goto(f"{SECTION}/custom")
    _write(page, "SELECT number FROM (SELECT row_number() OVER () AS number FROM raw_events) ORDER BY number LIMIT 120")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#page-note")).to_have_text("Page 1 of 3", timeout=30_000)
    page.get_by_role("button", name="Next ›").click()
    expect(page.locator("#rows tbody tr").first).to_have_text("51")
    expect(page.locator("#chart-place")).to_contain_text("asks for event_type, events, learners, which the rows do not")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV").click()
    waiting.value.save_as(tmp_path / "answer.csv")
    assert (tmp_path / "answer.csv").read_text().splitlines()[:2] == ['"number"', "1"]


def test_a_wrong_question_is_explained_with_its_place(open_page: Opener) -> None:
    page, _ = open_page()
    page.goto(f"{SECTION}/custom")
    _write(page, "SELECT 1,\n  learner_name FROM raw_events")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#problem")).to_contain_text("Line 2, column 3", timeout=30_000)
    expect(page.locator(".ace_gutter-cell.ace_error")).to_have_text("2")
    expect(page.locator("#problem")).to_contain_text("See the list of tables and columns.")
    page.get_by_text("Tables and columns", exact=True).click()
    expect(page.locator("#readable li").filter(has_text="scaled_score").first).to_be_visible()
    _write(page, "DROP TABLE raw_events")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#problem")).to_contain_text("SELECT", timeout=30_000)
    take_picture(page, "custom-refused")


def test_a_download_holds_the_answer_that_is_shown(open_page: Opener, tmp_path: Path) -> None:
    page, _ = open_page()
    page.goto(f"{SECTION}/custom")
    _write(page, "SELECT 18446744073709551615 AS shown")  # more than JavaScript's numbers hold
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#rows tbody tr")).to_have_text("18446744073709551615", timeout=30_000)
    _write(page, "SELECT 2 AS typed_since")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV").click()
    waiting.value.save_as(tmp_path / "answer")
    assert (tmp_path / "answer").read_text() == '"shown"\n18446744073709551615\n'


def test_what_was_written_stays_when_the_session_has_ended(open_page: Opener) -> None:
    page, _ = open_page()
    page.goto(f"{SECTION}/custom")
    _write(page, "SELECT 1 AS mine")
    page.route("**/query", lambda route: route.fulfill(status=401))
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#problem")).to_contain_text("You are signed out.")
    expect(page.locator("#sql")).to_contain_text("SELECT 1 AS mine")


def test_names_of_columns_are_completed(open_page: Opener) -> None:
    page, _ = open_page()
    page.goto(f"{SECTION}/custom")
    expect(page.locator("#readable li").first).to_be_attached()  # the names have come
    _write(page, "SELECT scal")
    expect(page.locator(".ace_autocomplete .ace_line").first).to_be_visible()
    page.keyboard.press("Control+Space")
    expect(page.locator(".ace_autocomplete")).to_contain_text("scaled_score")


def test_a_question_is_saved_found_again_and_removed(open_page: Opener) -> None:
    page, _ = open_page()
    page.goto(f"{SECTION}/custom")
    page.get_by_label("Start from").select_option(label="Mean score by hour of the day")
    page.get_by_label("Title").fill("My hours")
    page.get_by_role("button", name="Save").dblclick()  # once is meant
    expect(page.locator("#save-note")).to_have_text("Saved.")
    page.reload()
    page.get_by_label("Saved").select_option(label="My hours")
    expect(page.locator("#sql .ace_content")).to_contain_text("toHour(timestamp)")
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("#saved option")).to_have_text(["none yet"])


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
def test_every_example_answers_and_is_drawn(open_page: Opener, number: int) -> None:
    page, watch = open_page()
    page.goto(f"{SECTION}/custom")
    page.get_by_label("Start from").select_option(index=number + 1)
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#outcome")).to_have_attribute("data-state", "loaded", timeout=30_000)
    expect(page.locator("#chart-place [data-chart]")).to_have_attribute("data-state", "drawn", timeout=30_000)
    assert watch.complaints == []
