"""The lake for admins: how its windows stand, what the tables hold, quality over time, and every quality report."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import PlainTextResponse, Response

from schoolhouse.errors import NotFound
from schoolhouse.web.access import Admin
from schoolhouse.web.state import AppState, state_of
from schoolhouse.web.templates import render

router = APIRouter(prefix="/admin/lake", include_in_schema=False)

_WINDOWS: Final = 100
_LAG_SECONDS: Final = 3
# The rows of the table of figures: what people call them, and where `usage` holds them.
_FIGURES: Final = (
    ("Windows", "windows"),
    ("Failed tries", "failures"),
    ("Share of tries that finished, 0 to 1", "success_rate"),
    ("Messages", "messages"),
    ("Rows", "rows"),
    ("Duplicates", "duplicates"),
    ("Late", "late"),
    ("Poison", "poison"),
    ("Messages a window", "records_per_hour"),
    ("Seconds a window, mean", "seconds_mean"),
    ("Seconds a window, 95 of 100 under", "seconds_p95"),
    ("Score, mean", "score_mean"),
    ("Score, lowest", "score_min"),
    ("Failed checks", "validation_failures"),
    ("Anomalies", "anomalies"),
    ("Share of columns that keep to the schema, 0 to 1", "schema_compliance"),
)
# A report is a page of its own: it has its styles inside, and may load and run nothing.
_REPORT_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"


@router.get("")
def lake(request: Request, _: Admin, days: Annotated[int, Query(ge=1, le=366)] = 30) -> Response:
    """The page."""
    from schoolhouse.lake.summary import status, summary
    from schoolhouse.lake.usage import usage

    state = state_of(request)
    held = _lake(state)
    used = usage(held, days)
    facts = {
        "days": days,
        "where": held.root,
        "standings": status(held),
        "tables": summary(held),
        "used": used,
        "figures": _FIGURES,
        "tasks": sorted({name for seconds in used.tasks.values() for name in seconds}),
        "windows": used.windows[:_WINDOWS],
        "scores": _trend(used.days, "score", "score, 0 to 100", [0, 100]),
        "rows": _trend(used.days, "rows", "rows", None),
        "scripts": [state.assets.vega_address, state.assets.address("charts.js")],
    }
    return render(request, "admin_lake.html", facts)


@router.get("/metrics")
def lake_metrics(request: Request, _: Admin) -> Response:
    """The lake's figures for Prometheus."""
    from schoolhouse.lake.metrics import exposition

    return PlainTextResponse(exposition(_lake(state_of(request))), media_type="text/plain; version=0.0.4")


@router.get("/reports/{dataset}/{year}/{month}/{day}/{name}")
def report(request: Request, _: Admin, dataset: str, year: int, month: int, day: int, name: str) -> Response:
    """A quality report: `…/10-0001.html`, or `.json`."""
    from schoolhouse.lake.reports import fetch
    from schoolhouse.lake.transform import DATASETS

    stem, _dot, ending = name.partition(".")
    kinds = {"html": "text/html; charset=utf-8", "json": "application/json"}
    if dataset not in DATASETS or ending not in kinds or not stem.replace("-", "").isdigit():
        raise NotFound(f"There is no report {name[:40]}.")
    path = f"operations/reports/{dataset}/{year:04}/{month:02}/{day:02}/{stem}"
    content = fetch(_lake(state_of(request)), path, ending)
    return Response(content, media_type=kinds[ending], headers={"Content-Security-Policy": _REPORT_POLICY})


def _lake(state: AppState) -> Any:
    """The lake, asked with little patience for brokers: a page is waiting."""
    from schoolhouse.lake.zones import lake_of

    patience = min(state.settings.kafka_timeout_seconds, _LAG_SECONDS)
    return lake_of(state.settings.model_copy(update={"kafka_timeout_seconds": patience}))


def _trend(days: list[Any], field: str, title: str, domain: list[int] | None) -> dict[str, Any]:
    """A line for each dataset, a point for each day."""
    values = [
        {"day": day.day.isoformat(), "dataset": day.dataset, "value": getattr(day, field)}
        for day in days
        if getattr(day, field) is not None
    ]
    days_axis = {"title": None, "format": "%-d %b", "tickCount": "day", "labelOverlap": True}
    scale = {"domain": domain} if domain else {"zero": True}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": 720,
        "height": 220,
        "autosize": {"type": "fit", "contains": "padding"},
        "data": {"values": values},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "day", "type": "temporal", "scale": {"type": "utc"}, "axis": days_axis},
            "y": {"field": "value", "type": "quantitative", "scale": scale, "axis": {"title": title}},
            "color": {"field": "dataset", "type": "nominal", "legend": {"title": None, "orient": "top"}},
            "tooltip": [
                {"field": "day", "type": "temporal", "title": "Day"},
                {"field": "dataset", "type": "nominal", "title": "Dataset"},
                {"field": "value", "type": "quantitative", "title": title, "format": ",.4~g"},
            ],
        },
    }
