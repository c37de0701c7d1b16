"""Custom SQL over one section or project, and the questions that people keep there."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from schoolhouse.accounts import questions
from schoolhouse.accounts.people import Person
from schoolhouse.analytics.scoped_sql.asking import ask_scoped_bytes
from schoolhouse.analytics.scoped_sql.scopes import READABLE, QuestionScope, project_scope, section_scope
from schoolhouse.analytics.spreadsheets import without_formulas
from schoolhouse.errors import SchoolhouseError
from schoolhouse.warehouse.statements import statement
from schoolhouse.web.access import SignedIn, ViewedProject, ViewedSection
from schoolhouse.web.failures import ErrorBody
from schoolhouse.web.state import state_of

router = APIRouter(
    prefix="/api/v1",
    tags=["questions"],
    responses={"default": {"model": ErrorBody, "description": "What went wrong, and what to do."}},
)

Format = Literal["json", "csv", "parquet", "arrow"]
_FORMATS: Final[dict[str, tuple[str, str]]] = {
    "csv": ("CSVWithNames", "text/csv; charset=utf-8"),
    "parquet": ("Parquet", "application/vnd.apache.parquet"),
    "arrow": ("ArrowStream", "application/vnd.apache.arrow.stream"),
}
_OTHER_FORMATS: Final[dict[str, dict[str, Any]]] = {media.split(";")[0]: {} for _, media in _FORMATS.values()}
QuestionId = Annotated[int, Path(ge=1, le=2**53)]


class ScopedQuestionBody(BaseModel):
    """One SELECT over the tables of the scope."""

    sql: str = Field(max_length=50_000, description="One SELECT; docs/custom-sql.md says what it may hold.")
    format: Format = Field("json", description="Of the answer.")


class ColumnBody(BaseModel):
    """A column and its type, as ClickHouse names it."""

    name: str
    type: str


class AnswerBody(BaseModel):
    """The rows, in the order of the columns."""

    columns: list[ColumnBody]
    rows: list[list[Any]]
    seconds: float = Field(description="What the question took, in the warehouse.")
    read_rows: int = Field(description="Rows that were read for it.")


class ReadableTableBody(BaseModel):
    """A table that questions may read."""

    name: str
    about: str
    columns: list[ColumnBody]


class DraftBody(BaseModel):
    """A question to keep."""

    title: str = Field(min_length=1, max_length=200)
    sql: str = Field(min_length=1, max_length=questions.MAX_LENGTH)
    chart: str = Field("", max_length=questions.MAX_LENGTH, description="Vega-Lite as JSON text, without data.")
    is_shared: bool = Field(False, description="Whether all who may see the section or project see it.")


class SavedQuestionBody(BaseModel):
    """A kept question."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    owner: str
    title: str
    sql: str
    chart: str
    is_shared: bool
    created_at: datetime
    changed_at: datetime


def _of_section(section: ViewedSection) -> QuestionScope:
    return section_scope(section)


def _of_project(project: ViewedProject) -> QuestionScope:
    return project_scope(project)


SectionScope = Annotated[QuestionScope, Depends(_of_section)]
ProjectScope = Annotated[QuestionScope, Depends(_of_project)]


@router.post("/sections/{slug}/query", responses={200: {"model": AnswerBody, "content": _OTHER_FORMATS}})
def ask_of_section(request: Request, person: SignedIn, scope: SectionScope, question: ScopedQuestionBody) -> Response:
    """Ask one SELECT of one section: no other section's rows exist for it."""
    return _answer(request, person, scope, question)


@router.post("/projects/{slug}/query", responses={200: {"model": AnswerBody, "content": _OTHER_FORMATS}})
def ask_of_project(request: Request, person: SignedIn, scope: ProjectScope, question: ScopedQuestionBody) -> Response:
    """Ask one SELECT of one project: no other project's rows exist for it."""
    return _answer(request, person, scope, question)


@router.get("/tables")
def list_tables(request: Request, person: SignedIn) -> list[ReadableTableBody]:
    """The tables that questions may read, with their columns."""
    answer = state_of(request).readers.ask(
        statement("list_columns", "schoolhouse.analytics.sql"),
        {"tables": list(READABLE)},
        who=person.name,
        why="tables",
    )
    columns: dict[str, list[ColumnBody]] = {}
    for table, name, kind in answer.rows:
        columns.setdefault(table, []).append(ColumnBody(name=name, type=kind))
    return [
        ReadableTableBody(name=name, about=about, columns=columns.get(name, [])) for name, about in READABLE.items()
    ]


@router.get("/sections/{slug}/questions")
def list_of_section(request: Request, person: SignedIn, scope: SectionScope) -> list[SavedQuestionBody]:
    """Your saved questions of a section, and those that others shared."""
    return _list(request, person, scope)


@router.get("/projects/{slug}/questions")
def list_of_project(request: Request, person: SignedIn, scope: ProjectScope) -> list[SavedQuestionBody]:
    """Your saved questions of a project, and those that others shared."""
    return _list(request, person, scope)


@router.post("/sections/{slug}/questions", status_code=201)
def keep_in_section(request: Request, person: SignedIn, scope: SectionScope, draft: DraftBody) -> SavedQuestionBody:
    """Save a question for a section."""
    return _keep(request, person, scope, draft)


@router.post("/projects/{slug}/questions", status_code=201)
def keep_in_project(request: Request, person: SignedIn, scope: ProjectScope, draft: DraftBody) -> SavedQuestionBody:
    """Save a question for a project."""
    return _keep(request, person, scope, draft)


@router.put("/sections/{slug}/questions/{question_id}")
def change_in_section(
    request: Request, person: SignedIn, scope: SectionScope, question_id: QuestionId, draft: DraftBody
) -> SavedQuestionBody:
    """Change a question that you saved."""
    return _change(request, person, scope, question_id, draft)


@router.put("/projects/{slug}/questions/{question_id}")
def change_in_project(
    request: Request, person: SignedIn, scope: ProjectScope, question_id: QuestionId, draft: DraftBody
) -> SavedQuestionBody:
    """Change a question that you saved."""
    return _change(request, person, scope, question_id, draft)


@router.delete("/sections/{slug}/questions/{question_id}", status_code=204)
def remove_from_section(request: Request, person: SignedIn, scope: SectionScope, question_id: QuestionId) -> Response:
    """Remove a question that you saved."""
    return _remove(request, person, scope, question_id)


@router.delete("/projects/{slug}/questions/{question_id}", status_code=204)
def remove_from_project(request: Request, person: SignedIn, scope: ProjectScope, question_id: QuestionId) -> Response:
    """Remove a question that you saved."""
    return _remove(request, person, scope, question_id)


def _answer(request: Request, person: Person, scope: QuestionScope, question: ScopedQuestionBody) -> Response:
    state, started = state_of(request), time.perf_counter()
    output_format, media_type = _FORMATS.get(question.format, ("JSONCompact", "application/json"))
    outcome = "ok"
    try:
        answer = ask_scoped_bytes(
            state.settings,
            question.sql,
            scope,
            who=person.name,
            output_format=output_format,
            sees_identifiers=person.may_see_learner_identifiers,
        )
    except SchoolhouseError as error:
        outcome = error.code
        raise
    finally:
        seconds = time.perf_counter() - started
        state.readers.slow.note(person.name, f"custom SQL, {scope.name}", seconds, outcome)
        state.database.audit.did(person.name, "query", scope.name, question.sql, outcome=outcome, seconds=seconds)
    if question.format == "csv":
        answer = without_formulas(answer)
    if question.format != "json":
        return Response(answer, media_type=media_type)
    document = json.loads(answer)
    body = {
        "columns": document["meta"],
        "rows": document["data"],
        "seconds": document["statistics"]["elapsed"],
        "read_rows": document["statistics"]["rows_read"],
    }
    return Response(json.dumps(body, ensure_ascii=False), media_type=media_type)


def _list(request: Request, person: Person, scope: QuestionScope) -> list[SavedQuestionBody]:
    found = questions.list_questions(state_of(request).database.engine, scope.key, person)
    return [SavedQuestionBody.model_validate(question) for question in found]


def _keep(request: Request, person: Person, scope: QuestionScope, draft: DraftBody) -> SavedQuestionBody:
    database = state_of(request).database
    kept = questions.keep_question(database.engine, scope.key, person, questions.Draft(**draft.model_dump()))
    database.audit.did(person.name, "save question", scope.name, f"{kept.id}: {kept.title}")
    return SavedQuestionBody.model_validate(kept)


def _change(
    request: Request, person: Person, scope: QuestionScope, question_id: int, draft: DraftBody
) -> SavedQuestionBody:
    database = state_of(request).database
    new = questions.Draft(**draft.model_dump())
    changed = questions.change_question(database.engine, scope.key, person, question_id, new)
    database.audit.did(person.name, "change question", scope.name, f"{changed.id}: {changed.title}")
    return SavedQuestionBody.model_validate(changed)


def _remove(request: Request, person: Person, scope: QuestionScope, question_id: int) -> Response:
    database = state_of(request).database
    questions.remove_question(database.engine, scope.key, person, question_id)
    database.audit.did(person.name, "remove question", scope.name, str(question_id))
    return Response(status_code=204)
