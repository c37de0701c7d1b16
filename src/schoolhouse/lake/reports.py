"""Quality reports: kept as JSON and HTML beside the tables, and the history that anomaly detection compares with."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from schoolhouse.errors import NotFound
from schoolhouse.lake.zones import object_store

if TYPE_CHECKING:
    import polars as pl

    from schoolhouse.lake.clock import Window
    from schoolhouse.lake.ledger import Ledger, Plan
    from schoolhouse.lake.quality import QualityReport
    from schoolhouse.lake.zones import Lake

HISTORY_DAYS: Final = 56


def history(ledger: Ledger, dataset: str, window: Window) -> pl.DataFrame | None:
    """Rows by window of the eight weeks before: `window_start`, `rows`."""
    import polars as pl

    found = ledger.scan(window.start - timedelta(days=HISTORY_DAYS), window.start, dataset)
    if found is None:
        return None
    sizes = found.filter(kind="done", mode="add").group_by("window_start").agg(pl.col("rows").sum())
    past = sizes.sort("window_start").collect()
    return past if past.height else None


def earlier_rows(ledger: Ledger, plan: Plan) -> int:
    """Rows that the slices before this one have put into the window; none count where it replaces them."""
    import polars as pl

    if plan.mode == "again" or plan.number == 1:
        return 0
    found = ledger.rows(plan.window.start, plan.window.end, plan.dataset)
    return int(found.filter(pl.col("window_slice") < plan.number, kind="done", mode="add")["rows"].sum())


def keep(lake: Lake, plan: Plan, report: QualityReport) -> str:
    """Put the report beside the tables; returns its path, without the ending."""
    start = plan.window.start
    path = f"operations/reports/{plan.dataset}/{start:%Y/%m/%d/%H}-{plan.number:04}"
    store = object_store(lake)
    store.put(f"{path}.json", json.dumps(report.as_json(), default=str).encode())
    store.put(f"{path}.html", report.as_html().encode())
    return path


def fetch(lake: Lake, path: str, ending: str) -> bytes:
    """A report's bytes.

    Raises:
        NotFound: there is none.
    """
    try:
        return object_store(lake).get(f"{path}.{ending}")
    except FileNotFoundError:
        raise NotFound(f"There is no report {path}.{ending}.") from None


def as_json(lake: Lake, path: str) -> dict[str, Any]:
    """A report as data."""
    return dict(json.loads(fetch(lake, path, "json")))
