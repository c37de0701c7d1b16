"""What a worker does with a claim: chunk after chunk, each recorded with its new position in one transaction.

After every chunk the operator's wish is looked at: go on, pause, or stop. ClickHouse or S3 may be away for
BACKFILL_OUTAGE_SECONDS; beyond that the attempt has failed, and the next one goes on behind the last completed chunk.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from sqlalchemy import Engine, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from schoolhouse.backfill.chunks import Chunk, ChunkLoader, ChunkResult, LoadSpec
from schoolhouse.backfill.estimate import Tally, estimate
from schoolhouse.backfill.inventory import DataFile, fetched, pages, read_manifest
from schoolhouse.backfill.patterns import Source, matching
from schoolhouse.backfill.places import Place, place_of
from schoolhouse.backfill.planning import key_filter, manifest_place, plan
from schoolhouse.backfill.queue import Lease, held, move, order_of, settle_run
from schoolhouse.backfill.records import Ended, record_chunk
from schoolhouse.backfill.states import Act, State, may
from schoolhouse.backfill.tables import clock, inventory_runs, manual_runs, moment, transaction
from schoolhouse.backfill.watch import Watch
from schoolhouse.errors import LeaseLost, SchoolhouseError
from schoolhouse.etl.aws import s3_client
from schoolhouse.settings import Settings
from schoolhouse.warehouse.maintenance import merge_touched

log = logging.getLogger(__name__)

_LONGEST_WAIT_SECONDS: Final = 10.0
_ATTEMPT_WAIT_SECONDS: Final = 5.0

# What the app's database raises while it is away or busy.
_DATABASE_AWAY: Final = (InterfaceError, OperationalError, PoolTimeout)

# Objects of a chunk, and where to go on when they are done.
Portion = tuple[list[Source], str]


class Stopped(Exception):
    """The work ends here: paused, cancelled, lost, or the worker stops."""


def do(engine: Engine, lease: Lease, settings: Settings, *, must_end: Callable[[], bool]) -> None:
    """Do the work of a lease to its end, or until the operator or the worker's own end stops it."""
    with transaction(engine) as connection:
        row = dict(held(connection, lease))
        run = row if lease.kind != "batch" else dict(held_run(connection, lease))
    with Watch(engine, lease, run_settings(settings, run), must_end=must_end) as watch:
        job = Job(engine, lease, run_settings(settings, run), watch, row, run)
        try:
            job.work()
        except Stopped:
            job.hand_back()
        except LeaseLost as error:
            log.info("another worker goes on", extra={"reason": error.message})
        except SchoolhouseError as error:
            job.fail(error)
        except _DATABASE_AWAY:  # nothing can be written: the lease runs out, and no attempt is counted
            raise
        except Exception as error:
            log.exception("a backfill failed unexpectedly", extra={"kind": lease.kind, "id": lease.id})
            job.fail(_surprise(error))


def _surprise(error: Exception) -> SchoolhouseError:
    """What nobody foresaw, by its class: its text may hold anything."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return SchoolhouseError(f"The attempt failed unexpectedly ({name}).", hint="The worker's log tells where.")


def held_run(connection: Any, lease: Lease) -> Any:
    """The run of a batch."""
    return connection.execute(inventory_runs.select().where(inventory_runs.c.id == lease.run_id)).mappings().one()


def run_settings(settings: Settings, run: dict[str, Any]) -> Settings:
    """The settings with the run's own database."""
    database, _, table = str(run["target_table"]).rpartition(".")
    return settings.model_copy(update={"clickhouse_database": database}) if database and table else settings


class Job:
    """One claim at work."""

    def __init__(
        self,
        engine: Engine,
        lease: Lease,
        settings: Settings,
        watch: Watch,
        row: dict[str, Any],
        run: dict[str, Any],
    ) -> None:
        self._engine = engine
        self._lease = lease
        self._settings = settings
        self._watch = watch
        self._row = row
        self._run = run
        self._sequence = int(row.get("chunk_sequence", 0))
        self._is_fresh = lease.is_first
        self._spec = LoadSpec(run["format"], run["clickhouse_settings"], run["options"], bool(run["force"]))

    def work(self) -> None:
        """Do it."""
        if self._lease.kind == "inventory":
            plan(self._engine, self._lease, self._settings, self._run, self._go_on)
        elif self._lease.kind == "batch":
            self._work_on_batch()
        elif self._run["dry_run"]:
            self._estimate_manual()
        else:
            self._work_on_manual()

    def hand_back(self) -> None:
        """Give the work back: paused where the operator wants that, else for the next worker; no attempt is counted."""
        kind = self._lease.kind
        try:
            with transaction(self._engine) as connection:
                row = held(connection, self._lease)
                order = order_of(connection, self._lease, row["status"])
                if order == "cancel" or row["status"] == State.PAUSED:
                    return
                act = Act.PAUSE if order == "pause" else Act.AGAIN
                free = {"lease_owner": "", "lease_until": 0.0, "attempts": max(int(row["attempts"]) - 1, 0)}
                move(connection, kind, row, act, **free)
                if kind == "batch":
                    settle_run(connection, self._lease.run_id, clock(connection))
        except LeaseLost:
            return

    def fail(self, error: SchoolhouseError) -> None:
        """End the attempt: another one later, if there may be one."""
        lease = self._lease
        most = {"manual": "max_attempts", "batch": "max_batch_attempts"}.get(lease.kind)
        attempts = int(self._run[most]) if most else 1
        try:
            with transaction(self._engine) as connection:
                row = held(connection, lease)
                if not may(lease.kind, State(row["status"]), Act.FAIL):
                    return
                now = clock(connection)
                values: dict[str, Any] = {"error": str(error)[:2000], "lease_owner": "", "lease_until": 0.0}
                if int(row["attempts"]) < attempts:
                    values["not_before"] = now + _ATTEMPT_WAIT_SECONDS * int(row["attempts"])
                    move(connection, lease.kind, row, Act.AGAIN, **values)
                else:
                    move(connection, lease.kind, row, Act.FAIL, **values, finished_at=moment(now))
                if lease.kind == "batch":
                    settle_run(connection, lease.run_id, now)
        except LeaseLost:
            return
        log.warning(
            "an attempt at a backfill failed",
            extra={"kind": lease.kind, "id": lease.id, "attempt": lease.attempt, "reason": error.message},
        )

    @property
    def _name(self) -> str:
        """The run's name in the warehouse. Its time belongs to it: SQLite gives the number of a deleted run again."""
        kind = "manual" if self._lease.kind == "manual" else "inventory"
        return f"backfill {kind} {self._run['id']} of {self._run['created_at']:%Y-%m-%dT%H:%M:%S.%fZ}"

    def _go_on(self) -> None:
        """Raise Stopped if the work is not wanted now."""
        if self._watch.order != "go" or self._watch.stops_now:
            raise Stopped

    # --- inventory ---

    def _work_on_batch(self) -> None:
        place = manifest_place(self._run, self._settings)
        settings = place.settings(self._settings)
        s3 = s3_client(settings)
        manifest = read_manifest(s3, place.bucket, place.key)
        file = DataFile(self._row["parquet_key"], -1, self._row["checksum"])
        start = int(self._row["position"] or 0)
        name = f"{self._name}, batch {self._row['sequence']}"
        with fetched(s3, manifest.bucket, file) as path:
            found = pages(
                path, manifest, key_filter(self._run), page_size=int(self._run["manifest_page_size"]), start_row=start
            )
            self._load_all(settings, name, _portions(found, int(self._run["batch_chunk_size"])))
        with transaction(self._engine) as connection:
            row = held(connection, self._lease)
            if order_of(connection, self._lease, row["status"]) != "cancel":
                now = clock(connection)
                done = {"finished_at": moment(now), "lease_owner": "", "lease_until": 0.0, "live": {}}
                move(connection, "batch", row, Act.COMPLETE, **done)
                settle_run(connection, self._lease.run_id, now)

    # --- manual ---

    def _work_on_manual(self) -> None:
        place = place_of(self._run["s3_pattern"], self._settings)
        settings = place.settings(self._settings)
        s3 = None if place.is_local else s3_client(settings)
        if not self._row["total_objects"]:
            self._count_all(place, settings, s3)
        size = int(self._run["chunk_size"])
        sources = matching(place, settings, s3, after=self._row["position"])
        portions = ((chunk, chunk[-1].key) for chunk in iter(lambda: list(islice(sources, size)), []))
        began = time.time()
        self._load_all(settings, self._name, portions)
        if self._run["metadata"].get("optimize"):
            with transaction(self._engine) as connection:
                row = held(connection, self._lease)
                if row["status"] == State.RUNNING:
                    move(connection, "manual", row, Act.OPTIMIZE, live={})
            started = self._row["started_at"]
            self._merge(settings, started.timestamp() if started else began)
        self._complete_manual({})

    def _merge(self, settings: Settings, since: float) -> None:
        loader = ChunkLoader(settings, self._spec, self._watch)
        try:
            merge_touched(loader.warehouse, since=since, on_step=lambda _: self._go_on())
        except SchoolhouseError as error:  # all is loaded; questions are only slower
            log.warning("partitions were not merged", extra={"run": self._run["id"], "reason": error.message})
        finally:
            loader.close()

    def _count_all(self, place: Place, settings: Settings, s3: Any) -> None:
        """Count the objects first, so that progress has an end."""
        objects = size = 0
        for source in matching(place, settings, s3):
            objects, size = objects + 1, size + source.size_bytes
            if objects % 1000 == 0:
                self._go_on()
        with transaction(self._engine) as connection:
            held(connection, self._lease)
            connection.execute(
                update(manual_runs)
                .where(manual_runs.c.id == self._lease.id)
                .values(total_objects=objects, total_bytes=size)
            )

    def _estimate_manual(self) -> None:
        place = place_of(self._run["s3_pattern"], self._settings)
        settings = place.settings(self._settings)
        s3 = None if place.is_local else s3_client(settings)
        loader = ChunkLoader(settings, self._spec, self._watch)
        tally = Tally(int(self._run["id"]))
        try:
            sources = matching(place, settings, s3)
            for page in iter(lambda: list(islice(sources, 1000)), []):
                self._go_on()
                tally.add(page, loader)
            facts = estimate(self._engine, loader, tally, self._spec, int(self._run["chunk_size"]), 1)
        finally:
            loader.close()
        self._complete_manual(facts)

    def _complete_manual(self, facts: dict[str, Any]) -> None:
        with transaction(self._engine) as connection:
            row = held(connection, self._lease)
            if not may("manual", State(row["status"]), Act.COMPLETE):
                return
            now = clock(connection)
            values: dict[str, Any] = {"finished_at": moment(now), "lease_owner": "", "lease_until": 0.0, "live": {}}
            if facts:
                values |= {
                    "metadata": {**row["metadata"], "estimate": facts},
                    "total_objects": facts["files"],
                    "total_bytes": facts["bytes"],
                    "rows_read": facts["rows"],
                    "bytes_read": facts["bytes"],
                }
            if row["started_at"]:
                values["duration_ms"] = round((now - row["started_at"].timestamp()) * 1000)
            move(connection, "manual", row, Act.COMPLETE, **values)

    # --- chunks ---

    def _load_all(self, settings: Settings, name: str, portions: Iterator[Portion]) -> None:
        loader = ChunkLoader(settings, self._spec, self._watch)
        try:
            self._go_on()
            for sources, position in portions:
                self._sequence += 1
                self._load_chunk(loader, f"{name}, chunk {self._sequence}", sources, position)
                self._is_fresh = True
                self._go_on()
        finally:
            loader.close()

    def _load_chunk(self, loader: ChunkLoader, name: str, sources: list[Source], position: str) -> None:
        lease = self._lease
        query_id = f"schoolhouse_backfill_{lease.kind}_{lease.id}_{self._sequence}_{lease.token}"
        chunk = Chunk(name, self._sequence, query_id, sources, is_redone=not self._is_fresh)
        result = self._load_patiently(loader, chunk, position)
        if result.is_stopped and self._watch.order != "cancel":
            raise Stopped  # nothing is recorded: the next worker does the chunk again, and it counts once
        ended = Ended("cancelled" if result.is_stopped else "completed", result)
        if record_chunk(self._engine, lease, chunk, ended, position) != "go":
            raise Stopped

    def _load_patiently(self, loader: ChunkLoader, chunk: Chunk, position: str) -> ChunkResult:
        """Load a chunk; while ClickHouse or S3 is away, wait and try again."""
        started = time.monotonic()
        wait = 1.0
        while True:
            try:
                return loader.load(chunk)
            except SchoolhouseError as error:
                waited = time.monotonic() - started
                if self._watch.stops_now:
                    raise Stopped from None
                if not error.is_retryable or waited >= self._settings.backfill_outage_seconds:
                    ended = Ended("failed", ChunkResult(seconds=waited), error.message)
                    record_chunk(self._engine, self._lease, chunk, ended, position)
                    raise
                log.warning("a chunk waits", extra={"chunk": chunk.name, "reason": error.message, "seconds": wait})
                self._watch.wait(wait)
                self._go_on()
                wait = min(wait * 2, _LONGEST_WAIT_SECONDS)
                chunk = Chunk(chunk.name, chunk.index, chunk.query_id, chunk.sources, is_redone=True)


def _portions(found: Iterator[Any], size: int) -> Iterator[Portion]:
    """Wanted objects in chunks; the position behind a chunk is the row of its last object."""
    waiting: list[tuple[int, Source]] = []
    for page in found:
        waiting += page.sources
        while len(waiting) >= size:
            chunk, waiting = waiting[:size], waiting[size:]
            yield [source for _, source in chunk], str(chunk[-1][0])
    if waiting:
        yield [source for _, source in waiting], str(waiting[-1][0])
