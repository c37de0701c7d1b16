"""How often the robust z-scores cry wolf, and what they do not miss."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from schoolhouse.lake.quality.anomalies import row_anomalies, volume

START = datetime(2025, 9, 1, tzinfo=UTC)


def times(values: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"time_taken_ms": np.maximum(values, 0).astype(np.int32)})


def test_of_lognormal_times_one_in_two_thousand_is_called_an_anomaly() -> None:
    random = np.random.default_rng(5)
    (found,) = row_anomalies(times(random.lognormal(9, 0.6, 400_000)), "user_attempts")
    # The normal distribution has 0.000465 of its mass beyond 3.5 standard deviations.
    assert found.anomalies / found.rows == pytest.approx(0.000465, abs=0.00015)
    assert found.median == pytest.approx(np.exp(9), rel=0.01)


def test_outliers_are_found_even_where_a_third_of_the_rows_are_outliers() -> None:
    random = np.random.default_rng(6)
    values = random.lognormal(9, 0.4, 9_000)
    values[:3_000] *= 1_000
    (found,) = row_anomalies(times(values), "user_attempts")
    assert 2_950 <= found.anomalies <= 3_050


@pytest.mark.parametrize(("values", "anomalies"), [([5] * 100, 0), ([5] * 99 + [5_000_000], 1), ([], 0), ([7], 0)])
def test_values_that_are_all_the_same_are_usual_and_one_that_is_not_is_seen(values: list[int], anomalies: int) -> None:
    (found,) = row_anomalies(times(np.array(values, dtype=float)), "user_attempts")
    assert found.anomalies == anomalies


def weeks(number: int, random: np.random.Generator, noise: float) -> pl.DataFrame:
    """Hourly windows: quiet nights and weekends, with the chance of counts and days that are better or worse."""
    hours = np.arange(number * 168)
    usual = 40 + 4_000 * np.sin(np.pi * (hours % 24) / 24) ** 4 * np.where(hours % 168 >= 120, 0.3, 1.0)
    rows = random.poisson(usual * random.lognormal(0, noise, len(hours)))
    return pl.DataFrame({"window_start": [START + timedelta(hours=int(hour)) for hour in hours], "rows": rows})


def judged(history: pl.DataFrame, factor: float = 1.0) -> list[bool]:
    """Whether each window of the last week is an anomaly, were it `factor` times as large."""
    last = history["window_start"].max() - timedelta(days=7)  # type: ignore[operator]
    return [
        volume(int(rows * factor), moment, history.filter(pl.col("window_start") < moment)).is_anomaly
        for moment, rows in history.filter(pl.col("window_start") > last).rows()
    ]


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_at_most_one_usual_window_in_a_hundred_is_called_unusual(noise: float) -> None:
    found = [one for seed in range(4) for one in judged(weeks(9, np.random.default_rng(seed), noise))]
    assert len(found) > 600
    assert np.mean(found) <= 0.01


@pytest.mark.parametrize("factor", [0.0, 0.3, 3.0])
def test_a_window_that_lost_most_of_its_rows_or_tripled_is_unusual_by_day(factor: float) -> None:
    history = weeks(9, np.random.default_rng(1), 0.1)
    found = np.array(judged(history, factor))
    by_day = np.array([8 <= hour % 24 <= 16 for hour in range(168)])
    assert found[by_day].mean() >= 0.95


def test_the_same_number_is_usual_at_noon_and_unusual_at_night() -> None:
    history = weeks(8, np.random.default_rng(2), 0.1)
    noon = START + timedelta(weeks=8, hours=12)
    assert not volume(4_000, noon, history).is_anomaly
    found = volume(4_000, noon + timedelta(hours=12), history)
    assert (found.is_anomaly, found.baseline, found.compared_with) == (True, "hour of the week", 8)


def test_a_young_lake_is_compared_by_the_hour_of_the_day_and_a_newborn_not_at_all() -> None:
    history = weeks(1, np.random.default_rng(3), 0.0)
    young = volume(4_000, START + timedelta(days=7, hours=12), history)
    assert (young.baseline, young.compared_with) == ("hour of the day", 7)
    for nothing in (None, history.head(0), history.head(20), pl.DataFrame({"rows": [1]})):
        newborn = volume(10, START + timedelta(days=7, hours=12), nothing)
        assert (newborn.z, newborn.baseline, newborn.is_anomaly) == (None, "none", False)


def test_what_is_older_than_eight_weeks_or_not_before_the_window_does_not_count() -> None:
    history = weeks(12, np.random.default_rng(4), 0.0)
    assert volume(4_000, START + timedelta(weeks=10, hours=12), history).compared_with == 8
