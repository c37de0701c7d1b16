"""Ingest of part attempts of OLI Torus: the whole way in, beside the Torus way and beside inserting raw lines.

Each way runs in a process of its own on a new embedded warehouse; the figures are the process's own (rows by wall
seconds, CPU seconds, peak memory). The ways take turns, and the medians are compared.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.part_attempts import write_part_attempts

WAYS = ("ours", "torus_way", "limit")
SQL = "bench.sql"


def main(rows: int = 400_000, turns: int = 3, grow: int = 10) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as folder:
        path = Path(folder) / "part_attempts.jsonl"
        write_part_attempts(path, rows)
        print(f"{rows:,} part attempts, {path.stat().st_size / rows:,.0f} bytes each, {turns} turns")
        figures: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(turns):
            for way in WAYS:
                figures[way].append(_run(way, path, rows))
        rates = {}
        for way in WAYS:
            rates[way] = statistics.median(each["rows_per_second"] for each in figures[way])
            cpu = statistics.median(each["cpu_seconds"] for each in figures[way])
            memory = max(each["peak_megabytes"] for each in figures[way])
            print(f"  {way:9} {rates[way]:10,.0f} rows/s  {cpu:6.2f} CPU-s  {memory:7,.0f} MB at most")
        print(f"  ours / torus way  {rates['ours'] / rates['torus_way']:5.2f}   (promised: at least 6)")
        print(f"  ours / limit      {rates['ours'] / rates['limit']:5.2f}   (promised: at least 0.4)")
        if grow > 1:
            large = Path(folder) / "large.jsonl"
            write_part_attempts(large, rows * grow)
            big = _run("ours", large, rows * grow)
            small = statistics.median(each["seconds"] for each in figures["ours"])
            print(
                f"  {grow} times the data: {big['seconds'] / small:.1f} times the time, "
                f"{big['peak_megabytes']:,.0f} MB at most (promised: under 1,500)"
            )


def _run(way: str, path: Path, rows: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench-warehouse-", ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", "bench.ingest", way, str(path), folder]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(out)
    assert figures["rows"] == rows, figures
    return figures


def _one_way(way: str, path: Path, folder: Path) -> dict[str, float]:
    from schoolhouse.collect.files import find_files
    from schoolhouse.collect.ingest import ingest_files
    from schoolhouse.settings import load_settings
    from schoolhouse.warehouse import migrations
    from schoolhouse.warehouse.connection import open_warehouse
    from schoolhouse.warehouse.statements import statement

    with open_warehouse(load_settings(data_dir=folder), who="bench", must_exist=False) as warehouse:
        if way == "ours":
            migrations.up(warehouse)
        else:
            warehouse.run(statement(f"{way}_table", SQL), why="bench")
        before = resource.getrusage(resource.RUSAGE_SELF)
        started = time.perf_counter()
        if way == "ours":
            ingest_files(warehouse, find_files([str(path)]))
        else:
            warehouse.run(statement(f"{way}_insert", SQL), {"path": str(path)}, why="bench")
        seconds = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_SELF)
        count = statement("count_events") if way == "ours" else statement(f"{way}_count", SQL)
        rows = int(warehouse.ask(count, why="bench").value())
    return {
        "rows": rows,
        "seconds": seconds,
        "rows_per_second": rows / seconds,
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_megabytes": after.ru_maxrss / 1000,
    }


if __name__ == "__main__":
    print(json.dumps(_one_way(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
