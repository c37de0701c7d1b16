"""The writing side of the xAPI resource: statements into the warehouse, each request all or nothing.

In: requests of validated statements, from many threads. Out: nothing, once the statements can be read back. Requests
that come together are written with one insert (`GroupCommit`), and one at a time is decided, so two requests that
bring the same id at the same moment are told apart as if one had come first.

The surprising facts: the table `ingest` answers nothing, so what is a conflict is decided here, before the insert, by
looking up the ids. All statements of a group get one `stored` time, in whole milliseconds, later than that of every
group before it; it is also their arrival in the warehouse, so `since` and `until` can be asked there. Between the
look-up and the insert no other process may insert: they take turns (`turns`). Other routes are not waited for: of one
id in both, the first stands, and `warehouse check` lists the conflict.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec

from schoolhouse.collect.equality import say_the_same
from schoolhouse.collect.group_commit import GroupCommit
from schoolhouse.collect.splicing import DEFAULT_VERSION, complete, derived_id, format_time, moment_of, one_line
from schoolhouse.collect.turns import Turns, turns_for
from schoolhouse.collect.validation import Statement
from schoolhouse.errors import BodyTooLarge, InvalidStatement, StatementConflict, WarehouseError
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.loads import ARROW_COLUMNS, Load, Piece, arrow_lines, start_load
from schoolhouse.warehouse.migrations import require_current
from schoolhouse.warehouse.statements import statement as sql

SOURCE: Final = "xAPI"

_SQL: Final = "schoolhouse.collect.sql"
_GROUP_BYTES: Final = 32 * 1024 * 1024  # of statements in one insert
_IDS_LIMIT: Final = 3500  # ids in one look-up: a server takes 128 KiB in a bound value
_LOAD_SECONDS: Final = 60.0  # how long inserts are accounted for as one load
_WHY: Final = "xAPI"

log = logging.getLogger(__name__)


# Tens of thousands wait for a commit at a time: a garbage collector that walked through them again and again would cost
# a request as much as reading it does. They refer to nothing that could refer back.
class Incoming(msgspec.Struct, frozen=True, gc=False):
    """A statement that was sent: its line, and what it lacks."""

    line: bytes
    id: str  # in lower case, as UUIDs are compared
    has_id: bool
    has_timestamp: bool
    is_unique: bool  # no stored statement can have this id
    replaces: bool  # it brings a `stored` or `authority` of its own
    has_version: bool


@dataclass(frozen=True)
class Request:
    """Statements that belong together, and who sends them (JSON of their authority)."""

    statements: tuple[Incoming, ...]
    authority: bytes

    @property
    def size_bytes(self) -> int:
        """Bytes of its statements."""
        return sum(len(one.line) for one in self.statements)


def receive(raw: bytes, statement: Statement, *, given_id: str = "", max_bytes: int) -> Incoming:
    """A validated statement with its id: its own, else `given_id`, else one derived from its bytes.

    Raises:
        BodyTooLarge: the warehouse would not take so long a line.
    """
    line = one_line(raw)
    if len(line) + 1000 > max_bytes:  # there must be room for what is spliced in
        raise BodyTooLarge(f"A statement has {len(line):,} bytes.", hint="See SCHOOLHOUSE_MAX_LINE_BYTES.")
    own_id = statement.id if isinstance(statement.id, str) else ""
    has_timestamp = isinstance(statement.timestamp, str)
    is_unique = not (own_id or given_id or has_timestamp)
    return Incoming(
        line=line,
        id=(own_id or given_id).lower() or str(derived_id(line, time.time_ns() if is_unique else 0)),
        has_id=bool(own_id),
        has_timestamp=has_timestamp,
        is_unique=is_unique,
        replaces=isinstance(statement.stored, str) or bool(statement.authority),
        has_version=isinstance(statement.version, str),
    )


def check_ids(statements: Sequence[Incoming]) -> None:
    """Raise InvalidStatement if two statements of one request give the same id."""
    given = [one.id for one in statements if one.has_id]
    if len(set(given)) != len(given):
        raise InvalidStatement("Two statements of one request have the same `id`.")


class StatementStore:
    """Writes requests; `close` it at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._commits: GroupCommit[Request, None] = GroupCommit(
            self._commit, limit=_GROUP_BYTES, weigh=lambda request: request.size_bytes
        )
        self._opened = ExitStack()
        self._writer: Warehouse | None = None
        self._keeper: threading.Thread | None = None
        self._load: Load | None = None
        self._load_scope = ExitStack()
        self._load_lock = threading.Lock()
        self._turns: Turns | None = None
        self._writing_ms = 0  # the time of the group that is being written, 0 when none is
        self._time_lock = threading.Lock()
        self._closing = threading.Event()

    def close(self) -> None:
        """Finish the accounts and close the warehouse."""
        self._closing.set()
        if self._keeper:
            self._keeper.join()
        self._settle()
        self._opened.close()
        if self._turns:
            self._turns.close()

    def _open(self) -> Warehouse:
        """Open the warehouse, with the first statement: a server may start before its warehouse is set up."""
        with ExitStack() as opening:
            writer = opening.enter_context(open_warehouse(self._settings, who="xapi"))
            require_current(writer)  # without its views the table `ingest` swallows lines without a word
            self._books = opening.enter_context(open_warehouse(self._settings, who="xapi"))
            self._opened = opening.pop_all()
        self._keeper = threading.Thread(target=self._keep, name="xapi-keeper", daemon=True)
        self._keeper.start()
        return writer

    def add(self, request: Request) -> None:
        """Store all statements of the request, or none; they are safe, and found, when this returns.

        Raises:
            StatementConflict: an id belongs to another statement.
            WarehouseError: the warehouse did not take them.
        """
        self._commits.submit(request)

    def consistent_through(self) -> datetime:
        """The time up to which everything that this process stored can be found."""
        with self._time_lock:
            now = time.time_ns() // 1_000_000
            return moment_of(min(now, self._writing_ms - 1) if self._writing_ms else now)

    def _commit(self, group: Sequence[Request]) -> list[Exception | None]:
        self._turns = self._turns or turns_for(self._settings)
        self._writer = self._writer or self._open()
        with self._turns.take() as stored_ms:
            with self._time_lock:
                self._writing_ms = stored_ms
            try:
                return self._write(self._writer, group, stored_ms)
            finally:
                with self._time_lock:
                    self._writing_ms = 0

    def _write(self, writer: Warehouse, group: Sequence[Request], stored_ms: int) -> list[Exception | None]:
        ids = [one.id for request in group for one in request.statements if not one.is_unique]
        known = known_statements(writer, ids)
        stored = b'"%s"' % format_time(moment_of(stored_ms)).encode()
        lines: list[bytes] = []
        outcomes: list[Exception | None] = []
        for request in group:
            try:
                fresh, conflict = decide(request, known)
                if not conflict:
                    lines += [completed(one, stored, request.authority) for one in fresh.values()]
                    known |= {identifier: one.line for identifier, one in fresh.items()}
                outcomes.append(conflict)
            except Exception as error:  # what fails for one request must not fail for those that share its insert
                outcomes.append(error)
        if lines:
            self._insert(writer, lines, stored_ms)
        return outcomes

    def _insert(self, writer: Warehouse, lines: list[bytes], stored_ms: int) -> None:
        with self._load_lock:  # until the lines are in: a load that was counted before would never account for them
            if not self._load:
                self._load = self._load_scope.enter_context(start_load(self._books, route="xapi", source=SOURCE))
            stream, _ = arrow_lines(
                [Piece(b"\n".join(lines), SOURCE)],
                load_id=self._load.load_id,
                received_ns=stored_ms * 1_000_000,
                max_line_bytes=self._settings.max_line_bytes,
            )
            writer.insert_bytes("ingest", stream, input_format="ArrowStream", columns=ARROW_COLUMNS, why=_WHY)

    def _keep(self) -> None:
        """End the load of the last minute, so that its lines are counted; the next statement begins another."""
        while not self._closing.wait(timeout=_LOAD_SECONDS):
            self._settle()

    def _settle(self) -> None:
        with self._load_lock:
            scope, self._load_scope, self._load = self._load_scope, ExitStack(), None
            try:
                scope.close()
            except WarehouseError as error:
                log.warning("could not close the accounts of a load", extra={"reason": error.message})


def known_statements(warehouse: Warehouse, ids: list[str]) -> dict[str, bytes]:
    """The statements that are stored under some of these ids."""
    known: dict[str, bytes] = {}
    for start in range(0, len(ids), _IDS_LIMIT):
        asked = {"ids": ",".join(ids[start : start + _IDS_LIMIT])}
        taken = warehouse.ask(sql("list_known_ids", _SQL), asked, why=_WHY).rows
        if taken:
            asked = {"ids": ",".join(str(row[0]) for row in taken)}
            rows = warehouse.ask(sql("find_stored_statements", _SQL), asked, why=_WHY).rows
            known |= {str(identifier): text.encode() for identifier, text in rows}
    return known


def decide(request: Request, known: dict[str, bytes]) -> tuple[dict[str, Incoming], StatementConflict | None]:
    """The statements of a request that are new, or the conflict that forbids all of them."""
    fresh: dict[str, Incoming] = {}
    for one in request.statements:
        before = fresh[one.id].line if one.id in fresh else known.get(one.id)
        if before is None:
            fresh[one.id] = one
        elif before != one.line and not say_the_same(before, one.line):
            return {}, conflict_over(one.id)
    return fresh, None


def conflict_over(identifier: str) -> StatementConflict:
    """The error that says whose id it is."""
    return StatementConflict(
        f"The id {identifier} belongs to another statement.", hint="Statements do not change: send it with a new id."
    )


def completed(one: Incoming, stored: bytes, authority: bytes) -> bytes:
    """The line with what it lacks."""
    additions = _additions(stored, authority, one.has_timestamp, one.has_version)
    if not one.has_id:
        additions = {"id": b'"%s"' % one.id.encode()} | additions
    return complete(one.line, additions, replaces=one.replaces)


@lru_cache(maxsize=16)
def _additions(stored: bytes, authority: bytes, has_timestamp: bool, has_version: bool) -> dict[str, bytes]:
    """What a group's statements of one client lack, but for their ids: the same for nearly all."""
    additions = {"stored": stored, "authority": authority}
    if not has_timestamp:
        additions["timestamp"] = stored
    if not has_version:
        additions["version"] = b'"%s"' % DEFAULT_VERSION.encode()
    return additions
