"""Fifty people, each opening a dashboard every 30 seconds, while statements load. Promised: p95 under 3 s, no error.

    python -m bench.dashboard [--people 50] [--seconds 120] [--rows 2000000] [--rate 2000]

An opening is the page, its summary and all panels of its category, fetched two at a time as a browser would; its time
runs until the last panel is there. The app runs under uvicorn in this process, as `serve` runs it, and a thread loads
simulated statements through the door for as long as people look, `rate` a second (0: as many as it can).
"""

from __future__ import annotations

import argparse
import math
import re
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import NamedTuple

from bench.charts import fill, settle
from schoolhouse.analytics.catalogue import CATEGORIES
from schoolhouse.settings import Settings, load_settings
from schoolhouse.simulate import campus_plan
from schoolhouse.simulate.into_warehouse import load_statements
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import open_warehouse
from schoolhouse.web.app import create_app
from schoolhouse.web.serving import server_for

EVERY_SECONDS = 30
PROMISED_SECONDS = 3
_PANELS = re.compile(r'hx-get="([^"]+/charts/[^"]+)"')
_PAGE = "/sections/{section}@proton.example.edu/instructor_dashboard/insights/analytics?category={category}"


class Visit(NamedTuple):
    """One opening: when (seconds from the beginning), of which category, how long it took, requests that failed."""

    at: float
    category: str
    seconds: float
    failed: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.dashboard", description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rate", type=int, default=2_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-dashboard-", ignore_cleanup_errors=True) as folder:
        settings = load_settings(data_dir=Path(folder))
        with open_warehouse(settings, who="bench", must_exist=False) as warehouse:
            migrations.up(warehouse)
            fill(warehouse, options.rows)
            settle(warehouse)
            with served(settings) as address:
                for category in CATEGORIES:
                    _open(address, 1, category)  # what happens once in the life of a server does not count
                is_over = threading.Event()
                loaded: list[int] = []
                loader = threading.Thread(target=_keep_loading, args=(settings, options.rate, is_over, loaded))
                loader.start()
                started = time.perf_counter()
                visits = _visit(address, options.people, options.seconds)
                took = time.perf_counter() - started
                is_over.set()
                loader.join()
    times = sorted(visit.seconds for visit in visits)
    errors = sum(visit.failed for visit in visits)
    p50, p95 = times[len(times) // 2], times[math.ceil(0.95 * len(times)) - 1]
    print(f"  {options.people} people, {len(visits)} openings in {took:.0f} s, {sum(loaded):,} statements loaded")
    print(f"  p50 {p50:.2f} s  p95 {p95:.2f} s  (promised: {PROMISED_SECONDS} s), {errors} errors (promised: 0)")
    slowest = sorted(visits, key=lambda visit: -visit.seconds)[:5]
    print("  slowest: " + ", ".join(f"{each.seconds:.1f} s ({each.category}, at {each.at:.0f} s)" for each in slowest))


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The app under uvicorn in this process; its address."""
    server = server_for(create_app(settings))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def _visit(address: str, people: int, seconds: int) -> list[Visit]:
    """What each opening took, and how many of its requests failed."""
    begin = time.perf_counter()

    def one(person: int) -> list[Visit]:
        seen: list[Visit] = []
        time.sleep(person * EVERY_SECONDS / people)  # people come one after another
        while (opened := time.perf_counter()) < begin + seconds:
            category = list(CATEGORIES)[(person + len(seen)) % len(CATEGORIES)]
            failed = _open(address, 2 + person, category)
            seen.append(Visit(opened - begin, category, time.perf_counter() - opened, failed))
            time.sleep(max(0.0, opened + EVERY_SECONDS - time.perf_counter()))
        return seen

    with ThreadPoolExecutor(people) as pool:
        return [visit for seen in pool.map(one, range(people)) for visit in seen]


def _open(address: str, section: int, category: str) -> int:
    page = _get(address + _PAGE.format(section=section, category=category))
    if not page:
        return 1
    with ThreadPoolExecutor(2) as pool:
        panels = list(pool.map(lambda path: _get(address + unescape(path)), _PANELS.findall(page)))
    return sum(not panel for panel in panels)


def _get(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=60) as reply:
            return str(reply.read().decode())
    except OSError:
        return ""


def _keep_loading(settings: Settings, rate: int, is_over: threading.Event, loaded: list[int]) -> None:
    with open_warehouse(settings, who="bench") as warehouse:
        seed, began = 1, time.perf_counter()
        while not is_over.is_set():
            plan = campus_plan(dialect="torus", sections=2, learners=60, days=30, statements=20_000, seed=seed)
            summary, _ = load_statements(warehouse, plan, workers=1)
            loaded.append(summary.lines)
            seed += 1
            if rate:
                is_over.wait(max(0.0, began + sum(loaded) / rate - time.perf_counter()))


if __name__ == "__main__":
    main()
