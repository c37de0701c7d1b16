"""The API: what the pages show, as JSON; health; and the operator's own questions.

Every error has the shape of `failures.ErrorBody`. Times are UTC.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from schoolhouse.analytics.overview import Bucket, section_overview
from schoolhouse.analytics.projects import find_project
from schoolhouse.analytics.scoped_sql.asking import ask_scoped_bytes
from schoolhouse.analytics.scoped_sql.scopes import project_scope, section_scope
from schoolhouse.analytics.sections import (
    CountedSection,
    SectionFilter,
    SortKey,
    SortOrder,
    find_section,
    page_of,
)
from schoolhouse.collect.pipeline import pipeline_stats
from schoolhouse.errors import AccessRefused
from schoolhouse.warehouse.connection import open_warehouse
from schoolhouse.warehouse.migrations import require_current
from schoolhouse.web.access import Admin, SectionViewer, SignedIn, ViewedSection, visible_sections
from schoolhouse.web.failures import ErrorBody
from schoolhouse.web.state import AppState, state_of

router = APIRouter(responses={"default": {"model": ErrorBody, "description": "What went wrong, and what to do."}})

_MEDIA_TYPES: Final = {
    "JSON": "application/json",
    "JSONEachRow": "application/x-ndjson",
    "CSV": "text/csv",
    "CSVWithNames": "text/csv",
    "Parquet": "application/vnd.apache.parquet",
    "ArrowStream": "application/vnd.apache.arrow.stream",
}
_bearer = HTTPBearer(auto_error=False, description="The token in `<data_dir>/serve.json`.")


class SectionBody(BaseModel):
    """Who a section is."""

    model_config = ConfigDict(from_attributes=True)

    slug: str = Field(description="Its address: `<section_id>@<platform host>`.")
    platform: str
    section_id: int
    key: str = Field(description="The number, or the key of the course run from which the number is derived.")
    title: str
    project_id: int | None


class CountedSectionBody(SectionBody):
    """A section with its counts."""

    events: int = Field(description="Statements, each counted once.")
    learners: int = Field(description="Distinct actors.")
    newest_event: datetime | None

    @classmethod
    def of(cls, counted: CountedSection) -> CountedSectionBody:
        """From a section of the list."""
        return cls(
            **SectionBody.model_validate(counted.section).model_dump(),
            events=counted.events,
            learners=counted.learners,
            newest_event=counted.newest_event,
        )


class SectionsBody(BaseModel):
    """One page of the sections."""

    sections: list[CountedSectionBody]
    total: int = Field(description="Sections that match, on all pages.")
    page: int
    pages: int
    counted_at: datetime = Field(description="When the counts were made.")
    query_seconds: float = Field(description="How long that took.")


class TypeCountBody(BaseModel):
    """Events of one type."""

    model_config = ConfigDict(from_attributes=True)

    event_type: str
    events: int
    share: float = Field(description="Share of the section's events, 0 to 1.")


class BucketCountBody(BaseModel):
    """Events of one type in `[since, until)`."""

    model_config = ConfigDict(from_attributes=True)

    since: datetime
    until: datetime
    event_type: str
    events: int


class OverviewBody(BaseModel):
    """The overview of one section."""

    model_config = ConfigDict(from_attributes=True)

    section: SectionBody
    events: int = Field(description="Statements, each counted once.")
    learners: int = Field(description="Distinct actors.")
    first_event: datetime | None
    newest_event: datetime | None
    by_type: list[TypeCountBody]
    bucket: Bucket = Field(description="Width of the steps in `series`.")
    series: list[BucketCountBody] = Field(description="Steps without events are left out.")
    query_seconds: float = Field(validation_alias="seconds")


class SectionsQuery(BaseModel):
    """Which sections, in which order."""

    q: str = Field("", max_length=200, description="Words that the title, key, number or platform must hold.")
    sort: SortKey = "newest_event"
    order: SortOrder = "desc"
    page: int = Field(1, ge=1, le=1_000_000)
    per_page: int = Field(50, ge=1, le=500)


class QuestionBody(BaseModel):
    """The operator's own question."""

    sql: str = Field(min_length=1, max_length=1_000_000, description="One SELECT.")
    format: str = Field("JSON", pattern=r"^[A-Za-z0-9]{1,40}$", description="A ClickHouse output format.")
    section: str = Field("", max_length=600, description="Ask within this section: a slug or number.")
    project: str = Field("", max_length=600, description="Ask within this project: a slug or number.")
    parameters: dict[str, int | str] = Field(default={}, max_length=100, description="Values of `{name:Type}`.")


class HealthBody(BaseModel):
    """The server is there."""

    status: Literal["ok"] = "ok"


@router.get("/api/sections")
def list_sections(request: Request, query: Annotated[SectionsQuery, Query()], person: SignedIn) -> SectionsBody:
    """The sections with their counts: those that you may see."""
    listing = visible_sections(state_of(request).directory.listing(who=person.name), person)
    wanted = SectionFilter(query.q, query.sort, query.order, query.page, query.per_page)
    page = page_of(listing, wanted)
    return SectionsBody(
        sections=[CountedSectionBody.of(each) for each in page.sections],
        total=page.total,
        page=page.page,
        pages=page.pages,
        counted_at=listing.counted_at,
        query_seconds=listing.seconds,
    )


@router.get("/api/sections/{slug}/overview")
def read_overview(request: Request, person: SectionViewer, section: ViewedSection) -> OverviewBody:
    """One section: counts, and events by type over time."""
    return OverviewBody.model_validate(section_overview(state_of(request).readers, section, who=person.name))


@router.get("/api/pipeline")
def read_pipeline(request: Request, _: Admin) -> dict[str, Any]:
    """The upload pipeline: what waits, what was delivered, what failed, and how fast. For admins."""
    return pipeline_stats(state_of(request).settings)


@router.post(
    "/api/query",
    response_class=Response,
    responses={200: {"description": "The answer in the wanted format.", "content": {"application/octet-stream": {}}}},
)
def query(
    request: Request,
    question: QuestionBody,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Response:
    """The operator's own read-only question, unscoped; for commands while this process holds the warehouse."""
    state = state_of(request)
    if not credentials or not secrets.compare_digest(credentials.credentials.encode(), state.operator_token.encode()):
        raise AccessRefused("This needs the token of the running serve.", hint="It stands in <data_dir>/serve.json.")
    return Response(_answer(state, question), media_type=_MEDIA_TYPES.get(question.format, "application/octet-stream"))


def _answer(state: AppState, question: QuestionBody) -> bytes:
    if question.section or question.project:
        if question.section:
            scope = section_scope(find_section(state.readers, question.section, who="operator"))
        else:
            scope = project_scope(find_project(state.readers, question.project, who="operator"))
        return ask_scoped_bytes(
            state.settings,
            question.sql,
            scope,
            who="operator",
            output_format=question.format,
            sees_identifiers=True,
        )
    limits: dict[str, Any] = {
        "max_execution_time": state.settings.clickhouse_timeout_seconds,
        "output_format_json_quote_64bit_integers": 0,  # as `schoolhouse query` asks when it opens the warehouse itself
    }
    # A handle of its own: a SET in the question must not stay behind on one that pages use.
    with open_warehouse(state.settings, role="reader", who="operator") as warehouse:
        return warehouse.ask_bytes(
            question.sql, question.parameters, output_format=question.format, why="query", limits=limits
        )


@router.get("/healthz")
def healthz() -> HealthBody:
    """The server is alive."""
    return HealthBody()


@router.get("/readyz")
def readyz(request: Request) -> HealthBody:
    """The server can answer: the warehouse is there and every migration has run."""
    with state_of(request).readers.lend("readyz") as warehouse:
        require_current(warehouse)
    return HealthBody()
