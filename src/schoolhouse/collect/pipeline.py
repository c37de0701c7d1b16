"""The upload pipeline: bundles in, batches out to wherever XAPI_ETL_MODE says, nothing lost in between.

    with Pipeline(settings) as pipeline:
        pipeline.send(Bundle(BundleGroup("section", "42", "page_viewed"), b'{"actor":…}\\n{"actor":…}'))

`send` returns when the bundle is safe in the spool. From there processors (XAPI_PROCESSOR_CONCURRENCY threads) seal
batches of one section and category, and batchers (XAPI_BATCHER_CONCURRENCY threads) deliver them. Between the two is a
queue no longer than the batchers can take up, so nothing is read from the disk before somebody can carry it. What fails
goes back to the spool and is tried again after 1, 2, 4 … seconds, at most five minutes, for as long as it takes.

Any number of pipelines, in one process or many, may work on one spool: a batch belongs to whoever holds its lease, and
the lease of a process that died runs out. So each batch arrives at least once.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any, Final, Self

from schoolhouse.collect.spool import LEASE_SECONDS, Batch, Bundle, Condition, Spool, SpoolStats, read_stats
from schoolhouse.collect.uploaders import Uploader, make_uploader
from schoolhouse.errors import SchoolhouseError, UploadFailed
from schoolhouse.settings import Settings
from schoolhouse.warehouse.pseudonyms import pseudonyms_for

_IDLE_SECONDS: Final = 1.0  # how soon batches of a dead process, or due again, are noticed
_LONGEST_WAIT_SECONDS: Final = 300.0
_TIDY_SECONDS: Final = 60.0

log = logging.getLogger(__name__)


class Pipeline:
    """The pipeline of one process. Enter it, or `start` and `stop` it."""

    def __init__(
        self, settings: Settings, *, uploader: Uploader | None = None, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._settings = settings
        self._pseudonyms = pseudonyms_for(settings)
        self._uploader = uploader or make_uploader(settings)
        self._lease_seconds = lease_seconds
        self._spool = Spool(
            settings.spool_file,
            prefix=settings.bundle_prefix,
            max_bytes=settings.spool_max_bytes,
            lease_seconds=lease_seconds,
        )
        self._hand_over: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()  # as long as `_free` lets it grow
        self._free = threading.Semaphore(settings.batcher_concurrency)
        self._in_hand = 0
        self._in_hand_lock = threading.Lock()
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._draining = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the threads."""
        settings = self._settings
        jobs = [self._process] * settings.processor_concurrency + [self._deliver] * settings.batcher_concurrency
        self._threads = [threading.Thread(target=job, name=f"pipeline-{n}", daemon=True) for n, job in enumerate(jobs)]
        self._threads.append(threading.Thread(target=self._keep, name="pipeline-keeper", daemon=True))
        for thread in self._threads:
            thread.start()

    def send(self, *bundles: Bundle, condition: Condition | None = None) -> None:
        """Accept bundles, all or none, unless the condition has an error; they are on the disk when this returns.

        Raises:
            SpoolFull: too much waits already; try again later.
            UploadFailed: the spool's disk refuses.
        """
        if self._stopping.is_set():
            raise UploadFailed("The pipeline has been stopped.")
        if self._pseudonyms:
            bundles = tuple(replace(bundle, body=self._pseudonyms.lines(bundle.body)) for bundle in bundles)
        self._spool.accept(bundles, condition)
        self._news.set()

    def drain(self, timeout_seconds: float) -> bool:
        """Deliver all that waits now, without waiting for batches to fill; whether nothing was left or failed."""
        deadline = time.monotonic() + timeout_seconds
        failures = self.stats().failed_attempts
        self._spool.retry_now()
        self._draining.set()
        self._news.set()
        try:
            while time.monotonic() < deadline:
                stats = self.stats()
                if stats.failed_attempts > failures and not (stats.queued or self._in_hand):
                    return False
                if not (stats.queued or stats.in_flight or stats.retrying):
                    return True
                time.sleep(0.02)
            return False
        finally:
            self._draining.clear()

    def stop(self) -> None:
        """Deliver what waits, for XAPI_DRAIN_TIMEOUT_SECONDS at most, and stop; the rest stays in the spool."""
        if self._stopping.is_set():
            return
        seconds = self._settings.drain_seconds
        if self._threads and seconds:
            self.drain(seconds)
        self._stopping.set()
        self._news.set()
        for _ in range(self._settings.batcher_concurrency):
            self._hand_over.put(None)
        for thread in self._threads:
            thread.join(timeout=self._lease_seconds)
        if not any(thread.is_alive() for thread in self._threads):
            self._spool.release()
            self._uploader.close()
            self._spool.close()
        stats = self.stats()
        if self._threads and (stats.queued or stats.in_flight or stats.retrying):
            log.warning("bundles stay in the spool until the next start", extra={"spool": self._settings.spool_file})

    def stats(self) -> SpoolStats:
        """What waits and what went through."""
        return read_stats(self._settings.spool_file)

    def _process(self) -> None:
        """Seal batches and hand them to batchers, as many as are free."""
        while not self._stopping.is_set():
            if not self._free.acquire(timeout=_IDLE_SECONDS):
                continue
            free = 1
            while free < self._settings.batcher_concurrency and self._free.acquire(blocking=False):
                free += 1
            batches = self._claim(free)
            for batch in batches:
                self._hand_over.put(batch)
            for _ in range(free - len(batches)):
                self._free.release()
            if not batches:
                self._news.wait(timeout=min(_IDLE_SECONDS, max(self._settings.batch_timeout_ms / 2000, 0.01)))
                self._news.clear()

    def _claim(self, limit: int) -> list[Batch]:
        with self._in_hand_lock:  # so that `drain` never sees a batch neither waiting nor in hand
            try:
                batches = self._spool.claim(
                    limit=limit,
                    batch_size=self._settings.batch_size,
                    timeout_seconds=0 if self._draining.is_set() else self._settings.batch_timeout_ms / 1000,
                )
            except SchoolhouseError as error:
                log.error("cannot read the spool", extra={"reason": error.message})  # noqa: TRY400 - ours need no trace
                return []
            self._in_hand += len(batches)
            return batches

    def _deliver(self) -> None:
        """Carry batches, one at a time."""
        while batch := self._hand_over.get():
            try:
                self._carry(batch)
            finally:
                with self._in_hand_lock:
                    self._in_hand -= 1
                self._free.release()
                self._news.set()

    def _carry(self, batch: Batch) -> None:
        started = time.perf_counter()
        facts: dict[str, Any] = {"key": str(batch.key), "bundles": batch.bundles, "statements": batch.statements}
        try:
            self._uploader.deliver(batch)
        except SchoolhouseError as error:
            self._give_back(batch, str(error), facts)
        except Exception as error:
            log.exception("a batch could not be delivered", extra=facts)
            self._give_back(batch, type(error).__name__, facts)
        else:
            try:
                self._spool.delivered([batch])
            except SchoolhouseError as error:  # its lease runs out, and it is delivered again
                log.error("the spool refuses", extra={"reason": error.message})  # noqa: TRY400
            log.info("delivered a batch", extra={**facts, "seconds": round(time.perf_counter() - started, 3)})

    def _give_back(self, batch: Batch, reason: str, facts: dict[str, Any]) -> None:
        wait = min(2.0**batch.attempts, _LONGEST_WAIT_SECONDS) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
        log.warning("a batch must wait", extra={**facts, "reason": reason, "wait_seconds": round(wait, 1)})
        try:
            self._spool.failed(batch, reason, wait_seconds=wait)
        except SchoolhouseError as error:  # its lease runs out instead
            log.error("the spool refuses", extra={"reason": error.message})  # noqa: TRY400

    def _keep(self) -> None:
        """Prolong leases while batches are carried, and tidy the spool."""
        tidied = time.monotonic()
        while not self._stopping.wait(timeout=self._lease_seconds / 4):
            try:
                if self._in_hand:
                    self._spool.renew()
                if time.monotonic() - tidied > _TIDY_SECONDS:
                    self._spool.tidy()
                    tidied = time.monotonic()
            except SchoolhouseError as error:
                log.error("the spool refuses", extra={"reason": error.message})  # noqa: TRY400


def pipeline_stats(settings: Settings) -> dict[str, Any]:
    """The statistics of the pipeline that these settings name, whether it runs or not."""
    return {"mode": settings.etl_mode, "spool": str(settings.spool_file), **asdict(read_stats(settings.spool_file))}
