"""How the lake did over some days: windows, times, volumes, quality. One set of figures for the report, the page and
Prometheus.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from schoolhouse.lake import upkeep
from schoolhouse.lake.clock import now
from schoolhouse.lake.ledger import Ledger
from schoolhouse.lake.retention import by_partition

if TYPE_CHECKING:
    from schoolhouse.lake.zones import Lake


@dataclass(frozen=True)
class DatasetUse:
    """A dataset over the days of a report."""

    dataset: str
    windows: int  # that were loaded, left open or quarantined
    failures: int  # tries that failed
    success_rate: float | None  # finished tries / all tries
    messages: int
    rows: int
    duplicates: int
    late: int
    poison: int
    expired: int
    quarantined_windows: int
    records_per_hour: float  # messages by window
    seconds_mean: float | None
    seconds_p95: float | None
    score_mean: float | None
    score_min: float | None
    validation_failures: int
    anomalies: int
    readable: float | None  # messages that could be read / all
    schema_compliance: float | None  # columns that are there with their types / all
    dimensions: dict[str, float]  # mean score by dimension of quality


@dataclass(frozen=True)
class Day:
    """One day of a dataset."""

    day: date
    dataset: str
    windows: int
    failures: int
    rows: int
    score: float | None
    seconds: float


@dataclass(frozen=True)
class Growth:
    """What the days of a report have added to a table."""

    zone: str
    table: str
    days: int  # that have rows; in a month, from the first to the last
    rows: int
    files: int
    size_bytes: int
    bytes_per_day: int
    largest_day_bytes: int  # of a month, its mean day


@dataclass(frozen=True)
class Usage:
    """The report."""

    since: datetime
    until: datetime
    datasets: list[DatasetUse]
    days: list[Day]
    tasks: dict[str, dict[str, float]]  # dataset to task to mean seconds
    storage: list[dict[str, Any]]  # zone, table, of, days, size_bytes, files, rows
    growth: list[Growth]  # the same by table
    windows: list[dict[str, Any]]  # the newest first


def usage(lake: Lake, days: int, *, until: datetime | None = None) -> Usage:
    """The figures of the windows of the last days, up to now or another moment."""
    until = until or now()
    since = until - timedelta(days=days)
    rows = Ledger(lake).rows(since, until)
    tries = rows.filter(pl.col("kind") != "plan")
    names = tries["dataset"].unique().sort().to_list()
    stored = storage(lake, since.date())
    return Usage(
        since=since,
        until=until,
        datasets=[_dataset(name, tries.filter(dataset=name)) for name in names],
        days=_days(tries),
        tasks={name: _tasks(tries.filter(dataset=name, kind="done")) for name in names},
        storage=stored,
        growth=_growth(stored),
        windows=_windows(tries),
    )


def _dataset(name: str, tries: pl.DataFrame) -> DatasetUse:
    done, failed = tries.filter(kind="done"), tries.filter(kind="failed")
    loads = done.filter(mode="add")
    newest = done.sort("window_slice").group_by("window_start").last()
    messages, poison = int(loads["messages"].sum()), int(loads["poison"].sum())
    return DatasetUse(
        dataset=name,
        windows=newest.height,
        failures=failed.height,
        success_rate=done.height / tries.height if tries.height else None,
        messages=messages,
        rows=int(loads["rows"].sum()),
        duplicates=int(loads["duplicates"].sum()),
        late=int(loads["late"].sum()),
        poison=poison,
        expired=int(loads["expired"].sum()),
        quarantined_windows=newest.filter(state="quarantined").height,
        records_per_hour=messages / newest.height if newest.height else 0.0,
        seconds_mean=_number(done["seconds"].mean()),
        seconds_p95=_number(done["seconds"].quantile(0.95)),
        score_mean=_number(newest["score"].mean()),
        score_min=_number(newest["score"].min()),
        validation_failures=sum(sum(json.loads(row).values()) for row in done["failures"]),
        anomalies=int(done["anomalies"].sum()),
        readable=1 - poison / messages if messages else None,
        schema_compliance=_number(newest["schema_compliance"].mean()),
        dimensions=_means([json.loads(row) for row in newest["dimensions"]]),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    names = sorted({name for row in rows for name in row})
    return {name: sum(row[name] for row in rows if name in row) / sum(name in row for row in rows) for name in names}


def _tasks(done: pl.DataFrame) -> dict[str, float]:
    return _means([json.loads(row) for row in done["tasks"]])


def _days(tries: pl.DataFrame) -> list[Day]:
    is_done = pl.col("kind") == "done"
    by_day = (
        tries.group_by(pl.col("window_start").dt.date().alias("of"), "dataset")
        .agg(
            pl.col("window_start").filter(is_done).n_unique().alias("windows"),
            (~is_done).sum().alias("failures"),
            pl.col("rows").filter(is_done & (pl.col("mode") == "add")).sum(),
            pl.col("score").filter(is_done).mean(),
            pl.col("seconds").filter(is_done).sum(),
        )
        .sort("of", "dataset")
    )
    return [
        Day(row["of"], row["dataset"], row["windows"], row["failures"], row["rows"], row["score"], row["seconds"])
        for row in by_day.iter_rows(named=True)
    ]


def _windows(tries: pl.DataFrame) -> list[dict[str, Any]]:
    wanted = ["dataset", "window_start", "window_slice", "kind", "state", "messages", "rows", "duplicates", "poison"]
    wanted += ["late", "quarantined_rows", "score", "level", "anomalies", "seconds", "report", "error"]
    newest = tries.sort("window_start", "recorded_at", descending=True).select(wanted)
    return newest.rows(named=True)


def _growth(stored: list[dict[str, Any]]) -> list[Growth]:
    by_table: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in stored:
        by_table.setdefault((row["zone"], row["table"]), []).append(row)
    return [
        Growth(
            zone,
            table,
            days=(days := sum(row["days"] for row in rows)),
            rows=sum(row["rows"] for row in rows),
            files=sum(row["files"] for row in rows),
            size_bytes=(size := sum(row["size_bytes"] for row in rows)),
            bytes_per_day=size // days,
            largest_day_bytes=max(row["size_bytes"] // row["days"] for row in rows),
        )
        for (zone, table), rows in by_table.items()
    ]


def storage(lake: Lake, since: date) -> list[dict[str, Any]]:
    """Bytes and files by table and partition, from a day on: growth and partition sizes.

    `of` is the last day of the data in it, `days` how many it spans: 1, but in tables that go by months.
    """
    found: list[dict[str, Any]] = []
    for table in upkeep.tables(lake):
        files = table.files()
        if files is None or not files.height:
            continue
        lately = by_partition(files).filter(pl.col("last") >= since)
        of_table = lately.select(
            "size_bytes",
            "files",
            "rows",
            of=pl.col("last"),
            days=(pl.col("last") - pl.col("first")).dt.total_days() + 1,
        )
        found += [{"zone": table.zone, "table": table.name, **row} for row in of_table.iter_rows(named=True)]
    return found
