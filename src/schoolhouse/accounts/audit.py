"""Who saw and ran what.

What people do (sign in, run SQL, change something) is written at once. What they look at comes by the hundreds a minute
and is written in groups by a thread, half a second late at most; where the database fails, with the next group. `close`
writes the rest. SQL is kept with e-mail addresses and credentials redacted.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import SQLAlchemyError

from schoolhouse.accounts.tables import audit_entries
from schoolhouse.observe import redact

log = logging.getLogger(__name__)

_GROUP_SECONDS: Final = 0.5
_MOST_WAITING: Final = 10_000
_DETAIL_LENGTH: Final = 10_000


@dataclass(frozen=True)
class Entry:
    """One thing that somebody did. `at` is UTC seconds since 1970; `seconds` what it took; ids rise."""

    id: int
    at: float
    who: str
    action: str
    subject: str
    detail: str
    outcome: str
    seconds: float | None


class AuditLog:
    """Writes and reads the record of one app's database. Close it at the end."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._is_closed = False
        self._writer: threading.Thread | None = None

    def did(
        self,
        who: str,
        action: str,
        subject: str = "",
        detail: str = "",
        *,
        outcome: str = "ok",
        seconds: float | None = None,
    ) -> None:
        """Record an act, now."""
        self._write([_row(who, action, subject, redact(detail), outcome=outcome, seconds=seconds)])

    def saw(self, who: str, subject: str, detail: str = "") -> None:
        """Record a look, soon."""
        with self._lock:
            self._waiting.append(_row(who, "view", subject, detail, outcome="ok", seconds=None))
            if self._writer is None and not self._is_closed:
                self._writer = threading.Thread(target=self._keep_writing, name="audit", daemon=True)
                self._writer.start()

    def flush(self) -> None:
        """Write what waits. What cannot be written waits on, the newest of it where it grows too much."""
        with self._lock:
            rows, self._waiting = self._waiting, []
        if not rows:
            return
        try:
            self._write(rows)
        except SQLAlchemyError:
            with self._lock:
                waiting = rows + self._waiting
                self._waiting = waiting[-_MOST_WAITING:]
            if lost := len(waiting[:-_MOST_WAITING]):
                log.warning("the record lost %d views: too many wait", lost)
            raise

    def entries(self, *, limit: int = 200, who: str = "", action: str = "", before: int = 0) -> list[Entry]:
        """The newest entries first; with `before`, those older than the entry of that number."""
        self.flush()
        table = audit_entries.c
        query = select(
            table.id, table.at, table.who, table.action, table.subject, table.detail, table.outcome, table.seconds
        ).order_by(table.id.desc())
        if who:
            query = query.where(table.who == who)
        if action:
            query = query.where(table.action == action)
        if before:
            query = query.where(table.id < before)
        with self._engine.connect() as connection:
            return [Entry(*row) for row in connection.execute(query.limit(limit))]

    def close(self) -> None:
        """Write what waits, and end."""
        self._is_closed = True
        self._wake.set()
        if self._writer:
            self._writer.join(timeout=10)
        self.flush()

    def _keep_writing(self) -> None:
        while not self._is_closed:
            self._wake.wait(_GROUP_SECONDS)
            try:
                self.flush()
            except SQLAlchemyError:
                log.exception("the record of views could not be written")

    def _write(self, rows: list[dict[str, Any]]) -> None:
        with self._engine.begin() as connection:
            connection.execute(insert(audit_entries), rows)


def _row(who: str, action: str, subject: str, detail: str, *, outcome: str, seconds: float | None) -> dict[str, Any]:
    return {
        "at": time.time(),
        "who": who[:200],
        "action": action,
        "subject": subject[:600],
        "detail": detail[:_DETAIL_LENGTH],
        "outcome": outcome,
        "seconds": seconds,
    }
