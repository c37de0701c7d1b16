"""Every chart of the catalogue on a section of a tenth and a project of half of a warehouse, beside Torus's layout.

    python -m bench.charts [--rows 10000000] [--asks 15] [--reference-asks 2]

With ten million events the section holds a million and the project five. A tenth of the events is in the warehouse
twice, as after a resent bundle. All questions run through FINAL, with the limits of pages, first on parts as they come,
then after a merge. The reference is a table of the same columns and rows, ordered by hash as OLI Torus orders it, asked
the same questions through FINAL after its own merge. Promised: p95 under 500 ms (section) and 2 s (project) merged, and
twice that unmerged.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from schoolhouse.analytics.answers import Asker, ChartFilters, ChartScope, answer_chart
from schoolhouse.analytics.catalogue import Chart, catalogue
from schoolhouse.analytics.readers import Readers
from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.maintenance import optimize

PLATFORM = "https://proton.example.edu"
SECTION = ChartScope("section", PLATFORM, (1,), ("1",), "1", "section")
PROJECT = ChartScope("project", PLATFORM, tuple(range(1, 162)), (), "1", "project")
BUDGETS_MS = {"section": 500, "project": 2000}
SQL = Path(__file__).parent / "sql"
ASKER = Asker("bench", may_see_learners=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.charts", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--asks", type=int, default=15)
    parser.add_argument("--reference-asks", type=int, default=2)
    options, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="bench-charts-", ignore_cleanup_errors=True) as folder:
        settings = load_settings(data_dir=folder)
        with open_warehouse(settings, who="bench", must_exist=False) as warehouse:
            migrations.up(warehouse)
            fill(warehouse, options.rows)
            print(f"{options.rows:,} events in 400 sections, a tenth of them stored twice")
            unmerged = measure(settings, options.asks)
            started = time.perf_counter()
            optimize(warehouse)
            print(f"  merging took {time.perf_counter() - started:.0f} s")
            merged = measure(settings, options.asks)
            warehouse.run((SQL / "torus_layout_table.sql").read_text(), why="bench")
            warehouse.run((SQL / "torus_layout_index.sql").read_text(), why="bench")
            warehouse.run("INSERT INTO torus_layout SELECT * FROM raw_events", why="bench")
            warehouse.run("OPTIMIZE TABLE torus_layout FINAL", why="bench")
            reference = measure(settings, options.reference_asks, table="torus_layout")
        report(unmerged, merged, reference)


def fill(warehouse: Warehouse, rows: int) -> None:
    """Events in ten inserts, the first of them twice, and an experiment."""
    share = rows // 10
    for first in [*range(0, rows, share), 0]:
        values = {"platform": PLATFORM, "first": first, "count": share}
        warehouse.run((SQL / "fill_chart_events.sql").read_text(), values, why="bench")
    warehouse.run((SQL / "fill_assignments.sql").read_text(), {"platform": PLATFORM}, why="bench")


def measure(settings: Settings, asks: int, *, table: str = "raw_events") -> dict[tuple[str, str], float]:
    """p95 in milliseconds of every chart of either scope; the first ask of each warms up and does not count."""
    readers = Readers(settings)
    figures = {}
    try:
        for chart in catalogue():
            for scope in (SECTION, PROJECT):
                if scope.kind in chart.scopes:
                    asked = _on_table(chart, table)
                    _seconds(readers, asked, scope)
                    times = sorted(_seconds(readers, asked, scope) for _ in range(asks))
                    figures[chart.name, scope.kind] = times[math.ceil(0.95 * asks) - 1] * 1000
    finally:
        readers.close()
    return figures


def report(*figures: dict[tuple[str, str], float]) -> None:
    """A line a chart and scope, and the worst of each scope against what is promised."""
    unmerged, merged, reference = figures
    print(f"  {'chart':<30}{'scope':<9}{'unmerged':>10}{'merged':>10}{'Torus':>10}{'ratio':>8}   p95, ms")
    for name, kind in merged:
        ours, theirs = merged[name, kind], reference[name, kind]
        print(
            f"  {name:<30}{kind:<9}{unmerged[name, kind]:>10,.0f}{ours:>10,.0f}{theirs:>10,.0f}{theirs / ours:>8,.1f}"
        )
    for kind, budget in BUDGETS_MS.items():
        worst = max(value for (_, each), value in merged.items() if each == kind)
        worst_unmerged = max(value for (_, each), value in unmerged.items() if each == kind)
        print(
            f"  {kind}: slowest p95 {worst:,.0f} ms merged (promised: {budget:,}), "
            f"{worst_unmerged:,.0f} ms unmerged (promised: {2 * budget:,})"
        )


def _on_table(chart: Chart, table: str) -> Chart:
    return replace(chart, sql=chart.sql.replace("raw_events", table))


def _seconds(readers: Readers, chart: Chart, scope: ChartScope) -> float:
    return answer_chart(readers, chart, scope, ChartFilters(), ASKER).seconds


if __name__ == "__main__":
    main()
