"""Asks one question on a handle of its own.

The handle carries the scope's filters and limits as settings of its session, and is read-only from then on: nothing
that the question says can change them. It is closed afterwards. A few run at a time, of one person fewer than that;
others wait for their turn.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from schoolhouse.analytics.scoped_sql.checking import check
from schoolhouse.analytics.scoped_sql.explaining import explained
from schoolhouse.analytics.scoped_sql.scopes import QuestionScope
from schoolhouse.errors import QueryError, TooManyAttempts, WarehouseError, WarehouseUnavailable
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse, open_scoped, open_warehouse
from schoolhouse.warehouse.statements import statement

SQL: Final = "schoolhouse.analytics.sql"
_WAIT_SECONDS: Final = 30
_TABLES_LIFE_SECONDS: Final = 60
_known_tables: dict[str, tuple[tuple[str, ...], float]] = {}
_places = threading.BoundedSemaphore(3)
# Of the places: nobody takes them all, so that one person's long questions do not keep everybody waiting.
_PLACES_OF_ONE: Final = 2
_running: Counter[str] = Counter()
_running_lock = threading.Lock()


@dataclass(frozen=True)
class ScopedAnswer:
    """Rows of a question, as JSON values. `seconds` is the engine's time, `read_rows` what it read for it."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[list[Any]]
    seconds: float
    read_rows: int


def ask_scoped(
    settings: Settings, text: str, scope: QuestionScope, *, who: str, sees_identifiers: bool = False
) -> ScopedAnswer:
    """Check a question and ask it within a scope.

    Raises:
        QuestionRefused: it may not be asked; with the place.
        QuestionFailed: the engine does not understand it; with the place.
        QueryLimitExceeded: it took too much time, memory or too many rows.
        TooManyAttempts: this person has as many questions running as one may have.
        WarehouseUnavailable: too many questions run already, or the server does not answer.
    """
    document = json.loads(
        ask_scoped_bytes(settings, text, scope, who=who, sees_identifiers=sees_identifiers, output_format="JSONCompact")
    )
    return ScopedAnswer(
        columns=tuple(column["name"] for column in document["meta"]),
        types=tuple(column["type"] for column in document["meta"]),
        rows=document["data"],
        seconds=float(document["statistics"]["elapsed"]),
        read_rows=int(document["statistics"]["rows_read"]),
    )


def ask_scoped_bytes(
    settings: Settings,
    text: str,
    scope: QuestionScope,
    *,
    who: str,
    output_format: str,
    sees_identifiers: bool = False,
) -> bytes:
    """The same in one of ClickHouse's formats (CSVWithNames, Parquet, ArrowStream…), which the caller has chosen."""
    question = check(text, database=settings.clickhouse_database, sees_identifiers=sees_identifiers)
    with place_for(who), _handle(settings, scope, who) as warehouse:
        try:
            return warehouse.ask_bytes(question.text, output_format=output_format, why="custom SQL")
        except QueryError as error:
            raise explained(error, question) from None


@contextmanager
def _handle(settings: Settings, scope: QuestionScope, who: str) -> Iterator[Warehouse]:
    restrictions = scope.settings(settings.clickhouse_database, _tables_of(settings, who))
    with open_scoped(settings, restrictions, who=who, why="custom SQL", scope=scope.tag) as warehouse:
        held = warehouse.ask(statement("read_filters", SQL), why="custom SQL").value()
        if scope.condition not in dict(held or {}).values():
            raise WarehouseError("The engine did not take the filters of the scope.", hint="Nothing was asked.")
        yield warehouse


def _tables_of(settings: Settings, who: str) -> tuple[str, ...]:
    """Every table of the database, looked up anew now and then: which may be read is a list of our own."""
    warehouse = f"{settings.clickhouse_host}:{settings.clickhouse_port}/{settings.clickhouse_database}"
    found, looked_at = _known_tables.get(warehouse, ((), 0.0))
    if not found or time.monotonic() - looked_at > _TABLES_LIFE_SECONDS:
        with open_warehouse(settings, role="reader", who=who) as reader:
            found = tuple(row[0] for row in reader.ask(statement("list_all_tables", SQL), why="scope").rows)
        _known_tables[warehouse] = found, time.monotonic()
    return found


@contextmanager
def place_for(who: str) -> Iterator[None]:
    """A place among the few questions that run at a time. Raises TooManyAttempts, WarehouseUnavailable."""
    with _running_lock:
        if _running[who] >= _PLACES_OF_ONE:
            raise TooManyAttempts(
                f"{_PLACES_OF_ONE} of your questions are running already.", hint="Wait for their answers."
            )
        _running[who] += 1
    try:
        with _a_place():
            yield
    finally:
        with _running_lock:
            _running[who] -= 1
            if not _running[who]:
                del _running[who]


@contextmanager
def _a_place() -> Iterator[None]:
    if not _places.acquire(timeout=_WAIT_SECONDS):
        raise WarehouseUnavailable("Too many questions run at the moment.", hint="Try again in a moment.")
    try:
        yield
    finally:
        _places.release()
