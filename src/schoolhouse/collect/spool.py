"""The spool: bundles that are accepted and not yet delivered, in one SQLite file that several processes may share.

In: bundles. Out: batches, each under a lease, until they are delivered. `accept` returns when the bundles are on the
disk. A batch is sealed once: it keeps its bundles, its time and so its key, however often it is tried and by whomever.

The surprising facts: calls of `accept` that come together commit together, with one fsync for all; what is delivered is
deleted without an fsync, since delivering it again after a power cut does no harm.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from schoolhouse.collect.bundles import BundleGroup, BundleKey, bundle_id
from schoolhouse.collect.group_commit import GroupCommit
from schoolhouse.errors import SpoolFull, UploadFailed

LEASE_SECONDS: Final = 60.0
ID_SECONDS: Final = 30 * 86_400.0  # how long the ids of statements are remembered
_BATCH_BYTES: Final = 16_000_000  # a batch is sealed before it grows beyond this, however few bundles it has
_RATE_MINUTES: Final = 5

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS groups (
    id INTEGER PRIMARY KEY, partition TEXT, partition_id TEXT, category TEXT,
    waiting INTEGER NOT NULL, oldest REAL NOT NULL, UNIQUE (partition, partition_id, category));
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL, sealed_at REAL NOT NULL, bundles INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0, last_error TEXT NOT NULL DEFAULT '',
    owner TEXT NOT NULL DEFAULT '', lease_until REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS bundles (
    id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL, batch_id INTEGER, accepted_at REAL NOT NULL,
    statements INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS waiting_bundles ON bundles (group_id, id) WHERE batch_id IS NULL;
CREATE INDEX IF NOT EXISTS sealed_bundles ON bundles (batch_id) WHERE batch_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS statement_ids (
    id BLOB PRIMARY KEY, digest BLOB NOT NULL, time TEXT NOT NULL, accepted_at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS old_statement_ids ON statement_ids (accepted_at);
CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS minutes (
    minute INTEGER PRIMARY KEY, accepted INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0);
"""


@dataclass(frozen=True)
class Bundle:
    """Statements that an application hands over at once: lines of JSON separated by newlines, all of one group."""

    group: BundleGroup
    body: bytes

    @property
    def statements(self) -> int:
        """How many lines it has."""
        return self.body.rstrip(b"\n").count(b"\n") + 1


@dataclass(frozen=True)
class Batch:
    """Bundles of one group that are uploaded as one object. `attempts` counts the tries that failed."""

    id: int
    key: BundleKey
    body: bytes
    bundles: int
    statements: int
    attempts: int


# Looks, in the transaction that accepts bundles, whether they may be accepted; if so it may write, else it must not.
Condition = Callable[[sqlite3.Connection], Exception | None]


@dataclass(frozen=True)
class _Acceptance:
    bundles: Sequence[Bundle]
    condition: Condition | None


class Spool:
    """A handle on the spool, safe to share between threads. Each handle is an owner of leases of its own."""

    def __init__(
        self,
        path: Path,
        *,
        prefix: str = "",
        max_bytes: int = 10_000_000_000,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.path = path
        self._prefix = prefix
        self.owner = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._max_bytes = max_bytes
        self._lease_seconds = lease_seconds
        path.parent.mkdir(parents=True, exist_ok=True)
        with _mapped_errors(path):
            path.touch(mode=0o600)  # it holds what learners did
            self._accepting = _connect(path, synchronous="FULL")
            self._working = _connect(path, synchronous="NORMAL")
            self._accepting.executescript(_SCHEMA)
        self._accepts: GroupCommit[_Acceptance, None] = GroupCommit(self._commit, limit=1000)
        self._work_lock = threading.Lock()

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        with self._work_lock:
            self._accepting.close()
            self._working.close()

    def accept(self, bundles: Sequence[Bundle], condition: Condition | None = None) -> None:
        """Put bundles on the disk, all or none. When this returns they survive a crash of the machine.

        Raises:
            SpoolFull: as much waits already as may.
            UploadFailed: the disk refuses.
            Exception: what the condition gave.
        """
        self._accepts.submit(_Acceptance(bundles, condition))

    def _commit(self, group: Sequence[_Acceptance]) -> list[Exception | None]:
        outcomes: list[Exception | None] = []
        with self._transaction(self._accepting):
            held = _total(self._accepting, "held_bytes")
            for acceptance in group:
                size = sum(len(bundle.body) for bundle in acceptance.bundles)
                if held + size > self._max_bytes:
                    outcomes.append(
                        SpoolFull(
                            f"The spool holds {held:,} bytes already.",
                            hint="Wait for deliveries; see `schoolhouse pipeline stats` and XAPI_SPOOL_MAX_BYTES.",
                        )
                    )
                    continue
                refusal = acceptance.condition(self._accepting) if acceptance.condition else None
                if not refusal:
                    held += size
                    self._insert(acceptance.bundles)
                outcomes.append(refusal)
        return outcomes

    def _insert(self, bundles: Sequence[Bundle]) -> None:
        now = time.time()
        for bundle in bundles:
            body = bundle.body.rstrip(b"\n")
            group = bundle.group
            (group_id,) = self._accepting.execute(
                "INSERT INTO groups (partition, partition_id, category, waiting, oldest) VALUES (?, ?, ?, 1, ?)"
                " ON CONFLICT DO UPDATE SET oldest = iif(waiting, oldest, excluded.oldest), waiting = waiting + 1"
                " RETURNING id",
                (group.partition, group.partition_id, group.category, now),
            ).fetchone()
            self._accepting.execute(
                "INSERT INTO bundles (group_id, accepted_at, statements, body) VALUES (?, ?, ?, ?)",
                (group_id, now, bundle.statements, body),
            )
            _count(self._accepting, held_bundles=1, held_bytes=len(body), accepted_bundles=1)
            _count_minute(self._accepting, "accepted", bundle.statements)

    def claim(self, *, limit: int, batch_size: int, timeout_seconds: float) -> list[Batch]:
        """Take up to `limit` batches under lease: those whose time to be tried again has come, then newly sealed ones.

        A group is sealed when it has `batch_size` bundles, or one that has waited for `timeout_seconds`.
        """
        now = time.time()
        with self._work_lock:
            if not self._is_due(now, batch_size, timeout_seconds):
                return []
            with self._transaction(self._working):
                claimed = [
                    batch_id
                    for (batch_id,) in self._working.execute(
                        "SELECT id FROM batches WHERE lease_until < ? AND not_before <= ? ORDER BY id LIMIT ?",
                        (now, now, limit),
                    )
                ]
                claimed += self._seal(limit - len(claimed), now, batch_size, timeout_seconds)
                self._working.executemany(
                    "UPDATE batches SET owner = ?, lease_until = ? WHERE id = ?",
                    [(self.owner, now + self._lease_seconds, batch_id) for batch_id in claimed],
                )
                return [self._read(batch_id) for batch_id in claimed]

    def _is_due(self, now: float, batch_size: int, timeout_seconds: float) -> bool:
        """Whether a claim would find something: asked first, so that an idle spool is not written to."""
        with _mapped_errors(self.path):
            return bool(
                self._working.execute(
                    "SELECT EXISTS (SELECT 1 FROM batches WHERE lease_until < :now AND not_before <= :now)"
                    " OR EXISTS (SELECT 1 FROM groups WHERE waiting >= :size OR (waiting > 0 AND oldest <= :old))",
                    {"now": now, "size": batch_size, "old": now - timeout_seconds},
                ).fetchone()[0]
            )

    def _seal(self, limit: int, now: float, batch_size: int, timeout_seconds: float) -> list[int]:
        due = self._working.execute(
            "SELECT id FROM groups WHERE waiting >= ? OR (waiting > 0 AND oldest <= ?) ORDER BY oldest LIMIT ?",
            (batch_size, now - timeout_seconds, max(limit, 0)),
        ).fetchall()
        sealed = []
        for (group_id,) in due:
            chosen: list[int] = []
            size = 0
            for bundle, length in self._working.execute(
                "SELECT id, length(body) FROM bundles WHERE group_id = ? AND batch_id IS NULL ORDER BY id LIMIT ?",
                (group_id, batch_size),
            ):
                if chosen and size + length > _BATCH_BYTES:
                    break
                chosen.append(bundle)
                size += length
            batch_id = self._working.execute(
                "INSERT INTO batches (group_id, sealed_at, bundles) VALUES (?, ?, ?)", (group_id, now, len(chosen))
            ).lastrowid
            assert batch_id is not None  # noqa: S101 - an INSERT has a row id
            self._working.executemany(
                "UPDATE bundles SET batch_id = ? WHERE id = ?", [(batch_id, bundle) for bundle in chosen]
            )
            self._working.execute(
                "UPDATE groups SET waiting = waiting - ?, oldest = ifnull((SELECT accepted_at FROM bundles"
                " WHERE group_id = groups.id AND batch_id IS NULL ORDER BY id LIMIT 1), 0) WHERE id = ?",
                (len(chosen), group_id),
            )
            sealed.append(batch_id)
        return sealed

    def _read(self, batch_id: int) -> Batch:
        partition, partition_id, category, sealed_at, attempts = self._working.execute(
            "SELECT partition, partition_id, category, sealed_at, attempts FROM batches"
            " JOIN groups ON groups.id = batches.group_id WHERE batches.id = ?",
            (batch_id,),
        ).fetchone()
        rows = self._working.execute(
            "SELECT body, statements FROM bundles WHERE batch_id = ? ORDER BY id", (batch_id,)
        ).fetchall()
        body = b"\n".join(row[0] for row in rows)
        return Batch(
            id=batch_id,
            key=BundleKey(
                group=BundleGroup(partition, partition_id, category),
                timestamp=datetime.fromtimestamp(sealed_at, UTC),
                bundle_id=bundle_id(body),
                prefix=self._prefix,
            ),
            body=body,
            bundles=len(rows),
            statements=sum(row[1] for row in rows),
            attempts=attempts,
        )

    def delivered(self, batches: Sequence[Batch]) -> None:
        """Forget batches that have arrived, where the lease is still this handle's."""
        with self._work_lock, self._transaction(self._working):
            for batch in batches:
                mine = self._working.execute(
                    "DELETE FROM batches WHERE id = ? AND owner = ?", (batch.id, self.owner)
                ).rowcount
                if not mine:
                    continue
                self._working.execute("DELETE FROM bundles WHERE batch_id = ?", (batch.id,))
                _count(
                    self._working,
                    held_bundles=-batch.bundles,
                    held_bytes=batch.bundles - 1 - len(batch.body),  # less the newlines between bundles
                    delivered_batches=1,
                    delivered_bundles=batch.bundles,
                    delivered_statements=batch.statements,
                )
                _count_minute(self._working, "delivered", batch.statements)

    def failed(self, batch: Batch, reason: str, *, wait_seconds: float) -> None:
        """Give a batch back, to be tried again after a while."""
        with self._work_lock, self._transaction(self._working):
            self._working.execute(
                "UPDATE batches SET attempts = attempts + 1, not_before = ?, last_error = ?, owner = '',"
                " lease_until = 0 WHERE id = ? AND owner = ?",
                (time.time() + wait_seconds, reason[:500], batch.id, self.owner),
            )
            _count(self._working, failed_attempts=1)

    def renew(self) -> None:
        """Prolong the leases of this handle."""
        with self._work_lock, self._transaction(self._working):
            self._working.execute(
                "UPDATE batches SET lease_until = ? WHERE owner = ?", (time.time() + self._lease_seconds, self.owner)
            )

    def release(self) -> None:
        """Give all leases of this handle back, so that others need not wait for them to run out."""
        with self._work_lock, self._transaction(self._working):
            self._working.execute("UPDATE batches SET owner = '', lease_until = 0 WHERE owner = ?", (self.owner,))

    def retry_now(self) -> None:
        """Let batches that failed be tried at once."""
        with self._work_lock, self._transaction(self._working):
            self._working.execute("UPDATE batches SET not_before = 0 WHERE owner = ''")

    def tidy(self) -> None:
        """Give the space of what was delivered back to the disk, and forget groups and minutes of long ago."""
        with self._work_lock:
            with self._transaction(self._working):
                self._working.execute(
                    "DELETE FROM groups WHERE waiting = 0"
                    " AND NOT EXISTS (SELECT 1 FROM batches WHERE batches.group_id = groups.id)"
                )
                self._working.execute("DELETE FROM minutes WHERE minute < ?", (time.time() // 60 - 60,))
                self._working.execute("DELETE FROM statement_ids WHERE accepted_at < ?", (time.time() - ID_SECONDS,))
            with _mapped_errors(self.path):
                self._working.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page

    @contextmanager
    def _transaction(self, connection: sqlite3.Connection) -> Iterator[None]:
        with _mapped_errors(self.path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


@dataclass(frozen=True)
class SpoolStats:
    """What the spool holds and what went through it. Ages in seconds, sizes in bytes, rates in statements a second.

    `queued` bundles wait, `in_flight` ones are being uploaded, `retrying` ones failed and wait to be tried again. The
    rates are those of the last five minutes, over all processes.
    """

    queued: int
    in_flight: int
    retrying: int
    held_bytes: int
    oldest_age_seconds: float
    accepted: int
    delivered: int
    delivered_batches: int
    delivered_statements: int
    failed_attempts: int
    accepted_per_second: float
    delivered_per_second: float
    last_error: str


def read_stats(path: Path) -> SpoolStats:
    """The statistics of a spool, without disturbing who works on it; all zero where there is none yet."""
    if not path.exists():
        return SpoolStats(0, 0, 0, 0, 0.0, 0, 0, 0, 0, 0, 0.0, 0.0, "")
    now = time.time()
    with _mapped_errors(path):
        connection = _connect(path, synchronous="NORMAL")
        try:
            connection.execute("BEGIN")
            totals = dict(connection.execute("SELECT name, value FROM totals").fetchall())
            in_flight, retrying, oldest_batch, last_error = connection.execute(
                "SELECT ifnull(sum(iif(lease_until >= :now, bundles, 0)), 0),"
                " ifnull(sum(iif(lease_until < :now AND attempts, bundles, 0)), 0), min(sealed_at),"
                " ifnull((SELECT last_error FROM batches WHERE last_error != '' ORDER BY not_before DESC LIMIT 1), '')"
                " FROM batches",
                {"now": now},
            ).fetchone()
            (oldest_bundle,) = connection.execute("SELECT min(oldest) FROM groups WHERE waiting").fetchone()
            accepted, delivered = connection.execute(
                "SELECT ifnull(sum(accepted), 0), ifnull(sum(delivered), 0) FROM minutes WHERE minute > ?",
                (now // 60 - _RATE_MINUTES,),
            ).fetchone()
        finally:
            connection.close()
    oldest = min((moment for moment in (oldest_batch, oldest_bundle) if moment), default=now)
    window = (_RATE_MINUTES - 1) * 60 + now % 60
    return SpoolStats(
        queued=totals.get("held_bundles", 0) - in_flight - retrying,
        in_flight=in_flight,
        retrying=retrying,
        held_bytes=totals.get("held_bytes", 0),
        oldest_age_seconds=round(max(now - oldest, 0.0), 3),
        accepted=totals.get("accepted_bundles", 0),
        delivered=totals.get("delivered_bundles", 0),
        delivered_batches=totals.get("delivered_batches", 0),
        delivered_statements=totals.get("delivered_statements", 0),
        failed_attempts=totals.get("failed_attempts", 0),
        accepted_per_second=round(accepted / window, 3),
        delivered_per_second=round(delivered / window, 3),
        last_error=last_error,
    )


def _connect(path: Path, *, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    return connection


def _total(connection: sqlite3.Connection, name: str) -> int:
    found: Any = connection.execute("SELECT value FROM totals WHERE name = ?", (name,)).fetchone()
    return int(found[0]) if found else 0


def _count(connection: sqlite3.Connection, **changes: int) -> None:
    connection.executemany(
        "INSERT INTO totals VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value", changes.items()
    )


def _count_minute(connection: sqlite3.Connection, name: str, statements: int) -> None:
    connection.execute(
        f"INSERT INTO minutes (minute, {name}) VALUES (?, ?)"  # noqa: S608 - the name is one of two of ours
        f" ON CONFLICT DO UPDATE SET {name} = {name} + excluded.{name}",
        (int(time.time() // 60), statements),
    )


@contextmanager
def _mapped_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise UploadFailed(
            f"The spool {path} cannot be used: {error}.", hint="Check that its disk has room and may be written to."
        ) from None
