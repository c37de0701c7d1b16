"""A table of the lake, read and written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from schoolhouse.lake.tables import Change, Table
from schoolhouse.lake.zones import Lake, lake_of
from schoolhouse.settings import load_settings

NOON = datetime(2024, 3, 4, 12, tzinfo=UTC)


def _lake(directory: Path) -> Lake:
    return lake_of(load_settings(data_dir=directory))


def _rows(count: int) -> pl.DataFrame:
    day = [pl.lit(value, pl.Int8).alias(name) for name, value in (("month", 3), ("day", 4))]
    numbers = pl.DataFrame({"number": range(count)})
    return numbers.with_columns(pl.lit(NOON).alias("at"), pl.lit(2024, pl.Int16).alias("year"), *day)


def _add(table: Table, name: str, count: int) -> None:
    rows = _rows(count)
    table.commit(rows.schema, lambda _: Change(rows, {name: 1}))


def test_a_table_that_is_open_has_what_others_commit(tmp_path: Path) -> None:
    here, there = (Table(_lake(tmp_path), "raw", "numbers") for _ in range(2))
    _add(here, "first", 2)
    assert here.number("second") == 0

    _add(there, "second", 3)

    assert here.number("second") == 1
    found = here.scan()
    assert found is not None
    assert found.collect().height == 5


def test_a_table_that_was_open_for_long_sees_what_came_even_if_the_next_commit_has_expired(tmp_path: Path) -> None:
    here, there = (Table(_lake(tmp_path), "raw", "numbers") for _ in range(2))
    _add(here, "first", 2)
    for number in range(3):
        _add(there, f"later {number}", 1)
    there.checkpoint()
    log = here.lake.directory / "raw" / "numbers" / "_delta_log"
    for name in ("00000000000000000001.json", "00000000000000000002.json"):
        (log / name).unlink()

    assert here.number("later 2") == 1


def test_more_rows_than_one_batch_are_written_as_they_are(tmp_path: Path) -> None:
    table = Table(_lake(tmp_path), "raw", "numbers")
    _add(table, "many", 120_000)
    found = table.scan()
    assert found is not None
    assert found.collect().sort("number")["number"].to_list() == list(range(120_000))
