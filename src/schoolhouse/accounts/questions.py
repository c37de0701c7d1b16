"""Questions that people keep: SQL and a drawing, for one section or project, for themselves or for all who may see it.

Who may see the section sees what others shared there; only who wrote a question changes or removes it, and admins.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Engine, delete, func, insert, or_, select, update

from schoolhouse.accounts.people import Person
from schoolhouse.accounts.tables import saved_questions
from schoolhouse.errors import AccessRefused, NotFound, UsageError

MAX_QUESTIONS: Final = 500
MAX_LENGTH: Final = 100_000


@dataclass(frozen=True)
class Draft:
    """What somebody keeps. `chart` is a Vega-Lite specification as JSON text, or empty."""

    title: str
    sql: str
    chart: str = ""
    is_shared: bool = False


@dataclass(frozen=True)
class SavedQuestion:
    """A kept question; times are UTC seconds since 1970."""

    id: int
    owner: str
    title: str
    sql: str
    chart: str
    is_shared: bool
    created_at: float
    changed_at: float


def list_questions(engine: Engine, scope: str, person: Person) -> list[SavedQuestion]:
    """What the person keeps for a section or project, and what others shared there, by title."""
    table = saved_questions.c
    query = (
        select(*_columns())
        .where(table.scope == scope, or_(table.owner == person.name, table.is_shared))
        .order_by(func.lower(table.title), table.id)
    )
    with engine.connect() as connection:
        return [SavedQuestion(*row) for row in connection.execute(query)]


def keep_question(engine: Engine, scope: str, person: Person, draft: Draft) -> SavedQuestion:
    """Keep a new question. Raises UsageError."""
    values = {**_checked(draft), "scope": scope, "owner": person.name, "created_at": time.time()}
    with engine.begin() as connection:
        count = connection.scalar(
            select(func.count()).where(saved_questions.c.scope == scope, saved_questions.c.owner == person.name)
        )
        if (count or 0) >= MAX_QUESTIONS:
            raise UsageError(f"You keep {MAX_QUESTIONS} questions here already.", hint="Remove some first.")
        new: Any = connection.execute(insert(saved_questions).values(values)).inserted_primary_key
    return find_question(engine, scope, person, int(new[0]))


def find_question(engine: Engine, scope: str, person: Person, question_id: int) -> SavedQuestion:
    """One question that the person keeps or that is shared. Raises NotFound."""
    table = saved_questions.c
    query = select(*_columns()).where(
        table.id == question_id, table.scope == scope, or_(table.owner == person.name, table.is_shared)
    )
    with engine.connect() as connection:
        row = connection.execute(query).first()
    if row is None:
        raise NotFound(f"There is no saved question {question_id} here.")
    return SavedQuestion(*row)


def change_question(engine: Engine, scope: str, person: Person, question_id: int, draft: Draft) -> SavedQuestion:
    """Change a question of one's own. Raises NotFound, AccessRefused, UsageError."""
    question = find_question(engine, scope, person, question_id)
    _require_own(question, person)
    changes = _checked(draft)
    with engine.begin() as connection:
        connection.execute(update(saved_questions).where(saved_questions.c.id == question_id).values(changes))
    return replace(question, **changes)  # not read again: an admin may have hidden it from themselves


def remove_question(engine: Engine, scope: str, person: Person, question_id: int) -> None:
    """Remove a question of one's own. Raises NotFound, AccessRefused."""
    _require_own(find_question(engine, scope, person, question_id), person)
    with engine.begin() as connection:
        connection.execute(delete(saved_questions).where(saved_questions.c.id == question_id))


def _columns() -> tuple[Any, ...]:
    table = saved_questions.c
    return (
        table.id, table.owner, table.title, table.sql, table.chart, table.is_shared, table.created_at, table.changed_at,
    )  # fmt: skip


def _checked(draft: Draft) -> dict[str, Any]:
    title = draft.title.strip()
    if not title or len(title) > 200:
        raise UsageError("A saved question needs a title of up to 200 characters.")
    if not draft.sql.strip() or max(len(draft.sql), len(draft.chart)) > MAX_LENGTH:
        raise UsageError(f"A saved question needs SQL, of up to {MAX_LENGTH:,} characters.")
    if draft.chart.strip():
        try:
            is_object = isinstance(json.loads(draft.chart), dict)
        except (ValueError, RecursionError):
            is_object = False
        if not is_object:
            raise UsageError("The chart is not a JSON object.")
    return {
        "title": title,
        "sql": draft.sql,
        "chart": draft.chart.strip(),
        "is_shared": draft.is_shared,
        "changed_at": time.time(),
    }


def _require_own(question: SavedQuestion, person: Person) -> None:
    if question.owner != person.name and not person.is_admin:
        raise AccessRefused("Only who wrote this question may change it.", hint="Save a copy instead.")
