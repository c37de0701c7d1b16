"""The suites find what is wrong, at the level and in the dimension that the documentation says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from schoolhouse.lake.quality import QualityReport, validate
from schoolhouse.lake.quality.checks import DIMENSIONS, LEVELS, Check, Result
from schoolhouse.lake.transform import DATASETS, daily, transform
from tests.lake.messages import MONDAY, attempt, example, raw, session

END = MONDAY + timedelta(hours=1)
ROWS = 50


def frames() -> dict[str, pl.DataFrame]:
    """Good rows of every dataset."""
    attempts = transform(
        "user_attempts",
        raw(
            "user.attempts",
            *[attempt(number, time_taken_ms=6_000 + 83 * number, correct=number % 4 > 0) for number in range(ROWS)],
        ),
    ).collect()
    sessions = transform(
        "user_sessions",
        raw("user.sessions", *[session(number, items_attempted=18 + number % 5) for number in range(ROWS)]),
    ).collect()
    examples = transform("ml_training", raw("ml.training", *[example(number) for number in range(ROWS)])).collect()
    examples = examples.with_columns(created_at=pl.col("created_at") - pl.duration(minutes=5))
    return {
        "user_attempts": attempts,
        "user_sessions": sessions,
        "ml_training": examples,
        "daily_aggregations": daily(attempts.lazy(), sessions.lazy()).collect(),
    }


@pytest.fixture(scope="module")
def good() -> dict[str, pl.DataFrame]:
    return frames()


def report(dataset: str, frame: pl.DataFrame, **more: Any) -> QualityReport:
    return validate(dataset, frame, window_start=MONDAY, window_end=END, **more)


def failed(found: QualityReport) -> dict[str, tuple[str, str]]:
    """The checks that did not end well: name to status and dimension."""
    return {one.check.name: (one.status, one.check.dimension) for one in found.results if one.status != "ok"}


@pytest.mark.parametrize("dataset", ["user_attempts", "user_sessions", "ml_training", "daily_aggregations"])
def test_good_rows_are_good(dataset: str, good: dict[str, pl.DataFrame]) -> None:
    found = report(dataset, good[dataset])
    assert failed(found) == {}
    assert (found.level, found.score, found.is_critical, found.schema_compliance) == ("ok", 100.0, False, 1.0)
    assert set(found.dimension_scores) == set(DIMENSIONS)
    assert found.counts["ok"] == len(found.results) > 20


Spoil = Callable[[pl.DataFrame], pl.DataFrame]


def put(column: str, value: Any, rows: int = 1) -> Spoil:
    """Put a value into the first rows of a column."""

    def spoil(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_row_index("place").with_columns(
            pl.when(pl.col("place") < rows).then(pl.lit(value, frame.schema[column])).otherwise(column).alias(column)
        ).drop("place")  # fmt: skip

    return spoil


@pytest.mark.parametrize(
    ("dataset", "spoil", "name", "level", "dimension"),
    [
        ("user_attempts", put("user_id", None), "user_id is there", "critical", "completeness"),
        ("user_attempts", put("item_id", None), "item_id is there", "critical", "completeness"),
        ("user_attempts", put("correct", None), "correct is there", "critical", "completeness"),
        ("user_attempts", put("quality", 9), "quality is in range", "error", "validity"),
        (
            "user_attempts",
            put("bkt_prob_knowledge_after", 1.5),
            "bkt_prob_knowledge_after is in range",
            "error",
            "validity",
        ),
        (
            "user_attempts",
            put("response_time_category", "glacial"),
            "response_time_category is known",
            "error",
            "validity",
        ),
        ("user_attempts", put("response_time_seconds", 1.0), "seconds are milliseconds / 1000", "error", "accuracy"),
        ("user_attempts", put("response_time_category", "slow"), "the category fits the time", "error", "consistency"),
        ("user_attempts", put("is_weekend", True), "the weekend is Saturday and Sunday", "error", "consistency"),
        ("user_attempts", put("sm2_interval_after", 6), "a failed repetition starts again", "error", "consistency"),
        ("user_attempts", put("day", 2), "the day is that of the time", "error", "consistency"),
        ("user_attempts", put("attempted_at", END + timedelta(hours=1)), "no event is ahead", "error", "timeliness"),
        ("user_attempts", put("attempted_at", MONDAY - timedelta(days=2)), "no event is old", "warning", "timeliness"),
        ("user_attempts", put("topic", "unknown"), "the topic is given", "warning", "completeness"),
        ("user_attempts", put("quality", 5), "the grade fits the answer", "warning", "accuracy"),
        ("user_attempts", put("event_id", "event-7"), "event_id stand once", "warning", "consistency"),
        ("user_attempts", lambda frame: frame.head(0), "", "", ""),
        ("user_sessions", put("accuracy", 0.5), "accuracy is right / attempted", "error", "accuracy"),
        ("user_sessions", put("items_per_minute", 9.0), "the pace is attempted / minutes", "error", "accuracy"),
        ("user_sessions", put("correct_count", 99), "no more right than attempted", "error", "consistency"),
        (
            "user_sessions",
            put("ended_at", MONDAY - timedelta(minutes=1)),
            "a session ends after it began",
            "error",
            "consistency",
        ),
        ("user_sessions", put("session_type", "exam"), "session_type is known", "error", "validity"),
        ("user_sessions", put("accuracy", None, ROWS), "accuracy is there", "warning", "completeness"),
        ("daily_aggregations", put("accuracy", 0.1), "accuracy is right / attempted", "error", "accuracy"),
        ("daily_aggregations", put("correct_attempts", 99), "no more right than attempted", "error", "consistency"),
        (
            "daily_aggregations",
            put("unique_items_attempted", 99),
            "no more questions than attempts",
            "error",
            "consistency",
        ),
        ("daily_aggregations", put("year", 2026), "no day is ahead", "error", "timeliness"),
        ("ml_training", put("prediction", 1.2), "prediction is in range", "error", "validity"),
        ("ml_training", put("squared_error", 0.5), "the error is that of the prediction", "error", "accuracy"),
        ("ml_training", put("feature_values", [1.0]), "as many values as names", "error", "consistency"),
        ("ml_training", put("split", "holdout"), "split is known", "error", "validity"),
    ],
)
def test_each_wrong_is_found_at_its_level_in_its_dimension(
    dataset: str, spoil: Spoil, name: str, level: str, dimension: str, good: dict[str, pl.DataFrame]
) -> None:
    found = report(dataset, spoil(good[dataset]))
    if not name:
        assert (found.level, found.rows, found.score) == ("ok", 0, 100.0)
        return
    assert failed(found)[name] == (level, dimension)
    assert LEVELS.index(found.level) <= LEVELS.index(level)  # type: ignore[arg-type]
    assert found.dimension_scores[dimension] < 100 > found.score
    assert found.is_critical is (level == "critical")


def test_a_column_that_is_absent_or_has_another_type_is_critical_and_the_other_checks_still_run(
    good: dict[str, pl.DataFrame],
) -> None:
    frame = good["user_attempts"].drop("quality").with_columns(pl.col("hour_of_day").cast(pl.String))
    found = report("user_attempts", put("correct", None)(frame))
    assert set(failed(found)) == {"quality is a column", "hour_of_day is a column", "correct is there"}
    assert found.is_critical
    assert found.schema_compliance == pytest.approx(1 - 2 / len(DATASETS["user_attempts"].columns))


def test_a_few_rows_that_lack_something_are_a_warning_and_many_are_critical(good: dict[str, pl.DataFrame]) -> None:
    many = pl.concat([good["user_attempts"]] * 100, rechunk=True)
    assert failed(report("user_attempts", put("correct", None, 5)(many)))["correct is there"][0] == "warning"
    assert failed(report("user_attempts", put("correct", None, 6)(many)))["correct is there"][0] == "critical"
    assert failed(report("user_attempts", put("user_id", None, 1)(many)))["user_id is there"][0] == "critical"


def test_rows_that_all_come_from_before_the_window_are_not_fresh(good: dict[str, pl.DataFrame]) -> None:
    found = validate("user_attempts", good["user_attempts"], window_start=END, window_end=END + timedelta(hours=1))
    assert failed(found) == {"the newest event is fresh": ("warning", "timeliness")}


def test_the_score_is_the_mean_of_the_dimensions_weighted_by_level() -> None:
    def result(level: Any, dimension: Any, units: int, wrong: int) -> Result:
        return Result(Check("x", "", dimension, level, "rule"), units, wrong)

    plain = report("user_attempts", pl.DataFrame())
    found = QualityReport(
        "user_attempts", MONDAY, END, 10,
        (
            result("critical", "completeness", 10, 5),
            result("info", "completeness", 10, 0),
            result("error", "validity", 10, 1),
            result("warning", "validity", 1, 1),
        ),
        (), plain.volume,
    )  # fmt: skip
    assert found.dimension_scores == pytest.approx(
        {"completeness": 100 * (8 * 0.5 + 1) / 9, "validity": 100 * (4 * 0.9 + 0) / 6}
    )
    assert found.score == pytest.approx((500 / 9 + 60) / 2)
    assert found.counts == {"critical": 1, "error": 1, "warning": 1, "info": 0, "ok": 1}


def test_an_unusual_row_and_an_unusual_volume_are_info(good: dict[str, pl.DataFrame]) -> None:
    hours = pl.datetime_range(MONDAY - timedelta(days=28), MONDAY, "1h", closed="left", eager=True)
    history = pl.DataFrame({"window_start": hours, "rows": [100_000] * len(hours)})
    found = report("user_attempts", put("time_taken_ms", 80_000_000)(good["user_attempts"]), history=history)
    assert failed(found)["time_taken_ms is usual"] == ("info", "accuracy")
    assert failed(found)["the number of rows is usual"] == ("info", "timeliness")
    assert found.anomalies == 2


def test_the_rows_of_earlier_slices_count_for_the_volume(good: dict[str, pl.DataFrame]) -> None:
    hours = pl.datetime_range(MONDAY - timedelta(days=28), MONDAY, "1h", closed="left", eager=True)
    history = pl.DataFrame({"window_start": hours, "rows": [100_000] * len(hours)})
    found = report("user_attempts", good["user_attempts"], history=history, earlier_rows=100_000 - ROWS)
    assert (found.volume.rows, found.volume.is_anomaly, found.rows) == (100_000, False, ROWS)


def test_many_copies_are_a_warning_and_a_few_are_none(good: dict[str, pl.DataFrame]) -> None:
    rows = good["user_attempts"]
    few, many = (report("user_attempts", rows, copies=copies) for copies in (1, rows.height))
    assert few.level == "ok"
    assert many.level == "warning"
    assert many.dimension_scores["consistency"] < few.dimension_scores["consistency"] <= 100


def test_the_report_is_json_and_names_no_learner(good: dict[str, pl.DataFrame]) -> None:
    found = report("user_attempts", put("quality", 9)(good["user_attempts"]))
    told = json.loads(json.dumps(found.as_json()))
    assert (told["dataset"], told["level"], told["rows"]) == ("user_attempts", "error", ROWS)
    assert told["window_start"] == "2025-09-01T08:00:00+00:00"
    assert {one["name"]: one["failed"] for one in told["checks"]}["quality is in range"] == 1
    assert "learner-1" not in json.dumps(told) + found.as_html()


def test_the_page_needs_nothing_from_elsewhere_and_tells_the_worst_first(good: dict[str, pl.DataFrame]) -> None:
    page = report("user_attempts", put("item_id", None)(put("quality", 9)(good["user_attempts"]))).as_html()
    assert not [word for word in ("http:", "https:", "<script", "@import", "url(") if word in page]
    assert page.index("item_id is there") < page.index("quality is in range") < page.index("the schema")
    assert datetime(2025, 9, 1, 8, tzinfo=UTC).strftime("Window %Y-%m-%d %H:%M") in page
