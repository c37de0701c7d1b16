"""The pages in a real Chromium: the chart has marks, nothing is blocked, nothing comes from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import open_warehouse
from tests.chromium import (
    FIRST_PAGE_BYTES,
    Opener,
    needs_chromium,
    running_chromium,
    slowly,
    take_picture,
    watched_pages,
)
from tests.conftest import settings_on
from tests.given import load, name_section, small_campus
from tests.web.conftest import Site, serving

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def named(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The small campus, with a section whose title looks like HTML."""
    settings = settings_on("embedded", request, data_dir=tmp_path_factory.mktemp("named"))
    with open_warehouse(settings, who="tests", must_exist=False) as warehouse:
        migrations.up(warehouse)
        load(warehouse, small_campus())
        name_section(warehouse, 43, title="Statistics, <b>spring</b>")
    with serving(settings) as site:
        yield site


@pytest.fixture
def open_page(browser: Browser, named: Site) -> Iterator[Opener]:
    """Opens a page of the site under watch."""
    with watched_pages(browser, named.address) as opener:
        yield opener


def _drawn(page: Page) -> None:
    expect(page.locator("[data-chart]")).to_have_attribute("data-state", "drawn", timeout=30_000)


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 1280),
        ("dark", 390),
        slowly("light", 390),
        slowly("dark", 1280),
    ],
)
def test_the_sections_and_a_chart_are_drawn(open_page, scheme: str, width: int) -> None:
    page, watch = open_page(scheme, width)
    page.goto("/")
    expect(page.get_by_role("heading", name="Sections", level=1)).to_be_visible()
    take_picture(page, f"sections-{scheme}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="Statistics, <b>spring</b>").click()
    _drawn(page)
    marks = page.locator("[data-chart] svg .mark-rect.role-mark path")
    boxes = [box for box in (mark.bounding_box() for mark in marks.all()) if box]
    assert len(boxes) >= 20
    assert max(box["height"] for box in boxes) > 50
    take_picture(page, f"section-{scheme}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert watch.complaints == []
    assert watch.foreign == []
    assert watch.received_bytes < FIRST_PAGE_BYTES


def test_the_chart_shows_a_tooltip_and_answers_its_legend(open_page) -> None:
    page, watch = open_page()
    page.goto("/sections/42@torus.example")
    _drawn(page)
    marks = page.locator("[data-chart] svg .mark-rect.role-mark path")
    marks.first.hover()
    tooltip = page.locator("#vg-tooltip-element")
    expect(tooltip).to_be_visible()
    expect(tooltip).to_contain_text("Events")
    page.locator("[data-chart] svg .role-legend-symbol path").first.click()
    expect(page.locator("[data-chart] svg .mark-rect.role-mark path[opacity='0.15']").first).to_be_attached()
    assert watch.complaints == []


def test_the_numbers_stand_in_a_table_behind_the_chart(open_page) -> None:
    page, _ = open_page()
    page.goto("/sections/42@torus.example")
    page.get_by_text("Show the numbers as a table").press("Enter")
    table = page.get_by_role("region", name="Events by type and hour")
    expect(table.get_by_role("row", name="2 Mar 2026, 11:00 2 1 1")).to_be_visible()


def test_the_chart_takes_the_new_colours_and_width_when_they_change(open_page) -> None:
    page, watch = open_page("light")
    page.goto("/sections/42@torus.example")
    _drawn(page)
    label = page.locator("[data-chart] svg .role-axis-label text").first
    light, width = label.get_attribute("fill"), page.locator("[data-chart] svg").get_attribute("width")
    page.emulate_media(color_scheme="dark")
    expect(label).not_to_have_attribute("fill", str(light))
    page.set_viewport_size({"width": 500, "height": 900})
    expect(page.locator("[data-chart] svg")).not_to_have_attribute("width", str(width))
    assert watch.complaints == []


def test_drawing_the_chart_moves_nothing(open_page) -> None:
    page, _ = open_page()
    page.goto("/sections/42@torus.example", wait_until="commit")
    page.evaluate(
        "() => { window.moved = 0; new PerformanceObserver((list) => list.getEntries().forEach((each) => "
        "{ window.moved += each.value; })).observe({ type: 'layout-shift', buffered: true }); }"
    )
    _drawn(page)
    assert page.evaluate("window.moved") < 0.01


def test_typing_filters_the_list_in_place(open_page) -> None:
    page, watch = open_page()
    page.goto("/")
    page.evaluate("window.same = true")
    page.get_by_role("searchbox", name="Find a section").press_sequentially("other")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    assert "q=other" in page.url
    page.get_by_role("link", name="Events", exact=True).click()
    expect(page.locator("#list th.events")).to_have_attribute("aria-sort", "descending")
    assert "q=other" in page.url
    page.go_back()
    expect(page.locator("#list th.newest_event")).to_have_attribute("aria-sort", "descending")
    assert page.evaluate("window.same")
    assert watch.complaints == []


def test_the_keyboard_reaches_the_content_first(open_page) -> None:
    page, _ = open_page()
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox", name="Find a section")).to_be_focused()
