"""The lake's page in a real Chromium: its charts, light and dark, wide and narrow, and readable."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.chromium import needs_chromium, running_chromium, serious_faults, slowly, take_picture
from tests.web.conftest import Site

pytestmark = needs_chromium


@pytest.mark.parametrize("scheme", ["light", slowly("dark")])
def test_the_page_is_readable_and_fits_a_narrow_screen(lake_site: Site, scheme: str) -> None:
    with running_chromium() as browser:
        page = browser.new_page(base_url=lake_site.address, color_scheme=scheme)  # type: ignore[arg-type]
        page.goto("/admin/lake")
        for chart in ("lake-scores", "lake-rows"):
            expect(page.locator(f'[data-chart="{chart}"]')).to_have_attribute("data-state", "drawn")
        assert serious_faults(page) == []
        take_picture(page, f"admin-lake-{scheme}")
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        take_picture(page, f"admin-lake-390-{scheme}")
