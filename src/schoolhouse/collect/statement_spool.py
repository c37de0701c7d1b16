"""The writing side of the xAPI resource where statements travel as bundles: XAPI_ETL_MODE s3, lambda and file.

In: requests of validated statements, from many threads. Out: nothing, once all statements of the request are in the
pipeline's spool, on the disk. From there the pipeline brings them to S3, to the function or into files, and the ETL
into the warehouse; so they are safe at once, and found later. Nobody here knows how much later, so
`consistent_through` promises nothing.

Ids: the spool remembers what was accepted under each id for thirty days, and looks and writes in one transaction, so
of two processes on one spool exactly one wins, and what is sent again is answered and not carried again. Older ids,
and those of other routes, are asked of the warehouse. Where it does not answer, statements are accepted all the same:
of a conflict the first in the warehouse stands there, and `warehouse check` lists it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

from schoolhouse.collect.bundles import BundleGroup
from schoolhouse.collect.equality import Fingerprint, fingerprint
from schoolhouse.collect.pipeline import Pipeline
from schoolhouse.collect.splicing import format_time, moment_of
from schoolhouse.collect.spool import ID_SECONDS, Bundle
from schoolhouse.collect.statement_store import (
    Incoming,
    Request,
    completed,
    conflict_over,
    decide,
    known_statements,
)
from schoolhouse.errors import InputError, StatementConflict, WarehouseError
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse, open_warehouse

CATEGORY: Final = "xapi"

_SECTION: Final = "http://oli.cmu.edu/extensions/section_id"
_NO_SECTION: Final = "0"
_SILENCE_SECONDS: Final = 30.0  # how long a warehouse that did not answer is left alone

log = logging.getLogger(__name__)


class _Context(msgspec.Struct):
    extensions: dict[str, msgspec.Raw] = {}


class _Scope(msgspec.Struct):
    context: _Context | None = None


_scope_of: Final = msgspec.json.Decoder(_Scope).decode


class StatementSpool:
    """Hands requests to the upload pipeline; `close` it at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._pipeline: Pipeline | None = None
        self._reader: Warehouse | None = None
        self._asks_after = 0.0
        if settings.spool_file.exists():  # what an earlier run left is delivered now
            self._started()

    def close(self) -> None:
        """Deliver what waits, as long as XAPI_DRAIN_TIMEOUT_SECONDS allows, and stop."""
        if self._pipeline:
            self._pipeline.stop()
        if self._reader:
            self._reader.close()

    def add(self, request: Request) -> None:
        """Store all statements of the request on the disk, or none.

        Raises:
            StatementConflict: an id belongs to another statement.
            SpoolFull: too much waits already.
            UploadFailed: the disk refuses.
        """
        given = [one for one in request.statements if not one.is_unique]
        fresh, conflict = decide(request, self._known([one.id for one in given]))
        if conflict:
            raise conflict
        claims = _Claims([one for one in fresh.values() if not one.is_unique])
        while fresh:
            try:
                self._started().send(*_bundles(fresh.values(), request.authority), condition=claims.enter)
            except _Accepted as before:
                claims.leave_out(before.ids)
                fresh = {identifier: one for identifier, one in fresh.items() if UUID(one.id) not in before.ids}
            else:
                return

    def consistent_through(self) -> datetime:
        """The beginning of time: when a statement reaches the warehouse is not known here."""
        return datetime(1970, 1, 1, tzinfo=UTC)

    def _started(self) -> Pipeline:
        """The pipeline, which starts with the first statement."""
        with self._lock:
            if not self._pipeline:
                self._pipeline = Pipeline(self._settings)
                self._pipeline.start()
            return self._pipeline

    def _known(self, ids: list[str]) -> dict[str, bytes]:
        """What the warehouse has under these ids, if it answers."""
        with self._lock:
            if not ids or time.monotonic() < self._asks_after:
                return {}
            try:
                self._reader = self._reader or open_warehouse(self._settings, role="reader", who="xapi")
                return known_statements(self._reader, ids)
            except WarehouseError as error:
                self._asks_after = time.monotonic() + _SILENCE_SECONDS
                log.warning("the warehouse cannot be asked for ids", extra={"reason": error.message})
                return {}


def _bundles(statements: Iterable[Incoming], authority: bytes) -> list[Bundle]:
    """The statements with what they lack, a bundle for each section."""
    stored = b'"%s"' % format_time(moment_of(time.time_ns() // 1_000_000)).encode()
    lines: dict[BundleGroup, list[bytes]] = defaultdict(list)
    for one in statements:
        lines[_group_of(one.line)].append(completed(one, stored, authority))
    return [Bundle(group, b"\n".join(of_group)) for group, of_group in lines.items()]


def _group_of(line: bytes) -> BundleGroup:
    """The bundle that a statement travels in: that of its section, or of section 0 where it names none."""
    try:
        scope = _scope_of(line)
        section = msgspec.json.decode(scope.context.extensions[_SECTION]) if scope.context else _NO_SECTION
        return BundleGroup("section", str(int(section)), CATEGORY)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError, OverflowError, InputError):
        return BundleGroup("section", _NO_SECTION, CATEGORY)


class _Accepted(Exception):
    """Which statements of a request were accepted before: no error, but nothing of the request was written."""

    def __init__(self, ids: set[UUID]) -> None:
        super().__init__()
        self.ids = ids


class _Claims:
    """The ids of a request, entered into the spool together with its statements."""

    def __init__(self, statements: Sequence[Incoming]) -> None:
        self._prints = {UUID(one.id): fingerprint(one.line) for one in statements}

    def leave_out(self, ids: set[UUID]) -> None:
        """Claim these no more."""
        for identifier in ids:
            del self._prints[identifier]

    def enter(self, connection: sqlite3.Connection) -> StatementConflict | _Accepted | None:
        """Enter them, in the transaction that stores the statements, or say which id is taken, or which are there.

        What is there keeps its row. To carry it once more would make a conflict of it in the warehouse, since a
        statement that was sent without a time got another one each time.
        """
        now = time.time()
        before = set()
        for identifier, mine in self._prints.items():
            row = connection.execute(
                "SELECT digest, time FROM statement_ids WHERE id = ? AND accepted_at > ?",
                (identifier.bytes, now - ID_SECONDS),
            ).fetchone()
            if row and not mine.matches(Fingerprint(*row)):
                return conflict_over(str(identifier))
            if row:
                before.add(identifier)
        if before:
            return _Accepted(before)
        connection.executemany(
            "INSERT OR REPLACE INTO statement_ids (id, digest, time, accepted_at) VALUES (?, ?, ?, ?)",
            [(identifier.bytes, mine.digest, mine.time, now) for identifier, mine in self._prints.items()],
        )
        return None
