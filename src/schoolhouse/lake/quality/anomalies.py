"""What is unusual: rows far from the others, and windows with far more or fewer rows than their hour usually has.

Both use robust z-scores, which the anomalies themselves hardly move (Iglewicz and Hoaglin, 1993): the distance from the
median, in units of 1.4826 times the median absolute deviation, which for normal data is the standard deviation. More
than 3.5 is an anomaly. `docs/lake-quality.md` states how often that is a false alarm, and tests measure it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

THRESHOLD = 3.5
NORMAL = 1.4826  # median absolute deviation to standard deviation, for normal data
NORMAL_MEAN = 1.2533  # mean absolute deviation to standard deviation
HISTORY = timedelta(weeks=8)
LEAST_WEEKS, LEAST_DAYS = 3, 5  # windows of the same hour that a baseline needs

# Of each dataset, the columns whose rows are compared: by logarithm where times and counts are spread by factors.
OBSERVED: dict[str, tuple[tuple[str, bool], ...]] = {
    "user_attempts": (("time_taken_ms", True),),
    "user_sessions": (("duration_minutes", True), ("items_attempted", True)),
    "daily_aggregations": (("total_attempts", True), ("total_study_time_minutes", True)),
    "ml_training": (("weight", True),),
}


@dataclass(frozen=True)
class RowAnomalies:
    """Rows of a column that are far from the others. `low` and `high` are the bounds of the usual."""

    column: str
    rows: int
    anomalies: int
    median: float | None
    low: float | None
    high: float | None

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Volume:
    """How many rows the window has, and how many its hour usually has. Without a baseline there is no judgement."""

    rows: int
    expected: float | None
    z: float | None
    compared_with: int
    baseline: str  # hour of the week, hour of the day, or none

    @property
    def is_anomaly(self) -> bool:
        """Whether the number of rows is unusual."""
        return self.z is not None and abs(self.z) > THRESHOLD

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"is_anomaly": self.is_anomaly}


def spread(values: NDArray[np.float64], middle: float) -> float:
    """A robust standard deviation; 0 where all values are the same."""
    apart = np.abs(values - middle)
    narrow = float(np.median(apart)) * NORMAL
    # More than half of the values are the same: the mean still sees the others.
    return narrow or float(np.mean(apart)) * NORMAL_MEAN


def row_anomalies(frame: pl.DataFrame, dataset: str) -> list[RowAnomalies]:
    """The anomalies of each observed column of the dataset."""
    return [
        _of_column(frame[column], by_logarithm)
        for column, by_logarithm in OBSERVED.get(dataset, ())
        if column in frame.columns
    ]


def _of_column(column: pl.Series, by_logarithm: bool) -> RowAnomalies:
    values = column.drop_nulls().cast(pl.Float64).to_numpy()
    values = values[np.isfinite(values)]
    if by_logarithm:
        values = np.log1p(np.maximum(values, 0))
    if not len(values):
        return RowAnomalies(column.name, 0, 0, None, None, None)
    middle = float(np.median(values))
    wide = spread(values, middle)
    found = int((np.abs(values - middle) > THRESHOLD * wide).sum()) if wide else 0
    back = math.expm1 if by_logarithm else float
    bounds = (back(middle - THRESHOLD * wide), back(middle + THRESHOLD * wide))
    return RowAnomalies(column.name, len(values), found, back(middle), *bounds)


def volume(rows: int, window_start: datetime, history: pl.DataFrame | None) -> Volume:
    """Compare with the windows of the last 8 weeks at the same hour of the week, or else of the day.

    `history` has `window_start` and `rows`. Counts are compared as `y = 2 sqrt(rows + 3/8)`, in which chance alone has
    a standard deviation of 1 at night and at noon (Anscombe, 1948). Busy hours also differ by some share `s` of their
    size, so the deviation is `sqrt(1 + (s y / 2)²)`; `s` is what makes the past windows fit, by their median.
    """
    past = _past(window_start, history)
    for name, slot, least in (("hour of the week", 168, LEAST_WEEKS), ("hour of the day", 24, LEAST_DAYS)):
        same = past.with_columns(pl.col("hour") % slot).with_columns(
            usual=pl.col("size").median().over("hour"), windows=pl.len().over("hour")
        )
        now = same.filter(pl.col("hour") == _hour(window_start) % slot)
        if now.height < least:
            continue
        usual = float(now["usual"][0])
        wide = math.sqrt(1 + (_share(same.filter(pl.col("windows") > 1)) * usual / 2) ** 2)
        # The median of n windows is itself uncertain by sqrt(pi / 2n) of the deviation.
        wide *= math.sqrt(1 + math.pi / (2 * now.height))
        z = (2 * math.sqrt(rows + 0.375) - usual) / wide
        return Volume(rows, max(0.0, usual**2 / 4 - 3 / 8), z, now.height, name)
    return Volume(rows, None, None, 0, "none")


def _past(window_start: datetime, history: pl.DataFrame | None) -> pl.DataFrame:
    if history is None or not {"window_start", "rows"} <= set(history.columns):
        return pl.DataFrame(schema={"hour": pl.Int64, "size": pl.Float64})
    start = pl.col("window_start")
    return history.filter(start < window_start, start >= window_start - HISTORY).select(
        hour=start.dt.epoch("s") // 3600,
        size=2 * (pl.col("rows") + 0.375).sqrt(),
    )


def _hour(moment: datetime) -> int:
    return int(moment.timestamp()) // 3600


def _share(past: pl.DataFrame) -> float:
    """The share `s` by which windows of the same hour differ beyond chance: with it, half are within 0.6745 of 0."""
    usual, windows = past["usual"].to_numpy(), past["windows"].to_numpy()
    # A median lies too close to its own few windows; so much farther away would another window be.
    apart = np.abs(past["size"].to_numpy() - usual) * np.sqrt(windows / (windows - 1))
    if not len(apart):
        return 0.0
    low, high = 0.0, 10.0
    for _ in range(40):
        middle = (low + high) / 2
        if np.median(apart / np.sqrt(1 + (middle * usual / 2) ** 2)) > 1 / NORMAL:
            low = middle
        else:
            high = middle
    return low
