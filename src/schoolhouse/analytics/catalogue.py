"""The chart catalogue: one folder a chart under `charts/`, read once.

    charts/<name>/about.yaml      title, the question in plain words, how the number is defined, columns with units
    charts/<name>/question.sql    one SELECT through FINAL; values are bound by the engine
    charts/<name>/chart.vl.json   the Vega-Lite drawing, without data
    charts/<name>/cases/*.yaml    given events and expected rows, which the tests run

Which filters a chart takes follows from the names that its question binds.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from schoolhouse.errors import NotFound

Category = Literal["video", "assessment", "engagement", "performance", "cross_event"]
ScopeKind = Literal["section", "project"]

CATEGORIES: Final[dict[Category, str]] = {
    "engagement": "Engagement",
    "video": "Video",
    "assessment": "Assessment",
    "performance": "Performance",
    "cross_event": "Across events",
}
# What a unit means to people; `docs/charts.md` lists them.
UNITS: Final[dict[str, str]] = {
    "id": "identity",
    "text": "words",
    "learner": "identity of a learner, or a made-up name",
    "count": "whole number",
    "number": "number",
    "share": "0 to 1",
    "percent": "0 to 100",
    "correlation": "-1 to 1",
    "seconds": "seconds",
    "minutes": "minutes",
    "hours": "hours",
    "days": "days",
    "date": "day, UTC",
    "time": "time, UTC",
    "weekday": "1 is Monday",
    "hour": "hour of the day, UTC",
}
# Names that a question binds, and the filters that they stand for.
_SCOPE_NAMES: Final = frozenset({"platform", "section_ids", "project_id", "course_keys", "pepper", "shows_learners"})
FILTER_OF: Final[dict[str, str]] = {
    "since": "dates",
    "until": "dates",
    "event_types": "event_types",
    "pages": "pages",
    "activities": "activities",
    "video": "video",
    "top": "top",
    "min_group": "min_group",
    "step": "step",
    "silent_days": "silent_days",
}
REFERENCE_MARK: Final = "<!-- written from the folders of the charts -->"
_BOUND: Final = re.compile(r"\{(\w+):")


@dataclass(frozen=True)
class Column:
    """One column of an answer; `unit` is a key of UNITS."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Chart:
    """One question with its drawing. `is_personal`: its rows are about single learners."""

    name: str
    title: str
    question: str
    definition: str
    empty: str
    category: Category
    scopes: tuple[ScopeKind, ...]
    columns: tuple[Column, ...]
    height: int
    is_personal: bool
    sql: str
    spec_text: str

    @property
    def bound_names(self) -> frozenset[str]:
        """The names of the values that the question binds."""
        return frozenset(_BOUND.findall(self.sql))

    @property
    def filters(self) -> tuple[str, ...]:
        """The filters that the question takes, in the order of FILTER_OF."""
        return tuple(dict.fromkeys(FILTER_OF[name] for name in FILTER_OF if name in self.bound_names))

    @property
    def spec(self) -> dict[str, Any]:
        """A copy of the drawing, to fill with data."""
        return cast(dict[str, Any], json.loads(self.spec_text))


@cache
def catalogue() -> tuple[Chart, ...]:
    """Every chart, by category and then by name."""
    folder = files("schoolhouse.analytics.charts")
    names = sorted(entry.name for entry in folder.iterdir() if entry.joinpath("about.yaml").is_file())
    order = list(CATEGORIES)
    return tuple(sorted(map(_read, names), key=lambda chart: (order.index(chart.category), chart.name)))


def find_chart(name: str, scope: ScopeKind | None = None) -> Chart:
    """The chart of that name, which must exist for `scope`. Raises NotFound."""
    for chart in catalogue():
        if chart.name == name and (scope is None or scope in chart.scopes):
            return chart
    known = ", ".join(chart.name for chart in catalogue() if scope is None or scope in chart.scopes)
    of_scope = f" for a {scope}" if scope else ""
    raise NotFound(f"There is no chart {name!r}{of_scope}.", hint=f"There are: {known}.")


def charts_of(category: Category, scope: ScopeKind) -> tuple[Chart, ...]:
    """The charts of one category for one kind of scope."""
    return tuple(chart for chart in catalogue() if chart.category == category and scope in chart.scopes)


def _read(name: str) -> Chart:
    import yaml

    folder = files("schoolhouse.analytics.charts").joinpath(name)
    about: dict[str, Any] = yaml.safe_load(folder.joinpath("about.yaml").read_text(encoding="utf-8"))
    chart = Chart(
        name=name,
        title=about["title"],
        question=about["question"],
        definition=about["definition"],
        empty=about["empty"],
        category=about["category"],
        scopes=tuple(about["scopes"]),
        columns=tuple(Column(key, facts["unit"], facts["meaning"]) for key, facts in about["columns"].items()),
        height=about["height"],
        is_personal=about.get("is_personal", False),
        sql=folder.joinpath("question.sql").read_text(encoding="utf-8"),
        spec_text=folder.joinpath("chart.vl.json").read_text(encoding="utf-8"),
    )
    _check(chart)
    return chart


def _check(chart: Chart) -> None:
    unknown = chart.bound_names - _SCOPE_NAMES - FILTER_OF.keys()
    if unknown or chart.category not in CATEGORIES or not set(chart.scopes) <= set(get_args(ScopeKind)):
        raise ValueError(f"charts/{chart.name}: unknown value {sorted(unknown)}, category or scope")
    if not {"platform", "section_ids", "project_id"} <= chart.bound_names:
        raise ValueError(f"charts/{chart.name}: the question is not scoped by platform, section and project")
    if wrong := {column.unit for column in chart.columns} - UNITS.keys():
        raise ValueError(f"charts/{chart.name}: unknown units {sorted(wrong)}")


def reference() -> str:
    """The catalogue in Markdown, as `docs/charts.md` holds it."""
    lines: list[str] = []
    for category, name in CATEGORIES.items():
        lines += [f"### {name}", ""]
        for chart in (chart for chart in catalogue() if chart.category == category):
            lines += [f"#### {chart.title} (`{chart.name}`)", "", f"*{chart.question}*", "", chart.definition, ""]
            filters = ", ".join(chart.filters).replace("_", " ")
            lines += [f"For: {', '.join(chart.scopes)}. Filters: {filters}.", ""]
            lines += ["| column | unit | meaning |", "| --- | --- | --- |"]
            lines += [f"| `{column.name}` | {UNITS[column.unit]} | {column.meaning} |" for column in chart.columns]
            lines += [""]
    return "\n".join(lines).rstrip() + "\n"


def write_reference(path: str) -> None:
    """Write the catalogue into the page of documentation that ends with it."""
    page = Path(path)
    head = page.read_text(encoding="utf-8").partition(REFERENCE_MARK)[0]
    page.write_text(f"{head}{REFERENCE_MARK}\n\n{reference()}", encoding="utf-8")
