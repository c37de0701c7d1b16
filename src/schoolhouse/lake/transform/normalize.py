"""What every transformation does: each event once, numbers within their types, days from times."""

from __future__ import annotations

from typing import Any

import polars as pl

_PLACE = ("kafka_timestamp", "kafka_partition", "kafka_offset")


def each_event_once(raw: pl.LazyFrame, event_id: str) -> pl.DataFrame:
    """Of an event that arrived more than once, the message that stood first."""
    frame = raw.collect(engine="streaming")
    # Different hashes mean different ids, and to count them takes a fifth of the time of comparing texts.
    if frame[event_id].hash().n_unique() == frame.height:
        return frame
    return frame.sort(_PLACE).unique(event_id, keep="first", maintain_order=True)


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
