"""The reading side of the xAPI resource: one statement by its id, or pages of statements by filters.

In: what a GET asks. Out: statements as their own bytes. A page ends with a cursor (arrival and id of its last
statement), so the next page begins where this one ended, whatever has arrived since.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from schoolhouse.collect.splicing import NEWEST_VERSION, arrival_of, authority_json, complete_for_reading
from schoolhouse.collect.statement_store import SOURCE
from schoolhouse.errors import UsageError
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.statements import statement as sql

_SQL: Final = "schoolhouse.collect.sql"
_HANDLES: Final = 4
_MILLISECOND: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LIMITS: Final = {"max_execution_time": 30}


@dataclass(frozen=True)
class Filters:
    """What a GET asks for; empty texts and None stand for no filter. An agent is its identifier and its home page."""

    agent: str = ""
    agent_home_page: str = ""
    verb: str = ""
    activity: str = ""
    registration: str = ""
    since: datetime | None = None
    until: datetime | None = None
    is_ascending: bool = False


@dataclass(frozen=True)
class Found:
    """A statement's bytes, and when it was stored."""

    statement: bytes
    stored: datetime


@dataclass(frozen=True)
class Page:
    """Statements in order, and the cursor of the next page (empty at the end)."""

    statements: list[bytes]
    cursor: str


class StatementReader:
    """Asks the warehouse on handles that cannot write, a few at the same time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: queue.SimpleQueue[Warehouse | None] = queue.SimpleQueue()
        for _ in range(_HANDLES):
            self._idle.put(None)
        self._authority = authority_json(settings.xapi_home_page, "schoolhouse")

    def close(self) -> None:
        """Close the handles."""
        for _ in range(_HANDLES):
            if handle := self._idle.get():
                handle.close()

    def by_id(self, statement_id: UUID) -> Found | None:
        """The statement with this id, if there is one."""
        with self._handle() as warehouse:
            rows = warehouse.ask(
                sql("find_statement", _SQL), {"id": str(statement_id)}, why="xAPI", limits=_LIMITS
            ).rows
        return Found(self._complete(rows[0]), arrival_of(rows[0][1])) if rows else None

    def find(self, filters: Filters, *, limit: int, cursor: str = "") -> Page:
        """A page of at most `limit` statements.

        Raises:
            UsageError: the cursor is none of ours.
        """
        after_version, after_id = _parse_cursor(cursor)
        parameters: dict[str, Any] = {
            "agent": filters.agent,
            "agent_home_page": filters.agent_home_page,
            "verb": filters.verb,
            "activity": filters.activity,
            "registration": filters.registration.lower(),
            "oldest": _version_after(filters.since) if filters.since else NEWEST_VERSION,
            "newest": min(_version_after(filters.until) + 1, NEWEST_VERSION) if filters.until else 0,
            "flip": NEWEST_VERSION if filters.is_ascending else 0,
            "after_version": after_version,
            "after_id": after_id,
            "rows": limit + 1,
        }
        with self._handle() as warehouse:
            rows = warehouse.ask(sql("find_statements", _SQL), parameters, why="xAPI", limits=_LIMITS).rows
        next_cursor = ""
        if len(rows) > limit:
            event_id, event_version = rows[limit - 1][:2]
            next_cursor = f"{event_version ^ parameters['flip']:x}.{event_id.hex}"
        return Page([self._complete(row) for row in rows[:limit]], next_cursor)

    def _complete(self, row: tuple[Any, ...]) -> bytes:
        event_id, event_version, source_file, text = row
        line = text.encode()
        return line if source_file == SOURCE else complete_for_reading(line, event_id, event_version, self._authority)

    @contextmanager
    def _handle(self) -> Iterator[Warehouse]:
        handle = self._idle.get()
        try:
            handle = handle or open_warehouse(self._settings, role="reader", who="xapi")
            yield handle
        finally:
            self._idle.put(handle)


def _version_after(moment: datetime) -> int:
    """The version of what arrives just after the millisecond of this moment; for a time outside, the nearest."""
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    return NEWEST_VERSION - min(max(milliseconds + 1, 0), NEWEST_VERSION // _MILLISECOND) * _MILLISECOND


def _parse_cursor(cursor: str) -> tuple[int, str]:
    if not cursor:
        return 0, str(UUID(int=0))
    try:
        version, identifier = cursor.split(".")
        return int(version, 16) & NEWEST_VERSION, str(UUID(hex=identifier))
    except ValueError:
        raise UsageError("The `cursor` is none that this server gave.", hint="Follow `more` as it is.") from None
