"""Charts answered: a chart, a scope and filters in; rows or a file out.

The scope is a platform and the numbers of its sections, bound by the engine in every question: one section, or those
that teach a project, and of these what names the project, since a section may teach pages of several. Small groups are
hidden by the question itself. Learners are named only to those who may see their identifiers; others get names made
from a secret, the same each time.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any, Final, Literal

from schoolhouse.analytics.catalogue import Chart, ScopeKind
from schoolhouse.analytics.projects import Project
from schoolhouse.analytics.pseudonyms import pepper_of
from schoolhouse.analytics.readers import LIMITS, Readers
from schoolhouse.analytics.sections import SQL, Section
from schoolhouse.errors import QueryError, UsageError, WarehouseNotReady
from schoolhouse.warehouse.statements import statement

Step = Literal["day", "week", "month"]
DataFormat = Literal["csv", "parquet", "arrow"]

MOST_TOP: Final = 1000
MOST_SECTIONS: Final = 10_000
_FIRST_DAY: Final = date(1990, 1, 1)  # the mapping takes no earlier time
_LAST_DAY: Final = date(2200, 1, 1)
_ENGINE_FORMATS: Final[dict[DataFormat, str]] = {"csv": "CSVWithNames", "parquet": "Parquet", "arrow": "ArrowStream"}
_OUTPUT: Final = {
    "output_format_arrow_string_as_string": 1,
    "output_format_parquet_string_as_string": 1,
    "format_csv_null_representation": "",  # a spreadsheet would take the engine's `\N` for a text
}
_MISSING_TABLE: Final = 60


@dataclass(frozen=True)
class ChartScope:
    """What a chart is about: sections of one platform, whole (`project_id` 0) or what of them belongs to one project.

    `keys` are the sections' keys in the course tables.
    """

    kind: ScopeKind
    platform: str
    section_ids: tuple[int, ...]
    keys: tuple[str, ...]
    slug: str
    name: str
    project_id: int = 0


@dataclass(frozen=True)
class ChartFilters:
    """What of the scope is counted: `[since, until)` in days UTC; empty lists take everything."""

    since: date | None = None
    until: date | None = None
    event_types: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    activities: tuple[str, ...] = ()
    video: str = ""
    top: int = 20
    min_group: int = 1
    step: Step = "week"
    silent_days: int = 7

    def __post_init__(self) -> None:
        if self.since and self.until and self.since >= self.until:
            raise UsageError(
                f"The dates {self.since} to {self.until} hold no day.", hint="The second is the first day left out."
            )
        if not 1 <= self.top <= MOST_TOP:
            raise UsageError(f"top is {self.top}; it must be between 1 and {MOST_TOP}.")
        if self.min_group < 1 or self.silent_days < 1:
            raise UsageError("The smallest group and the days of silence must be 1 or more.")


@dataclass(frozen=True)
class Asker:
    """For whom a chart is answered."""

    who: str
    may_see_learners: bool = False


@dataclass(frozen=True)
class ChartAnswer:
    """The rows of a chart, and what they are an answer to."""

    chart: Chart
    scope: ChartScope
    filters: ChartFilters
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(repr=False)
    seconds: float

    def dicts(self) -> list[dict[str, Any]]:
        """The rows for JSON: times and days as text, and null where a number is none."""
        return [{name: _plain(value) for name, value in zip(self.columns, row, strict=True)} for row in self.rows]


def section_scope(section: Section) -> ChartScope:
    """One section."""
    return ChartScope("section", section.platform, (section.section_id,), (section.key,), section.slug, section.name)


def project_scope(readers: Readers, project: Project, *, who: str) -> ChartScope:
    """One project. Raises UsageError when it is taught in too many sections for one question."""
    ids = project.section_ids
    if len(ids) > MOST_SECTIONS:
        raise UsageError(f"The project has {len(ids):,} sections; charts compare up to {MOST_SECTIONS:,}.")
    values = {"platform": project.platform, "section_ids": list(ids)}
    answer = readers.ask(statement("list_section_keys", SQL), values, who=who, why="project charts")
    keys = tuple(row[1] for row in answer.rows)
    name = f"Project {project.project_id}"
    return ChartScope("project", project.platform, ids, keys, project.slug, name, project.project_id)


def for_asker(filters: ChartFilters, asker: Asker, readers: Readers) -> ChartFilters:
    """The filters with the smallest group that this person may see."""
    if asker.may_see_learners:
        return filters
    return replace(filters, min_group=max(filters.min_group, readers.settings.analytics_min_group_size))


def answer_chart(readers: Readers, chart: Chart, scope: ChartScope, filters: ChartFilters, asker: Asker) -> ChartAnswer:
    """Ask one chart's question.

    Raises:
        UsageError: the chart does not exist for this kind of scope.
        QueryError: the engine stopped the question at a limit.
        WarehouseNotReady: a table is missing.
    """
    filters = for_asker(filters, asker, readers)
    values = _values(readers, chart, scope, filters, asker)
    answer = readers.ask(chart.sql, values, who=asker.who, why=f"chart {chart.name}")
    columns = answer.columns or tuple(column.name for column in chart.columns)
    return ChartAnswer(chart, scope, filters, columns, answer.rows, answer.seconds)


def export_chart(
    readers: Readers,
    question: tuple[Chart, ChartScope, ChartFilters],
    asker: Asker,
    data_format: DataFormat,
) -> bytes:
    """The same rows as a file that the engine writes. Raises as `answer_chart`."""
    chart, scope, filters = question
    filters = for_asker(filters, asker, readers)
    values = _values(readers, chart, scope, filters, asker)
    with readers.lend(asker.who) as warehouse:
        try:
            return warehouse.ask_bytes(
                chart.sql,
                values,
                output_format=_ENGINE_FORMATS[data_format],
                why=f"export {chart.name}",
                limits={**LIMITS, **_OUTPUT},
            )
        except QueryError as error:
            if error.engine_code != _MISSING_TABLE:
                raise
            raise WarehouseNotReady(
                "The warehouse lacks its tables.", hint="Run `schoolhouse warehouse setup`."
            ) from None


def _values(readers: Readers, chart: Chart, scope: ChartScope, filters: ChartFilters, asker: Asker) -> dict[str, Any]:
    if scope.kind not in chart.scopes:
        raise UsageError(f"The chart {chart.name} is not made for a {scope.kind}.")
    values: dict[str, Any] = {
        "platform": scope.platform,
        "section_ids": list(scope.section_ids),
        "project_id": scope.project_id,
        "since": _moment(filters.since or _FIRST_DAY),
        "until": _moment(filters.until or _LAST_DAY),
        "event_types": list(filters.event_types),
        "pages": list(filters.pages),
        "activities": list(filters.activities),
        "video": filters.video,
        "top": filters.top,
        "min_group": filters.min_group,
        "step": filters.step,
        "silent_days": filters.silent_days,
        "shows_learners": asker.may_see_learners,
    }
    if "course_keys" in chart.bound_names:
        values["course_keys"] = _course_keys(readers, scope, asker)
    if "pepper" in chart.bound_names:
        values["pepper"] = pepper_of(readers.settings)
    return {name: value for name, value in values.items() if name in chart.bound_names}


def _course_keys(readers: Readers, scope: ChartScope, asker: Asker) -> list[str]:
    """The keys under which the course tables name what is in the scope's sections.

    A course run has its own. A number is one platform's own only with the platform behind it (`42@https://…`); alone it
    counts where no other platform has a section of that number, whose names these might be.
    """
    numbers = {str(number) for number in scope.section_ids}
    numbered = [key for key in scope.keys if key in numbers]
    keys = [key for key in scope.keys if key and key not in numbers]
    if not numbered:
        return keys
    values = {"platform": scope.platform, "section_ids": [int(key) for key in numbered]}
    answer = readers.ask(statement("list_shared_sections", SQL), values, who=asker.who, why="titles")
    shared = {str(row[0]) for row in answer.rows}
    keys += [key for key in numbered if key not in shared]
    return keys + [f"{key}@{scope.platform}" for key in numbered]


def _moment(day: date) -> datetime:
    # No event lies beyond these days; the engine refuses times of the years before 1000 instead of finding nothing.
    return datetime.combine(min(max(day, _FIRST_DAY), _LAST_DAY), time(), tzinfo=UTC)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03}Z"
    if isinstance(value, date):
        return value.isoformat()
    return value


def file_name(scope: ChartScope, chart: Chart, ending: str) -> str:
    """What a download is called: the chart, the scope, and nothing that a file system minds."""
    return f"{chart.name}_{re.sub(r'[^A-Za-z0-9.-]+', '-', scope.slug)}.{ending}"
