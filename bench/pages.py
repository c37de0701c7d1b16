"""A section's dashboard in Chromium: what a first visit receives, and when a page of a warm browser is ready.

    python -m bench.pages [--rows 1000000] [--looks 5]

Ready is when the cards and every panel in view are there and drawn. First visits come with an empty cache, and all that
they receive counts, the panels too; then each dashboard is looked at some times more. The section holds a tenth of the
rows. Promised: the first page under 500 KB, a warm one ready under 1 s.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path
from statistics import median

from playwright.sync_api import Page
from tests.chromium import FIRST_PAGE_BYTES, running_chromium, watched_pages

from bench.charts import fill
from bench.dashboard import served
from schoolhouse.analytics.catalogue import CATEGORIES
from schoolhouse.settings import load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import open_warehouse

PROMISED_MS = 1000
_PAGE = "/sections/1@proton.example.edu/instructor_dashboard/insights/analytics?category={category}"
# Milliseconds from the beginning of the visit until nothing in view is loading and a chart is drawn.
_READY = """async () => {
  const isInView = (place) => {
    const { top, bottom } = place.getBoundingClientRect();
    return top < innerHeight && bottom > 0;
  };
  for (;;) {
    const waits = [...document.querySelectorAll("[data-state=loading]")].some(isInView);
    if (!waits && document.querySelector("[data-chart][data-state=drawn]")) return performance.now();
    await new Promise(requestAnimationFrame);
  }
}"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--looks", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-pages-", ignore_cleanup_errors=True) as folder:
        settings = load_settings(data_dir=Path(folder))
        with open_warehouse(settings, who="bench", must_exist=False) as warehouse:
            migrations.up(warehouse)
            fill(warehouse, options.rows)
            with served(settings) as address:
                _look(address, options.looks)


def _look(address: str, looks: int) -> None:
    with running_chromium() as browser:
        for category in CATEGORIES:
            with watched_pages(browser, address) as open_page:
                page, watch = open_page()
                first = _ready_ms(page, category)
                size = watch.received_bytes
                times = sorted(_ready_ms(page, category) for _ in range(looks))
            p95 = times[math.ceil(0.95 * looks) - 1]
            print(
                f"  {category:<12} first visit {size / 1000:,.0f} KB (promised: {FIRST_PAGE_BYTES / 1000:,.0f}), "
                f"{first:,.0f} ms; warm p50 {median(times):,.0f} ms  p95 {p95:,.0f} ms (promised: {PROMISED_MS:,})",
                flush=True,
            )


def _ready_ms(page: Page, category: str) -> float:
    page.goto(_PAGE.format(category=category), wait_until="commit")
    return float(page.evaluate(_READY))


if __name__ == "__main__":
    main()
