"""Daily aggregations: the days that a window touched are summed anew from the attempts and sessions that are there now.

Everybody who changes a day raises that day's number in the table, and reads attempts and sessions after looking at it.
So of two windows of one day, the one that commits last has seen the rows of both.

Sums are kept longer than the rows that they are made of. A cleaning-up that drops rows leaves its day as a number in
their table, and sums of earlier days stay as they are.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from schoolhouse.lake.tables import Change, Table, number_in
from schoolhouse.lake.transform import daily as sums_of
from schoolhouse.lake.transform import dataset_of

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from schoolhouse.lake.ledger import Plan
    from schoolhouse.lake.zones import Lake

DATASET: Final = "daily_aggregations"
SOURCES: Final = ("user_attempts", "user_sessions")
CLEANED_UP: Final = "cleaned up"  # the transaction that says before which day a table's rows were dropped


def recompute(lake: Lake, plan: Plan, touched: list[str]) -> None:
    """Sum the days anew, unless this slice has done so already."""
    table = Table(lake, "aggregated", DATASET)
    schema = dataset_of(DATASET).schema

    def make(opened: DeltaTable) -> Change | None:
        if number_in(opened, plan.transaction) >= plan.number:
            return None
        kept, rows = sums(lake, touched)
        locks = {f"day {day}": number_in(opened, f"day {day}") + 1 for day in kept}
        facts = {"window": plan.window, "dataset": plan.dataset, "days": ",".join(kept)}
        return Change(rows, {**locks, plan.transaction: plan.number}, predicate(kept) if kept else "", facts)

    table.commit(schema, make)


def sums(lake: Lake, touched: list[str]) -> tuple[list[str], pl.DataFrame]:
    """Those of the days whose rows were not cleaned up, and their sums, from what the processed zone holds now."""
    tables = [Table(lake, "processed", name) for name in SOURCES]
    opened = [table.open() for table in tables]  # rows and numbers of the same moment
    first = _first_kept(opened)
    kept = [day for day in touched if first is None or date.fromisoformat(day) >= first]
    sources = []
    for table, at in zip(tables, opened, strict=True):
        found = None if at is None else table.scan(at)
        frame = pl.LazyFrame(schema=dataset_of(table.name).schema) if found is None else found
        sources.append(frame.filter(is_of(kept)))
    rows = sums_of(*sources).select(dataset_of(DATASET).schema.names()).collect(engine="streaming")
    return kept, rows


def first_kept(lake: Lake, dataset: str) -> date | None:
    """The day before which rows of the dataset, or of one that is summed with it, were cleaned up; None: of no day."""
    names = SOURCES if dataset in SOURCES else (dataset,)
    return _first_kept([Table(lake, "processed", name).open() for name in names])


def _first_kept(opened: list[DeltaTable | None]) -> date | None:
    newest = max((number_in(one, CLEANED_UP) for one in opened if one is not None), default=0)
    return date.fromordinal(newest) if newest else None


def is_of(touched: list[str]) -> pl.Expr:
    """Rows of these days."""
    parts = [[int(part) for part in day.split("-")] for day in touched]
    return pl.any_horizontal(
        pl.lit(value=False),
        *((pl.col("year") == year) & (pl.col("month") == month) & (pl.col("day") == day) for year, month, day in parts),
    )


def between(since: Any, until: Any) -> pl.Expr:
    """Rows of the days from one moment to another, by the partition columns: other days' files stay closed."""
    if (until - since).days > 31:
        return pl.col("year").is_between(since.year, until.year)
    dates = pl.date_range(since.date(), until.date(), eager=True).to_list()
    return pl.any_horizontal(
        (pl.col("year") == date.year) & (pl.col("month") == date.month) & (pl.col("day") == date.day) for date in dates
    )


def predicate(touched: list[str]) -> str:
    """The days in SQL, for what is replaced."""
    parts = [[int(part) for part in day.split("-")] for day in touched]
    return " or ".join(f"(year = {year} and month = {month} and day = {day})" for year, month, day in parts)
