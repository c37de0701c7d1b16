"""Checking what is stored: the quality of each day's rows, each key once, sums that agree with their rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import polars as pl

from schoolhouse.errors import LakeError, LakeUnavailable
from schoolhouse.lake import days, quality
from schoolhouse.lake.clock import now
from schoolhouse.lake.tables import Table
from schoolhouse.lake.transform import dataset_of
from schoolhouse.lake.work import LOAD_COLUMNS
from schoolhouse.lake.zones import mapped_reads

if TYPE_CHECKING:
    from schoolhouse.lake.zones import Lake


@dataclass(frozen=True)
class CheckedDay:
    """One day of a dataset."""

    day: date
    rows: int
    score: float | None  # None: the day has no rows
    level: str
    problems: list[str]

    @property
    def is_broken(self) -> bool:
        """Whether the rows cannot be relied on."""
        return self.level == "critical" or bool(self.problems)


def validate(lake: Lake, dataset: str, count: int, *, until: datetime | None = None) -> list[CheckedDay]:
    """Check the days of the span; days without rows are listed as such.

    Raises:
        UsageError: there is no such dataset.
        LakeError: the table cannot be read. (A day whose files cannot be read is critical.)
    """
    kind = dataset_of(dataset)
    last = ((until or now()) - timedelta(microseconds=1)).date()
    stored = Table(lake, kind.zone, dataset).scan()
    span = [last - timedelta(days=back) for back in reversed(range(count))]
    if stored is None:
        return [CheckedDay(day, 0, None, "ok", []) for day in span]
    return [_checked(lake, dataset, stored, day) for day in span]


def _checked(lake: Lake, dataset: str, stored: pl.LazyFrame, day: date) -> CheckedDay:
    """A day, even where a file of it is gone or damaged; that the storage does not answer is no fault of the day."""
    try:
        with mapped_reads(f"{day}"):
            return _day(lake, dataset, stored, day)
    except LakeUnavailable:
        raise
    except LakeError as error:
        return CheckedDay(day, 0, None, "critical", [error.message])


def _day(lake: Lake, dataset: str, stored: pl.LazyFrame, day: date) -> CheckedDay:
    rows = stored.filter(days.is_of([day.isoformat()])).collect(engine="streaming")
    if not rows.height:
        return CheckedDay(day, 0, None, "ok", [])
    start = datetime.combine(day, time(), UTC)
    report = quality.validate(
        dataset,
        rows.select(pl.exclude(list(LOAD_COLUMNS))),
        window_start=start,
        window_end=start + timedelta(days=1),
        history=None,
    )
    problems = []
    kind = dataset_of(dataset)
    if copies := rows.height - rows.select(kind.key).n_unique():
        problems.append(f"{copies} rows stand twice")
    if dataset == days.DATASET and not _agrees(lake, rows, day):
        problems.append("the sums differ from the attempts and sessions")
    return CheckedDay(day, rows.height, report.score, report.level, problems)


def _agrees(lake: Lake, rows: pl.DataFrame, day: date) -> bool:
    """Whether a day's sums are those of its rows; a day whose rows have been cleaned up is not judged."""
    kept, again = days.sums(lake, [day.isoformat()])
    if not kept or not again.height:
        return True
    names = ["user_id", "total_attempts", "correct_attempts", "unique_items_attempted", "total_sessions"]
    return rows.select(names).sort(names).equals(again.select(names).sort(names))
