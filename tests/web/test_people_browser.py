"""Two people at once in a real Chromium: what they share, and what each is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import needs_chromium, running_chromium, serious_faults, take_picture, watched_pages
from tests.web.visitors import PASSWORD, PeopledSite

pytestmark = needs_chromium
OWN = "/sections/42@torus.example/instructor_dashboard/insights/analytics"
PROJECT = "/projects/7@torus.example/analytics"

Visit = Callable[[str, str], Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as opened:
        yield opened


@pytest.fixture
def visit(browser: Browser, peopled_site: PeopledSite) -> Iterator[Visit]:
    """Signs somebody in, in a browser window of their own, on the page that they asked for."""
    with watched_pages(browser, peopled_site.site.address) as open_page:

        def signed_in(name: str, path: str) -> Page:
            page, _ = open_page("light", 1280, 2400)
            page.goto(path)
            page.get_by_label("Name").fill(name)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            return page

        yield signed_in


def test_a_question_is_seen_by_others_once_it_is_shared_and_copied_by_others(visit: Visit) -> None:
    ann, di = visit("ann", f"{OWN}/custom"), visit("di", f"{OWN}/custom")
    ann.get_by_label("Title", exact=True).fill("Ours")
    ann.get_by_role("button", name="Save").click()
    expect(ann.locator("#save-note")).to_have_text("Saved.")
    di.reload()
    expect(di.locator("#saved option")).to_have_text(["none yet"])
    ann.get_by_label("shared with all").check()
    ann.get_by_role("button", name="Save").click()
    expect(ann.locator("#saved option")).to_have_text(["none chosen", "Ours (shared)"])
    di.reload()
    di.get_by_label("Saved").select_option(label="Ours (shared)")
    expect(di.locator("#save-note")).to_have_text("By ann, shared.")
    di.get_by_role("button", name="Run").click()
    expect(di.locator("#rows tbody tr").first).to_contain_text("page_", timeout=30_000)
    expect(di.get_by_role("button", name="Remove")).to_be_hidden()
    di.get_by_label("Title", exact=True).fill("Mine")
    di.get_by_label("shared with all").uncheck()
    di.get_by_role("button", name="Save").click()
    expect(di.locator("#saved option")).to_have_text(["none chosen", "Mine", "Ours (shared)"])
    take_picture(di, "custom-shared")
    ann.get_by_role("button", name="Remove").click()
    expect(ann.locator("#saved option")).to_have_text(["none yet"])
    di.reload()
    di.get_by_label("Saved").select_option(label="Mine")
    di.get_by_role("button", name="Remove").click()
    expect(di.locator("#saved option")).to_have_text(["none yet"])


def test_an_instructor_is_refused_every_other_place(visit: Visit) -> None:
    page = visit("ann", "/sections/42")
    expect(page).to_have_url("/sections/42@torus.example")
    for path in (OWN.replace("42@", "43@"), "/sections/42@other.example", PROJECT, f"{PROJECT}/custom", "/admin/audit"):
        page.goto(path)
        expect(page.get_by_role("heading", name="Not yours to see")).to_be_visible()
    assert serious_faults(page) == []
    take_picture(page, "refused")


def test_an_author_sees_groups_and_no_learner(visit: Visit) -> None:
    page = visit("cy", f"{PROJECT}?category=cross_event")
    expect(page.get_by_text("groups of fewer than 5 learners are hidden")).to_be_visible()
    expect(page.locator("#slot-section_comparison [data-state=empty]")).to_contain_text(
        "Groups of fewer than 5 learners are hidden.", timeout=30_000
    )
    expect(page.locator("#slot-section_comparison")).to_contain_text("Show the numbers as a table")
    page.goto(f"{PROJECT}/custom")
    page.get_by_role("textbox", name="SQL", exact=True).focus()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("SELECT user_id FROM raw_events")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("Line 1, column 8", timeout=30_000)


def test_a_number_on_two_platforms_asks_which_is_meant(visit: Visit) -> None:
    page = visit("di", "/sections/42")
    expect(page.get_by_text("Choose one: 42@other.example, 42@torus.example.")).to_be_visible()
