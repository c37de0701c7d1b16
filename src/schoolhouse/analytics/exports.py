"""A chart in whatever form somebody wants it: rows as JSON, CSV, Parquet or Arrow, or a picture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, Literal

from schoolhouse.analytics.answers import (
    Asker,
    ChartFilters,
    ChartScope,
    answer_chart,
    export_chart,
    project_scope,
    section_scope,
)
from schoolhouse.analytics.catalogue import Chart
from schoolhouse.analytics.drawing import Theme, picture
from schoolhouse.analytics.projects import find_project
from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import find_section
from schoolhouse.analytics.spreadsheets import without_formulas
from schoolhouse.errors import UsageError

Ending = Literal["json", "csv", "parquet", "arrow", "png", "svg"]
ENDINGS: Final[tuple[Ending, ...]] = ("json", "csv", "parquet", "arrow", "png", "svg")


@dataclass(frozen=True)
class Wanted:
    """One chart of one scope, in one form."""

    chart: Chart
    scope: ChartScope
    filters: ChartFilters
    ending: Ending
    theme: Theme = "light"


def find_scope(readers: Readers, *, section: str = "", project: str = "", who: str) -> ChartScope:
    """The scope of a section's or a project's address.

    Raises:
        UsageError: neither or both are named.
        NotFound: there is no such section or project.
    """
    if bool(section) == bool(project):
        raise UsageError("Name a section or a project.", hint="Such as --section 42@torus.example.")
    if section:
        return section_scope(find_section(readers, section, who=who))
    return project_scope(readers, find_project(readers, project, who=who), who=who)


def chart_bytes(readers: Readers, wanted: Wanted, asker: Asker) -> bytes:
    """The chart as a file. Raises as `answer_chart`."""
    asked = (wanted.chart, wanted.scope, wanted.filters)
    if wanted.ending == "json":
        return json.dumps(answer_chart(readers, *asked, asker).dicts(), ensure_ascii=False, indent=2).encode() + b"\n"
    if wanted.ending == "png" or wanted.ending == "svg":
        return picture(answer_chart(readers, *asked, asker), wanted.ending, wanted.theme)
    content = export_chart(readers, asked, asker, wanted.ending)
    return without_formulas(content) if wanted.ending == "csv" else content
