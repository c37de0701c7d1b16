"""Run the suite of a dataset over a window's rows with pointblank, and look for anomalies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from schoolhouse.lake.quality.anomalies import RowAnomalies, Volume, row_anomalies, volume
from schoolhouse.lake.quality.checks import Check, Result, fact
from schoolhouse.lake.quality.report import QualityReport
from schoolhouse.lake.quality.suites import suite_of
from schoolhouse.lake.transform.datasets import dataset_of

USUAL_ANOMALIES = 0.01  # of rows; real data have heavier tails than the normal distribution
USUAL_COPIES = 0.02  # of rows; a sender that is not sure sends again


def validate(
    dataset: str,
    frame: pl.DataFrame,
    *,
    window_start: datetime,
    window_end: datetime,
    history: pl.DataFrame | None = None,
    earlier_rows: int = 0,
    copies: int = 0,
) -> QualityReport:
    """How good the rows of a window `[window_start, window_end)` are.

    `history` has one row for each earlier window, with `window_start` and `rows`; without it volumes are not judged.
    `earlier_rows` are those that the window has already, where it is loaded in slices. `copies` are rows that were left
    out, because the window or the table has their key: they are no harm, but many of them mean that a sender repeats.
    """
    known = dataset_of(dataset)
    found = row_anomalies(frame, dataset)
    size = volume(frame.height + earlier_rows, window_start, history)
    usable = {name for name, dtype in known.schema.items() if frame.schema.get(name) == dtype}
    checks = [
        check
        for check in suite_of(known, frame.schema, window_start, window_end)
        if usable.issuperset(check.columns)  # the others have failed already, as columns
    ]
    results = [*_run(checks, frame), _of_copies(copies, frame.height), *_of_anomalies(found), *_of_volume(size)]
    return QualityReport(dataset, window_start, window_end, frame.height, tuple(results), tuple(found), size)


def _run(checks: list[Check], frame: pl.DataFrame) -> list[Result]:
    import pointblank

    ran = [check for check in checks if check.kind != "fact" and frame.height]
    plan = pointblank.Validate(data=frame)
    for check in ran:
        plan = _step(plan, check)
    plan.interrogate(collect_extracts=False, collect_tbl_checked=False)
    steps = dict(zip(map(id, ran), plan.validation_info, strict=True))
    return [_result(check, steps.get(id(check))) for check in checks]


def _step(plan: Any, check: Check) -> Any:
    more = {"dimension": check.dimension, "brief": check.name}
    if check.kind == "not_null":
        return plan.col_vals_not_null(check.columns[0], **more)
    if check.kind == "rule":  # ranges and known values too: pointblank's own steps for them take twice as long
        return plan.col_vals_expr(check.given, **more)
    if check.kind == "fresh":
        greatest, measured_at = check.given
        return plan.data_freshness(check.columns[0], greatest, reference_time=measured_at, **more)
    # Hashes take a third of the columns' memory; among a million different keys two share one once in 37 million times.
    return plan.rows_distinct("key", pre=lambda rows: rows.select(key=pl.struct(check.columns).hash()), **more)


def _result(check: Check, step: Any) -> Result:
    if check.kind == "fact":
        return Result(check, 1, int(not check.given))
    if step is None:  # no rows
        return Result(check, 0, 0)
    if step.eval_error:
        return Result(check, 1, 1)
    return Result(check, int(step.n), int(step.n_failed))


def _of_copies(copies: int, rows: int) -> Result:
    about = "Few rows came more than once; those that did were left out."
    check = Check("few rows are copies", about, "consistency", "warning", "fact", tolerance=USUAL_COPIES)
    return Result(check, rows + copies, copies)


def _of_anomalies(found: list[RowAnomalies]) -> list[Result]:
    return [
        Result(
            Check(
                f"{one.column} is usual",
                "Few rows are more than 3.5 robust standard deviations from the median.",
                "accuracy",
                "info",
                "rule",
                (one.column,),
                tolerance=USUAL_ANOMALIES,
            ),
            one.rows,
            one.anomalies,
        )
        for one in found
    ]


def _of_volume(size: Volume) -> list[Result]:
    if size.z is None:
        return []
    about = f"As many rows as this {size.baseline} usually has, within 3.5 robust standard deviations."
    check = fact("the number of rows is usual", about, "timeliness", "info", not size.is_anomaly)
    return [Result(check, 1, int(size.is_anomaly))]
