"""Drawings: a chart's Vega-Lite specification filled with rows, and pictures of it.

Browsers draw the specification themselves, in the colours of the page. Files (PNG, SVG) are drawn here by vl-convert,
which loads nothing from elsewhere.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from schoolhouse.analytics.answers import ChartAnswer
from schoolhouse.analytics.labels import distinct_labels, marks
from schoolhouse.analytics.overview import COLOURS, type_name

PictureFormat = Literal["png", "svg"]
Theme = Literal["light", "dark"]

WIDTH: Final = 880
_PNG_SCALE: Final = 2
# A name that people read, the label that is made of it, and whose id tells two of the same name apart.
_LABELS: Final = (
    ("title", "label", ("video", "activity", "page", "section_id")),
    ("from_title", "from_label", ("from_page",)),
    ("to_title", "to_label", ("to_page",)),
)
# What has no colour of its own, as in web/static/charts.js.
SERIES: Final = [
    "#4a8fd4",
    "#e08a3c",
    "#2aa198",
    "#cf5b52",
    "#8c70c4",
    "#d1a32a",
    "#c86da4",
    "#58a55c",
    "#7a8ca8",
    "#a5813f",
]
_INKS: Final[dict[Theme, dict[str, str]]] = {
    "light": {"ground": "#ffffff", "ink": "#1d2733", "quiet": "#586676", "line": "#dde2e8"},
    "dark": {"ground": "#1a2129", "ink": "#e4e9ee", "quiet": "#9dabb9", "line": "#2d3742"},
}


def drawing(answer: ChartAnswer) -> dict[str, Any]:
    """The specification with its data; width, height and colours are the drawer's.

    It has no data where no row has a place: Vega draws such rows at infinity.
    """
    spec = answer.chart.spec
    rows = _labelled(answer.dicts())
    spec["data"] = {"name": "rows", "values": rows if any(_has_place(row, spec) for row in rows) else []}
    spec["autosize"] = {"type": "fit", "contains": "padding"}
    kinds = {row["label"]: row["event_type"] for row in spec["data"]["values"] if "event_type" in row}
    if kinds:
        colours = [COLOURS.get(kind, COLOURS["other"]) for kind in kinds.values()]
        spec["encoding"]["color"]["scale"] = {"domain": list(kinds), "range": colours}
    return spec


def _has_place(row: dict[str, Any], spec: dict[str, Any]) -> bool:
    places = [spec.get("encoding", {}).get(axis, {}) for axis in ("x", "y")]
    return all(row.get(place.get("field"), 0) is not None for place in places)


def picture(answer: ChartAnswer, form: PictureFormat, theme: Theme = "light") -> bytes:
    """The chart as a file, with its title, its scope and its dates."""
    import vl_convert

    inks = _INKS[theme]
    spec = drawing(answer)
    spec |= {"width": WIDTH, "height": answer.chart.height, "background": inks["ground"], "padding": 16}
    subtitle = _subtitle(answer) + ("" if spec["data"]["values"] else f" · {answer.chart.empty}")
    spec["title"] = {"text": answer.chart.title, "subtitle": subtitle, "anchor": "start", "offset": 12}
    spec["config"] = _config(inks)
    if form == "svg":
        return bytes(vl_convert.vegalite_to_svg(spec).encode())
    return bytes(vl_convert.vegalite_to_png(spec, scale=_PNG_SCALE))


def _subtitle(answer: ChartAnswer) -> str:
    filters = answer.filters
    parts = [answer.scope.name]
    if filters.since:
        parts.append(f"from {filters.since}")
    if filters.until:
        parts.append(f"before {filters.until}")
    if filters.min_group > 1 and "min_group" in answer.chart.filters:
        parts.append(f"groups under {filters.min_group} learners hidden")
    return " · ".join(parts)


def _config(inks: dict[str, str]) -> dict[str, Any]:
    text = {"labelColor": inks["quiet"], "titleColor": inks["quiet"], "labelFontSize": 12, "titleFontSize": 12}
    return {
        "font": "DejaVu Sans, sans-serif",
        "view": {"stroke": None},
        "title": {"color": inks["ink"], "subtitleColor": inks["quiet"], "fontSize": 16, "subtitlePadding": 4},
        "axis": {**text, "gridColor": inks["line"], "domainColor": inks["line"], "tickColor": inks["line"]},
        "mark": {"color": SERIES[0]},
        "range": {"category": SERIES},
        "axisX": {"grid": False, "labelPadding": 6, "labelSeparation": 8},
        "axisY": {"domain": False, "ticks": False, "labelPadding": 8},
        "legend": {**text, "labelColor": inks["ink"]},
    }


def _labelled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with names that are unique: bars of the same name would fall together."""
    for row in rows:
        if "event_type" in row:
            row["label"] = type_name(row["event_type"])
    columns = [
        (title, label, name)
        for title, label, ids in _LABELS
        for name in ids
        if rows and title in rows[0] and name in rows[0]
    ]
    # all columns at once: a page is called the same where a path begins and where it ends
    labels = distinct_labels({str(row[name]): str(row[title]) for title, _, name in columns for row in rows})
    experiments = marks({row["experiment"] for row in rows if "experiment" in row})
    for row in rows:
        for _, label, name in columns:
            row[label] = labels[str(row[name])]
        if "experiment" in row:
            row["experiment_mark"] = experiments[row["experiment"]]
    return rows
