"""What every transformation does: each event once, numbers within their types, days from times."""

from __future__ import annotations

from typing import Any

import polars as pl

_PLACE = ("kafka_timestamp", "kafka_partition", "kafka_offset")


def each_event_once(raw: pl.LazyFrame, event_id: str) -> pl.LazyFrame:
    """Of an event that arrived more than once, the message that stood first."""
    # Different hashes mean different ids, and to count them takes a fifth of the time of comparing texts.
    hashes = raw.select(pl.col(event_id).hash()).collect(engine="streaming").to_series()
    if hashes.n_unique() == hashes.len():
        return raw
    rows = raw.select(event_id, *_PLACE).with_row_index("row").collect(engine="streaming")
    first = rows.sort(_PLACE).unique(event_id, keep="first")["row"]
    copies = rows["row"].filter(~rows["row"].is_in(first.implode()))
    return raw.with_row_index("row").filter(~pl.col("row").is_in(copies.implode())).drop("row")


def within_type(value: pl.Expr, dtype: Any) -> pl.Expr:
    """A number as a smaller type; what does not fit becomes the bound, which the quality checks then find too large."""
    return value.cast(pl.Int64).clip(dtype.min(), dtype.max()).cast(dtype)


def year_month_day(time: str) -> list[pl.Expr]:
    """The columns that tables are partitioned by, in UTC."""
    return [
        pl.col(time).dt.year().cast(pl.Int16).alias("year"),
        pl.col(time).dt.month().cast(pl.Int8).alias("month"),
        pl.col(time).dt.day().cast(pl.Int8).alias("day"),
    ]


def one_word(text: pl.Expr) -> pl.Expr:
    """A name from a list, however it was written: `Mock-Test ` is `mock_test`."""
    return text.str.strip_chars().str.to_lowercase().str.replace_all(r"[\s-]+", "_")
