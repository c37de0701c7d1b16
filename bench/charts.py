"""Every chart of the catalogue on a section of a tenth and a project of half of a warehouse, beside Torus's layout.

    python -m bench.charts [--rows 10000000] [--asks 15] [--reference-asks 2] [--data-dir DIR]
        [--scope section|project] [--category video …]

With ten million events the section holds a million and the project five. A tenth of the events is in the warehouse
twice, as after a resent bundle. All questions run through FINAL, with the limits of pages, on three tables one after
another: parts as inserts and background merges left them; the same after a merge; and, as reference, a table of the
same columns and rows, ordered by hash as OLI Torus orders it, after its own merge. Promised: p95 under 500 ms (section)
and 2 s (project) merged, and twice that unmerged. With --data-dir the warehouse is kept there and used again.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from schoolhouse.analytics.answers import Asker, ChartFilters, ChartScope, answer_chart
from schoolhouse.analytics.catalogue import CATEGORIES, Chart, catalogue
from schoolhouse.analytics.readers import Readers
from schoolhouse.settings import load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.statements import statement

PLATFORM = "https://proton.example.edu"
SECTION = ChartScope("section", PLATFORM, (1,), ("1",), "1", "section")
PROJECT = ChartScope("project", PLATFORM, tuple(range(1, 162)), (), "1", "project", project_id=1)
SCOPES = {"section": SECTION, "project": PROJECT}
BUDGETS_MS = {"section": 500, "project": 2000}
SQL = "bench.sql"
ASKER = Asker("bench", may_see_learners=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.charts", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--asks", type=int, default=15)
    parser.add_argument("--reference-asks", type=int, default=2)
    parser.add_argument("--scope", choices=tuple(SCOPES), action="append")
    parser.add_argument("--category", choices=tuple(CATEGORIES), action="append")
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.data_dir or stack.enter_context(
            tempfile.TemporaryDirectory(prefix="bench-charts-", ignore_cleanup_errors=True)
        )
        settings = load_settings(data_dir=folder)
        with open_warehouse(settings, who="bench", must_exist=False) as warehouse:
            if migrations.up(warehouse):
                prepare(warehouse, options.rows)
            readers = Readers(settings)
            stack.callback(readers.close)
            for kind in options.scope or SCOPES:
                charts = [each for each in catalogue() if each.category in (options.category or CATEGORIES)]
                measure(readers, [each for each in charts if kind in each.scopes], kind, options)


def prepare(warehouse: Warehouse, rows: int) -> None:
    """Fill the three tables."""
    fill(warehouse, rows)
    settle(warehouse)
    warehouse.run(statement("freeze_unmerged_events", SQL), why="bench")
    for (partition,) in warehouse.ask(statement("list_event_partitions", SQL), why="bench").rows:
        warehouse.run(statement("copy_unmerged_partition", SQL), {"partition": partition}, why="bench")
    started = time.perf_counter()
    warehouse.run(statement("merge_events", SQL), why="bench")
    print(f"  merging took {time.perf_counter() - started:.0f} s")
    for step in ("torus_layout_table", "torus_layout_index", "torus_layout_insert", "torus_layout_merge"):
        warehouse.run(statement(step, SQL), why="bench")


def fill(warehouse: Warehouse, rows: int) -> None:
    """Events in ten inserts, the first of them twice, an experiment, and who the sections are."""
    share = rows // 10
    for first in [*range(0, rows, share), 0]:
        values = {"platform": PLATFORM, "first": first, "count": share}
        warehouse.run(statement("fill_chart_events", SQL), values, why="bench")
    for rest in ("fill_assignments", "fill_sections"):
        warehouse.run(statement(rest, SQL), {"platform": PLATFORM}, why="bench")


def settle(warehouse: Warehouse) -> None:
    """Wait until the merges that the last inserts called for are done."""
    while warehouse.ask(statement("count_merges", SQL), why="bench").value():
        time.sleep(1)


def measure(readers: Readers, charts: Sequence[Chart], kind: str, options: argparse.Namespace) -> None:
    """A line a chart, and the worst of them against what is promised."""
    print(f"  {kind:<30}{'unmerged':>10}{'merged':>10}{'Torus':>10}{'ratio':>8}   p95, ms")
    scope, seen = SCOPES[kind], list[tuple[float, float]]()
    for chart in charts:
        unmerged = _p95_ms(readers, _on_table(chart, "unmerged_events"), scope, options.asks)
        merged = _p95_ms(readers, chart, scope, options.asks)
        reference = _p95_ms(readers, _on_table(chart, "torus_layout"), scope, options.reference_asks)
        seen.append((unmerged, merged))
        ratio = reference / merged
        print(f"  {chart.name:<30}{unmerged:>10,.0f}{merged:>10,.0f}{reference:>10,.0f}{ratio:>8,.1f}", flush=True)
    worst_unmerged, worst = (max(each) for each in zip(*seen, strict=True))
    print(
        f"  slowest: {worst:,.0f} ms merged (promised: {BUDGETS_MS[kind]:,}), "
        f"{worst_unmerged:,.0f} ms unmerged (promised: {2 * BUDGETS_MS[kind]:,})"
    )


def _p95_ms(readers: Readers, chart: Chart, scope: ChartScope, asks: int) -> float:
    """The first ask warms up and does not count."""
    times = sorted([_seconds(readers, chart, scope) for _ in range(asks + 1)][1:])
    return times[math.ceil(0.95 * asks) - 1] * 1000


def _on_table(chart: Chart, table: str) -> Chart:
    return replace(chart, sql=chart.sql.replace("raw_events", table))


def _seconds(readers: Readers, chart: Chart, scope: ChartScope) -> float:
    return answer_chart(readers, chart, scope, ChartFilters(), ASKER).seconds


if __name__ == "__main__":
    main()
