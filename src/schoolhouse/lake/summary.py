"""What the lake holds (`summary`), and how its windows stand (`status`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from schoolhouse.errors import LakeError
from schoolhouse.lake import extract, upkeep
from schoolhouse.lake import window as windows
from schoolhouse.lake.clock import now, window_of
from schoolhouse.lake.clock import windows as hours
from schoolhouse.lake.ledger import Ledger
from schoolhouse.lake.retention import by_partition, keep_days
from schoolhouse.lake.topics import topic_of

if TYPE_CHECKING:
    from schoolhouse.lake.tables import Table
    from schoolhouse.lake.zones import Lake

_MEMORY: Final = timedelta(weeks=4)  # so long after its last window a dataset still counts as one that is loaded


@dataclass(frozen=True)
class Held:
    """What a table holds."""

    zone: str
    table: str
    rows: int
    files: int
    size_bytes: int
    partitions: int
    largest_partition_bytes: int
    oldest: date | None
    newest: date | None
    keep_days: int


@dataclass(frozen=True)
class Standing:
    """How a dataset's windows of the last hours stand."""

    dataset: str
    topic: str
    newest_loaded: datetime | None
    newest_state: str
    newest_score: float | None
    loaded: int
    open: int
    quarantined: int
    failed: int
    missing: list[str]  # windows that are over and were never loaded
    lag: int | None  # messages that no window has read; None when the brokers were not asked
    last_error: str


def summary(lake: Lake) -> list[Held]:
    """Every table, with what it holds."""
    return [_held(table) for table in upkeep.tables(lake)]


def _held(table: Table) -> Held:
    files = table.files()
    days = keep_days(table.lake.settings, table.zone)
    if files is None or not files.height:
        return Held(table.zone, table.name, 0, 0, 0, 0, 0, None, None, days)
    held = by_partition(files)
    return Held(
        table.zone,
        table.name,
        rows=int(held["rows"].sum()),
        files=int(held["files"].sum()),
        size_bytes=int(held["size_bytes"].sum()),
        partitions=held.height,
        largest_partition_bytes=int(held.select(pl.col("size_bytes").max()).item()),
        oldest=held.select(pl.col("first").min()).item(),
        newest=held.select(pl.col("last").max()).item(),
        keep_days=days,
    )


def status(lake: Lake, hours_back: int = 24) -> list[Standing]:
    """Each dataset, with its windows of the last hours and the consumer's lag.

    Hours are missing from the first that anybody has loaded, or tried to load, in the last four weeks.
    """
    until = window_of(now()).end
    since = until - timedelta(hours=hours_back + 1)
    names = windows.datasets(lake.settings)
    rows = Ledger(lake).rows(since - _MEMORY, until)
    return [_standing(lake, name, rows.filter(dataset=name), since, until) for name in names]


def _standing(lake: Lake, dataset: str, rows: pl.DataFrame, since: datetime, until: datetime) -> Standing:
    last = rows.filter(kind="done").sort("window_start", "window_slice").group_by("window_start").last()
    last = last.sort("window_start")
    newest = last.filter(pl.col("window_start") >= since)
    counts = dict(newest.group_by("state").len().iter_rows())
    failed = rows.filter(pl.col("window_start") >= since, kind="failed").sort("recorded_at")
    unfinished = failed.filter(~pl.col("window_start").is_in(newest["window_start"].implode()))
    closed = now() - timedelta(seconds=lake.settings.lake_grace_seconds)
    known = set(newest["window_start"])
    first: Any = rows["window_start"].min() if rows.height else until
    topic = topic_of(dataset)
    return Standing(
        dataset=dataset,
        topic=topic.name if topic else "",
        newest_loaded=last["window_start"][-1] if last.height else None,
        newest_state=last["state"][-1] if last.height else "",
        newest_score=last["score"][-1] if last.height else None,
        loaded=counts.get("loaded", 0),
        open=counts.get("open", 0),
        quarantined=counts.get("quarantined", 0),
        failed=unfinished["window_start"].n_unique(),
        missing=[
            str(hour)
            for hour in hours(since, until)
            if hour.start >= first and hour.end <= closed and hour.start not in known
        ],
        lag=_lag(lake, dataset),
        last_error=failed["error"][-1] if failed.height else "",
    )


def _lag(lake: Lake, dataset: str) -> int | None:
    """Messages that no window has read; None without brokers."""
    topic = topic_of(dataset)
    if topic is None or not lake.settings.kafka_bootstrap_servers:
        return None
    known = Ledger(lake).newest_stops(dataset)
    try:
        return sum(extract.lag(lake.settings, topic.name, known).values())
    except LakeError:
        return None
