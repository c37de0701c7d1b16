"""Erasing one learner from every zone.

The rows are left out of new files, day by day, and the old files are removed from storage at once. The identifier is
never part of a predicate, because Delta keeps predicates in its log, and it is not in the log's statistics either: the
tables keep statistics of times alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from schoolhouse.lake import days, rework, upkeep
from schoolhouse.lake.naming import Naming
from schoolhouse.lake.tables import Change
from schoolhouse.lake.topics import topic_of

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from schoolhouse.lake.tables import Table
    from schoolhouse.lake.zones import Lake


@dataclass(frozen=True)
class Erased:
    """Rows of one table that were (or would be) erased, and the days that they were in."""

    zone: str
    table: str
    rows: int
    days: int


def erase(lake: Lake, learner: str, *, dry_run: bool) -> list[Erased]:
    """Erase a learner's rows, and messages in quarantine that name them; or only count them."""
    erased = []
    for table in upkeep.tables(lake):
        named = _named(table, learner)
        if named is None:
            continue
        erased.append(_erase_from(table, named, dry_run=dry_run))
    return erased


def _named(table: Table, learner: str) -> pl.Expr | None:
    """What makes a row the learner's; None for tables that hold no learners."""
    if table.zone == "operations":
        return None
    if (table.zone, table.name) == ("quarantine", "messages"):
        return pl.col("value").map_batches(Naming(learner).among, return_dtype=pl.Boolean, is_elementwise=True)
    topic = topic_of(table.name)
    column = topic.learner_id if topic is not None and table.zone == "raw" else "user_id"
    return pl.col(column) == learner


def _erase_from(table: Table, named: pl.Expr, *, dry_run: bool) -> Erased:
    found = Erased(table.zone, table.name, 0, 0)

    def make(opened: DeltaTable) -> Change | None:
        nonlocal found
        rows = table.scan(opened)
        if rows is None:
            return None
        touched = rows.filter(named).group_by("year", "month", "day").len().sort("year", "month", "day").collect()
        found = Erased(table.zone, table.name, int(touched["len"].sum()), touched.height)
        if dry_run or not touched.height:
            return None
        named_days = [f"{year:04}-{month:02}-{day:02}" for year, month, day, _ in touched.iter_rows()]
        kept = rows.filter(days.is_of(named_days), ~named.fill_null(value=False))
        erased = {}
        if table.zone == "raw":
            erased = rework.erasures(opened, rows.filter(named).group_by("window_start").len().collect())
        return Change([kept], erased, days.predicate(named_days), {"erasure": "one learner", "rows": found.rows})

    if (opened := table.open()) is not None:
        schema = pl.Schema(pl.scan_delta(opened, storage_options=table.lake.options or None).collect_schema())
        if table.commit(schema, make) is not None:
            table.forget()
    return found
