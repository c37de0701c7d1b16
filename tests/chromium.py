"""Debian's Chromium, for tests that look at pages as people do.

CHROMIUM names another program; SCHOOLHOUSE_SCREENSHOTS names a directory for pictures.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

_PROGRAM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
FIRST_PAGE_BYTES = 500_000

needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(not _PROGRAM, reason="needs Debian's package chromium, or CHROMIUM"),
]


def slowly(*values: object) -> Any:
    """A case of a test that `make test-all` runs and `make test` does not."""
    return pytest.param(*values, marks=pytest.mark.slow)


@dataclass
class Watch:
    """What a page must not do, as it happens."""

    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    received_bytes: int = 0


Opener = Callable[..., tuple[Page, Watch]]


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """A browser."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=_PROGRAM, args=_ARGUMENTS)
        yield opened
        opened.close()


@contextmanager
def watched_pages(browser: Browser, address: str) -> Iterator[Opener]:
    """Opens pages of the site at `address` under watch, in light or dark and of any size."""
    contexts = []

    def open_page(scheme: str = "light", width: int = 1280, height: int = 900) -> tuple[Page, Watch]:
        context = browser.new_context(
            base_url=address,
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport={"width": width, "height": height},
        )
        contexts.append(context)
        page, watch = context.new_page(), Watch()
        page.on("console", lambda message: watch.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: watch.complaints.append(str(error)))
        page.on("request", lambda request: _note_foreign(request.url, address, watch))
        session = context.new_cdp_session(page)
        session.send("Network.enable")

        def finished(event: dict[str, float]) -> None:
            watch.received_bytes += int(event["encodedDataLength"])

        session.on("Network.loadingFinished", finished)
        return page, watch

    yield open_page
    for context in contexts:
        context.close()


def _note_foreign(url: str, address: str, watch: Watch) -> None:
    if not url.startswith((address, f"blob:{address}")):
        watch.foreign.append(url)


def take_picture(page: Page, name: str) -> None:
    """Keep a picture of the whole page, if SCHOOLHOUSE_SCREENSHOTS says where."""
    if folder := os.environ.get("SCHOOLHOUSE_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def serious_faults(page: Page) -> list[str]:
    """What keeps people from reading or using the page, by axe: serious and critical findings."""
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in Axe().run(page).response["violations"]
        if each["impact"] in {"serious", "critical"}
    ]
