"""Signing in and the admin pages in a real Chromium: quiet, live, light and dark, narrow, and readable."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import needs_chromium, running_chromium, serious_faults, slowly, take_picture
from tests.web.visitors import PASSWORD, PeopledSite

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, peopled_site: PeopledSite) -> Iterator[Page]:
    """A page of a browser that has not signed in; it must not complain."""
    context = browser.new_context(base_url=peopled_site.site.address)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    # Chromium logs an answer of 401 or 403, which is what these tests are about
    assert not [text for text in complaints if "status of 40" not in text]


def _sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_somebody_signs_in_gets_where_they_wanted_and_signs_out(page: Page) -> None:
    page.goto("/sections/42@torus.example")
    expect(page).to_have_url("/sign-in?next=%2Fsections%2F42%40torus.example")
    _sign_in(page, "ann", "not the password")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    _sign_in(page, "ann")
    expect(page).to_have_url("/sections/42@torus.example")
    expect(page.get_by_text("ann", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Admin")).to_have_count(0)
    page.goto("/sections/43@torus.example")
    expect(page.get_by_role("heading", name="Not yours to see")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url("/sign-in")
    page.goto("/")
    expect(page).to_have_url("/sign-in")


@pytest.mark.parametrize("scheme", ["light", slowly("dark")])
def test_sign_in_and_admin_pages_are_readable(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto("/sign-in?next=/admin/clickhouse")
    assert serious_faults(page) == []
    take_picture(page, f"sign-in-{scheme}")
    _sign_in(page, "root")
    for path in ("/admin/clickhouse", "/admin/xapi_upload_pipeline", "/admin/audit", "/admin/clickhouse/migrate"):
        page.goto(path)
        assert serious_faults(page) == [], path
        take_picture(page, f"{path[1:].replace('/', '-')}-{scheme}")


def test_a_narrow_screen_does_not_scroll_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto("/sign-in?next=/admin/clickhouse")
    _sign_in(page, "root")
    for path in ("/admin/clickhouse", "/admin/audit", "/admin/xapi_upload_pipeline"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        take_picture(page, f"{path[1:].replace('/', '-')}-360")


@pytest.mark.parametrize(
    ("path", "stream", "asked"),
    [
        ("/admin/clickhouse", "**/clickhouse/live", "**/clickhouse/live"),
        # this one tells what changes: what changed meanwhile has to be asked for
        ("/admin/clickhouse/backfill", "**/backfill/events?*", "**/backfill/runs?tab=manual"),
    ],
)
def test_a_stream_that_was_refused_comes_back(page: Page, path: str, stream: str, asked: str) -> None:
    page.route(stream, lambda route: route.fulfill(status=401))
    page.goto(f"/sign-in?next={path}")
    _sign_in(page, "root")
    state = page.locator("[data-live-state], #stream")
    expect(state).to_contain_text("again…")
    with page.expect_request(asked):
        page.unroute(stream)
    expect(state).to_have_text(re.compile(r"^Live$|are live\.$"))


def test_the_warehouse_page_follows_what_happens_and_rests_while_hidden(page: Page, peopled_site: PeopledSite) -> None:
    page.goto("/sign-in?next=/admin/clickhouse")
    _sign_in(page, "root")
    state = page.locator("[data-live-state]")
    expect(state).to_have_text("Live")
    peopled_site.site.app.state.schoolhouse.readers.slow.note("ann", "a question that was just asked", 3.0)
    expect(page.get_by_text("a question that was just asked")).to_be_visible(timeout=15_000)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    expect(state).to_have_text("Paused")
