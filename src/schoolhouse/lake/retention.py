"""Cleaning up: days that are older than their zone keeps, and files that no table names any more.

Rows go by whole days, in one commit a table; the files go later, when the vacuum's hours have passed, so that readers
and writers under way are not disturbed. A dry run tells what would go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from schoolhouse.errors import UsageError
from schoolhouse.lake import days, states, upkeep
from schoolhouse.lake.clock import now
from schoolhouse.lake.zones import mapped_reads, object_store

if TYPE_CHECKING:
    from schoolhouse.lake.tables import Table
    from schoolhouse.lake.zones import Lake
    from schoolhouse.settings import Settings

# After how many days a zone's files are read so seldom that a cheaper class of storage pays.
_COOL_DAYS: Final = {"raw": 30, "quarantine": 30, "processed": 90, "aggregated": 365}
_CLASSES: Final = {"s3": "STANDARD_IA", "gcs": "NEARLINE", "local": "a slower disk"}


@dataclass(frozen=True)
class Expired:
    """What of a table is older than its zone keeps, and what the vacuum finds."""

    zone: str
    table: str
    keep_days: int
    before: date | None  # None: kept for ever
    rows: int
    size_bytes: int
    days: int
    unnamed_files: int
    cool_bytes: int  # of what stays, old enough for a cheaper class of storage
    storage_class: str


def keep_days(settings: Settings, zone: str) -> int:
    """Days that a zone keeps; 0: for ever. What was done is kept as long as the aggregations."""
    if zone in {"raw", "quarantine"}:
        return settings.lake_raw_retention_days
    if zone == "processed":
        return settings.lake_processed_retention_days
    return settings.lake_aggregated_retention_days


def cleanup(lake: Lake, *, dry_run: bool) -> list[Expired]:
    """Drop what is older than its zone keeps, and the files that no table names; or only tell what would go."""
    found = []
    for table in upkeep.tables(lake):
        kept = keep_days(lake.settings, table.zone)
        before = now().date() - timedelta(days=kept) if kept else None
        if table.name == states.TABLE:
            before = _unneeded_states(table, before)
        expired = _measure(table, kept, before)
        if not dry_run:
            if expired.rows and before is not None:
                _delete(table, before)
            table.checkpoint()
        unnamed = table.vacuum(lake.settings.lake_vacuum_hours, dry_run=dry_run)
        found.append(Expired(**{**vars(expired), "unnamed_files": len(unnamed)}))
    if not dry_run:
        _drop_reports(lake)
    return found


def _unneeded_states(table: Table, before: date | None) -> date:
    """States older than the base that windows start from now, and a week besides for working on windows again."""
    with mapped_reads("processed/learner_states"):
        newest = states.needed_since(table)
    week_ago = now().date() - timedelta(days=7)
    limits = [week_ago] if before is None else [max(before, week_ago)]
    return min([*limits, *([newest.date()] if newest else [])])


def _measure(table: Table, kept: int, before: date | None) -> Expired:
    files = table.files()
    cool = _COOL_DAYS.get(table.zone, 0)
    settings = table.lake.settings
    facts: dict[str, Any] = {"rows": 0, "size_bytes": 0, "days": 0, "cool_bytes": 0}
    if files is not None and files.height:
        dated = files.with_columns(of=file_day(files))
        old = dated.filter(pl.col("of") < before) if before else dated.clear()
        facts["rows"] = int(old["num_records"].sum())
        facts["size_bytes"] = int(old["size_bytes"].sum())
        facts["days"] = old["of"].n_unique()
        if cool:
            cold = dated.filter(pl.col("of") < now().date() - timedelta(days=cool))
            facts["cool_bytes"] = int(cold["size_bytes"].sum()) - facts["size_bytes"]
    hint = f"{_CLASSES[settings.lake_provider]} after {cool} days" if cool else ""
    return Expired(table.zone, table.name, kept, before, unnamed_files=0, storage_class=hint, **facts)


def file_day(files: pl.DataFrame) -> pl.Expr:
    """The last day that a file may hold rows of, from its partition."""
    first = pl.date(pl.col("partition.year").cast(pl.Int32), pl.col("partition.month"), 1)
    if "partition.day" in files.columns:
        return pl.date(pl.col("partition.year").cast(pl.Int32), pl.col("partition.month"), pl.col("partition.day"))
    return first.dt.month_end()


def by_partition(files: pl.DataFrame) -> pl.DataFrame:
    """What files hold by partition: its `first` and `last` day with rows, `size_bytes`, `files`, `rows`.

    Of a month, the log knows the windows that put rows there, and where it does not, the month up to today.
    """
    last = file_day(files)
    first = last
    if "partition.day" not in files.columns:
        month = last.dt.month_start(), last
        first, last = month[0], pl.max_horizontal(month[0], pl.min_horizontal(last, pl.lit(now().date())))
        if "min.window_start" in files.columns:
            first = pl.col("min.window_start").dt.date().clip(*month).fill_null(first)
            last = pl.col("max.window_start").dt.date().clip(*month).fill_null(last)
    return (
        files.with_columns(of=file_day(files), first=first, last=last)
        .group_by("of")
        .agg(
            pl.col("first").min(),
            pl.col("last").max(),
            pl.col("size_bytes").sum(),
            pl.len().alias("files"),
            pl.col("num_records").sum().alias("rows"),
        )
        .sort("of")
        .drop("of")
    )


def _delete(table: Table, before: date) -> None:
    """Drop rows of earlier days; the table remembers of which."""
    columns = table.partition_columns
    first_kept = before if "day" in columns else before.replace(day=1)
    number = max(first_kept.toordinal(), table.number(days.CLEANED_UP))
    table.delete(_before(before, columns), {"cleanup": f"before {before}"}, {days.CLEANED_UP: number})


def _before(day: date, partition_columns: list[str]) -> str:
    """Rows of earlier days, by whole partitions."""
    parts = [f"year < {day.year}", f"(year = {day.year} and month < {day.month})"]
    if "day" in partition_columns:
        parts.append(f"(year = {day.year} and month = {day.month} and day < {day.day})")
    return " or ".join(parts)


def _drop_reports(lake: Lake) -> None:
    """Quality reports go with the aggregations."""
    kept = lake.settings.lake_aggregated_retention_days
    if not kept:
        return
    store = object_store(lake)
    oldest = (now().date() - timedelta(days=kept)).strftime("%Y/%m/%d")
    old = [path for path in store.list("operations/reports/") if "/".join(path.split("/")[3:6]) < oldest]
    if old:
        store.delete(old)


def lifecycle(lake: Lake) -> dict[str, Any]:
    """Rules for the bucket, in the form that its provider takes, that move seldom-read files to cheaper storage.

    They never expire anything: only `cleanup` knows which files a table still names.

    Raises:
        UsageError: the lake is a directory.
    """
    if lake.directory is not None:
        raise UsageError(
            "The lake is a directory, which has no storage classes.",
            hint="Rules are for a bucket: set DATA_LAKE_PROVIDER to s3 or gcs, and DATA_LAKE_BUCKET.",
        )
    prefix = lake.settings.lake_base_path
    if lake.settings.lake_provider == "gcs":
        rules = [
            {
                "action": {"type": "SetStorageClass", "storageClass": "NEARLINE"},
                "condition": {"age": days, "matchesPrefix": [f"{prefix}/{zone}/"], "matchesSuffix": [".parquet"]},
            }
            for zone, days in _COOL_DAYS.items()
        ]
        return {"lifecycle": {"rule": rules}}
    return {
        "Rules": [
            {
                "ID": f"schoolhouse-{zone}",
                "Status": "Enabled",
                "Filter": {"And": {"Prefix": f"{prefix}/{zone}/", "ObjectSizeGreaterThan": 131_072}},
                "Transitions": [{"Days": days, "StorageClass": "STANDARD_IA"}],
            }
            for zone, days in _COOL_DAYS.items()
        ]
    }
