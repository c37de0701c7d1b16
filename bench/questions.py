"""The overview of a section among ten million events in 400 sections: latency under FINAL, unmerged and merged.

Section 1 holds 25,000 events, section 2 a million, the others about 22,500 each, all over a term of 110 days. The
events are narrow (no statement text), since questions do not read it. A tenth of them is in the warehouse twice, as
after a resent bundle. `rows read` shows that a question reads its section's granules and no others.
"""

from __future__ import annotations

import json
import math
import tempfile
import time

from bench.charts import SQL, settle
from schoolhouse.analytics.overview import section_overview
from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import Section
from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.maintenance import optimize
from schoolhouse.warehouse.statements import statement

PLATFORM = "https://proton.example.edu"
BUDGETS_MS = {1: 60, 2: 300}


def main(rows: int = 10_000_000, asks: int = 40) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-questions-", ignore_cleanup_errors=True) as folder:
        settings = load_settings(data_dir=folder)
        with open_warehouse(settings, who="bench", must_exist=False) as warehouse:
            migrations.up(warehouse)
            fill = statement("fill_events", SQL)
            share = rows // 10
            for first in [*range(0, rows, share), 0]:  # the first tenth arrives twice
                warehouse.run(fill, {"platform": PLATFORM, "first": first, "count": share}, why="bench")
            events = warehouse.ask(statement("count_events"), why="bench").value()
            settle(warehouse)
            print(f"{events:,} events in 400 sections, in {_parts(warehouse)} parts", flush=True)
            unmerged = _measure(settings, asks)
            started = time.perf_counter()
            optimize(warehouse)
            print(f"  merging took {time.perf_counter() - started:.0f} s")
            merged = _measure(settings, asks)
    for section_id, budget in BUDGETS_MS.items():
        print(f"  section {section_id}, {merged[section_id][2]:,} events")
        print(f"    merged    {merged[section_id][0]}   (promised: p95 under {budget} ms)")
        print(f"    unmerged  {unmerged[section_id][0]}   (promised: p95 under {2 * budget} ms)")
        print(f"    rows read, merged: {merged[section_id][1]:,}")


def _parts(warehouse: Warehouse) -> int:
    """How many parts inserts and background merges have left."""
    return int(warehouse.ask(statement("count_parts", SQL), why="bench").value())


def _measure(settings: Settings, asks: int) -> dict[int, tuple[str, int, int]]:
    readers = Readers(settings)
    figures = {}
    try:
        for section_id in BUDGETS_MS:
            section = Section(PLATFORM, section_id, str(section_id), "", None)
            section_overview(readers, section, who="bench")
            times = []
            for _ in range(asks):
                overview = section_overview(readers, section, who="bench")
                times.append(overview.seconds * 1000)
            times.sort()
            p50, p95 = times[len(times) // 2], times[math.ceil(0.95 * len(times)) - 1]
            scope = {"section_id": section_id, "platform": PLATFORM}
            summary = statement("summarize_section", "schoolhouse.analytics.sql")
            with readers.lend("bench") as warehouse:
                answer = json.loads(warehouse.ask_bytes(summary, scope, output_format="JSONCompact", why="bench"))
            read = int(answer["statistics"]["rows_read"])
            figures[section_id] = (f"p50 {p50:6.1f} ms  p95 {p95:6.1f} ms", read, overview.events)
    finally:
        readers.close()
    return figures
