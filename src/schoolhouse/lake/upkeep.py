"""Keeping tables small and quick to open: compaction, checkpoints, and files that nobody names any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from schoolhouse.lake.tables import Table
from schoolhouse.lake.zones import ZONES, Zone, object_store

if TYPE_CHECKING:
    from schoolhouse.lake.clock import Window
    from schoolhouse.lake.zones import Lake

# Beside a dataset's own: the tables that every window writes to.
_SHARED: Final[tuple[tuple[Zone, str], ...]] = (
    ("processed", "learner_states"),
    ("aggregated", "daily_aggregations"),
    ("operations", "windows"),
)


@dataclass(frozen=True)
class Compacted:
    """What compaction did to a table."""

    zone: str
    table: str
    files_before: int
    files_after: int


def tables(lake: Lake) -> list[Table]:
    """Every table of the lake that has been written, by zone and name."""
    store = object_store(lake)
    found = []
    for zone in ZONES:
        listed = store.list_with_delimiter(f"{zone}/")
        names = sorted(str(prefix).rstrip("/").rsplit("/", 1)[-1] for prefix in listed["common_prefixes"])
        found += [Table(lake, zone, name) for name in names if _is_table(store, zone, name)]
    return found


def _is_table(store: Any, zone: Zone, name: str) -> bool:
    return bool(store.list_with_delimiter(f"{zone}/{name}/_delta_log/")["objects"])


def join_day(lake: Lake, dataset: str, window: Window) -> None:
    """Join the small files that its hours have left of a window's day, and drop log files that have expired."""
    start = window.start
    day = {"year": start.year, "month": start.month, "day": start.day}
    own: tuple[tuple[Zone, str], ...] = (("raw", dataset), ("processed", dataset))
    for zone, name in own + _SHARED:
        table = Table(lake, zone, name)
        table.compact([(column, "=", str(day[column])) for column in table.partition_columns])
        table.checkpoint()


def compact(lake: Lake, only: list[Table] | None = None) -> list[Compacted]:
    """Join the small files of every table, and write a checkpoint."""
    done = []
    for table in only or tables(lake):
        told = table.compact()
        table.checkpoint()
        removed, added = int(told.get("numFilesRemoved", 0)), int(told.get("numFilesAdded", 0))
        done.append(Compacted(table.zone, table.name, removed, added))
    return done
