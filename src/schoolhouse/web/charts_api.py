"""The charts as JSON, files and pictures, for a section and for a project."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from schoolhouse.accounts.people import Person
from schoolhouse.analytics.answers import (
    Asker,
    ChartAnswer,
    ChartScope,
    answer_chart,
    file_name,
    project_scope,
    section_scope,
)
from schoolhouse.analytics.catalogue import UNITS, Chart, catalogue, find_chart
from schoolhouse.analytics.drawing import Theme
from schoolhouse.analytics.exports import Wanted, chart_bytes
from schoolhouse.analytics.projects import Project
from schoolhouse.web.access import ProjectViewer, SectionViewer, SignedIn, ViewedProject, ViewedSection
from schoolhouse.web.chart_address import ChartAddress
from schoolhouse.web.failures import ErrorBody
from schoolhouse.web.state import state_of

router = APIRouter(
    prefix="/api/v1", responses={"default": {"model": ErrorBody, "description": "What went wrong, and what to do."}}
)

Ending = Literal["csv", "parquet", "arrow", "png", "svg"]
MEDIA_TYPES: Final[dict[str, str]] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
    "png": "image/png",
    "svg": "image/svg+xml",
}
_FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The file.", "content": {kind.partition(";")[0]: {} for kind in MEDIA_TYPES.values()}}
}


class ColumnBody(BaseModel):
    """A column of an answer."""

    name: str
    unit: str = Field(description=f"One of {', '.join(UNITS)}.")
    meaning: str


class AboutBody(BaseModel):
    """What a chart answers."""

    name: str
    title: str
    question: str = Field(description="What it answers, in plain words.")
    definition: str = Field(description="How its numbers are defined.")
    category: str
    scopes: list[Literal["section", "project"]]
    filters: list[str] = Field(description="The filters that it takes; others change nothing.")
    columns: list[ColumnBody]

    @classmethod
    def of(cls, chart: Chart) -> AboutBody:
        """From the catalogue."""
        return cls(
            name=chart.name,
            title=chart.title,
            question=chart.question,
            definition=chart.definition,
            category=chart.category,
            scopes=list(chart.scopes),
            filters=list(chart.filters),
            columns=[ColumnBody(name=each.name, unit=each.unit, meaning=each.meaning) for each in chart.columns],
        )


class ChartsBody(BaseModel):
    """The catalogue."""

    charts: list[AboutBody]


class ScopeBody(BaseModel):
    """What an answer is about."""

    kind: Literal["section", "project"]
    slug: str
    name: str
    platform: str
    section_ids: list[int]


class AnswerBody(BaseModel):
    """The rows of a chart."""

    chart: str
    title: str
    scope: ScopeBody
    min_group: int = Field(description="Groups of fewer learners are hidden.")
    columns: list[ColumnBody]
    rows: list[dict[str, Any]]
    query_seconds: float

    @classmethod
    def of(cls, answer: ChartAnswer) -> AnswerBody:
        """From an answer."""
        scope = answer.scope
        return cls(
            chart=answer.chart.name,
            title=answer.chart.title,
            scope=ScopeBody(
                kind=scope.kind,
                slug=scope.slug,
                name=scope.name,
                platform=scope.platform,
                section_ids=list(scope.section_ids),
            ),
            min_group=answer.filters.min_group,
            columns=AboutBody.of(answer.chart).columns,
            rows=answer.dicts(),
            query_seconds=answer.seconds,
        )


class FileQuery(ChartAddress):
    """The filters, and how a picture looks."""

    theme: Theme = Field("light", description="Colours of a picture.")


@router.get("/charts")
def list_charts(_: SignedIn) -> ChartsBody:
    """Every chart: what it answers, and how its numbers are defined."""
    return ChartsBody(charts=[AboutBody.of(chart) for chart in catalogue()])


@router.get("/sections/{slug}/charts/{name}.{ending}", response_class=Response, responses=_FILES)
def section_file(
    request: Request,
    person: SectionViewer,
    section: ViewedSection,
    name: str,
    ending: Ending,
    query: Annotated[FileQuery, Query()],
) -> Response:
    """A chart of a section as CSV, Parquet, an Arrow stream, PNG or SVG."""
    return _file(request, person, section_scope(section), find_chart(name, "section"), (ending, query))


@router.get("/sections/{slug}/charts/{name}")
def section_chart(
    request: Request,
    person: SectionViewer,
    section: ViewedSection,
    name: str,
    query: Annotated[ChartAddress, Query()],
) -> AnswerBody:
    """The rows of a chart of a section."""
    chart = find_chart(name, "section")
    readers = state_of(request).readers
    return AnswerBody.of(answer_chart(readers, chart, section_scope(section), query.filters(), asker_of(person)))


@router.get("/projects/{slug}/charts/{name}.{ending}", response_class=Response, responses=_FILES)
def project_file(
    request: Request,
    person: ProjectViewer,
    project: ViewedProject,
    name: str,
    ending: Ending,
    query: Annotated[FileQuery, Query()],
) -> Response:
    """A chart of a project as CSV, Parquet, an Arrow stream, PNG or SVG."""
    chart = find_chart(name, "project")
    return _file(request, person, scope_of_project(request, person, project), chart, (ending, query))


@router.get("/projects/{slug}/charts/{name}")
def project_chart(
    request: Request,
    person: ProjectViewer,
    project: ViewedProject,
    name: str,
    query: Annotated[ChartAddress, Query()],
) -> AnswerBody:
    """The rows of a chart over all sections of a project."""
    chart = find_chart(name, "project")
    scope = scope_of_project(request, person, project)
    return AnswerBody.of(answer_chart(state_of(request).readers, chart, scope, query.filters(), asker_of(person)))


def asker_of(person: Person) -> Asker:
    """For whom questions are asked."""
    return Asker(person.name, person.may_see_learner_identifiers)


def scope_of_project(request: Request, person: Person, project: Project) -> ChartScope:
    """A project as the scope of its charts."""
    return project_scope(state_of(request).readers, project, who=person.name)


def _file(
    request: Request, person: Person, scope: ChartScope, chart: Chart, wanted: tuple[Ending, FileQuery]
) -> Response:
    ending, query = wanted
    state = state_of(request)
    content = chart_bytes(state.readers, Wanted(chart, scope, query.filters(), ending, query.theme), asker_of(person))
    state.database.audit.did(person.name, "export", f"{scope.kind} {scope.slug}", f"{chart.name}.{ending}")
    headers = {"Content-Disposition": f'attachment; filename="{file_name(scope, chart, ending)}"'}
    return Response(content, media_type=MEDIA_TYPES[ending], headers=headers)
