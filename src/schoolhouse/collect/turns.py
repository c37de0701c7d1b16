"""One writer at a time, among all processes that take xAPI statements for one warehouse.

Whether an id is taken is asked before a statement is inserted, and between the two nobody else may insert: so a
process waits for its turn, asks, inserts, and lets the next one go. A turn has a time (milliseconds since 1970) that is
later than that of every turn before it.

- the embedded engine: one process has it, and no other can.
- a ClickHouse server: the processes of one machine that share SCHOOLHOUSE_DATA_DIR take turns by a lock on a file
  there; processes on any number of machines take turns by a lock in Postgres, where DATABASE_URL names one.

A process that dies ends its turn: the kernel, or Postgres, sees to it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from schoolhouse.errors import DatabaseError, UploadFailed
from schoolhouse.settings import Settings

_POSTGRES_LOCK: Final = 7_365_462  # ours among Postgres's advisory locks


class Turns(Protocol):
    """Whose turn it is."""

    def take(self) -> AbstractContextManager[int]:
        """Wait for the turn, have it as long as the block lasts, and get its time."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


def turns_for(settings: Settings) -> Turns:
    """How the processes over this warehouse take turns."""
    if settings.is_embedded:
        return LocalTurns()
    if settings.database_url.get_secret_value().startswith("postgres"):
        return PostgresTurns(settings)
    return FileTurns(settings.data_dir / "xapi.turn")


class LocalTurns:
    """This process is the only one. Its threads must not take a turn at the same time."""

    def __init__(self) -> None:
        self._last_ms = 0

    @contextmanager
    def take(self) -> Iterator[int]:
        """The turn of this process."""
        self._last_ms = _later_than(self._last_ms)
        yield self._last_ms

    def close(self) -> None:
        """Nothing is held."""


class FileTurns:
    """Processes of one machine. The file holds the time of the last turn."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UploadFailed(f"Cannot open {path}: {error.strerror}.") from None

    @contextmanager
    def take(self) -> Iterator[int]:
        """The turn of this process, when no other has it."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            last = os.pread(self._file, 20, 0)
            turn_ms = _later_than(int(last) if last.isdigit() else 0)
            os.pwrite(self._file, b"%020d" % turn_ms, 0)
            yield turn_ms
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class PostgresTurns:
    """Processes on any number of machines; the time is Postgres's."""

    def __init__(self, settings: Settings) -> None:
        from schoolhouse.database import open_database

        self._engine = open_database(settings)
        self._last_ms = 0

    @contextmanager
    def take(self) -> Iterator[int]:
        """The turn of this process, when no other has it."""
        from sqlalchemy import text
        from sqlalchemy.exc import SQLAlchemyError

        lock = text("SELECT pg_advisory_xact_lock(:number)")
        clock = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)")
        try:
            with self._engine.begin() as connection:
                connection.execute(lock, {"number": _POSTGRES_LOCK})
                self._last_ms = max(int(connection.execute(clock).scalar_one()), self._last_ms + 1)
                yield self._last_ms
        except SQLAlchemyError as error:
            raise DatabaseError(f"Cannot take turns in the app's database: {type(error).__name__}.") from None

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def _later_than(last_ms: int) -> int:
    return max(time.time_ns() // 1_000_000, last_ms + 1)
