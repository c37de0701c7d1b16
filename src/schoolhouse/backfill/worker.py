"""Workers: threads that claim work and do it, in `serve` or in `schoolhouse worker`, on as many machines as wanted.

A worker keeps nothing of its own. Killed, its leases run out and others go on; told to stop, it gives its work a moment
to end a chunk, then kills the insert and hands the work back. With the embedded engine only the process that holds the
warehouse can work.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from schoolhouse.backfill.jobs import do
from schoolhouse.backfill.notices import tell_of_ended_runs
from schoolhouse.backfill.queue import claim, is_anything_left
from schoolhouse.errors import SchoolhouseError
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import open_warehouse

log = logging.getLogger(__name__)

_IDLE_SECONDS: Final = 1.0
_LONGEST_WAIT_SECONDS: Final = 30.0
_GRACE_SECONDS: Final = 5.0


class Worker:
    """Threads over one queue. `start` and `stop` them, or `run` until nothing is left to do."""

    def __init__(
        self, engine: Engine, settings: Settings, *, threads: int, grace_seconds: float = _GRACE_SECONDS
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._grace_seconds = grace_seconds
        self._stopping = threading.Event()
        self._stops_at = float("inf")
        self._until_idle = False
        self._busy = 0
        self._lock = threading.Lock()
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"backfill-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begin, in the background."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Claim no more; what is under way ends its chunk, or is handed back after a moment."""
        self._stops_at = time.monotonic() + self._grace_seconds
        self._stopping.set()

    def join(self) -> None:
        """Wait until every thread has ended."""
        for thread in self._threads:
            while thread.is_alive():  # with a time-out, so that the main thread can take signals
                thread.join(timeout=0.5)

    def run(self, *, until_idle: bool = False) -> None:
        """Work in the foreground until `stop`, or until nothing is left to do if told so.

        Raises:
            WarehouseError: there is no warehouse, or another process holds it.
        """
        self._until_idle = until_idle
        with open_warehouse(self._settings, who="backfill worker"):  # held, so that the embedded engine stays up
            self.start()
            self.join()

    def _must_end(self) -> bool:
        return time.monotonic() > self._stops_at

    def _work(self, number: int) -> None:
        wait = _IDLE_SECONDS
        while not self._stopping.is_set():
            try:
                was_busy = self._work_once(number)
                wait = _IDLE_SECONDS
            except (SchoolhouseError, SQLAlchemyError) as error:
                reason = error.message if isinstance(error, SchoolhouseError) else type(error).__name__
                log.warning("a worker of backfills waits", extra={"reason": reason, "seconds": wait})
                was_busy = False
                wait = min(wait * 2, _LONGEST_WAIT_SECONDS)
            except Exception:  # `do` ends an attempt that surprises it; nothing else may end the workers of all
                log.exception("a worker of backfills failed unexpectedly and goes on")
                was_busy = False
            if not was_busy:
                if self._until_idle and self._is_idle():
                    return
                self._stopping.wait(wait)

    def _work_once(self, number: int) -> bool:
        """Do one piece of work, if there is any; and tell of runs that have ended."""
        with self._lock:
            self._busy += 1
        try:
            lease = claim(self._engine, f"{self._owner}:{number}", seconds=self._settings.backfill_lease_seconds)
            if lease is not None:
                do(self._engine, lease, self._settings, must_end=self._must_end)
            tell_of_ended_runs(self._engine, self._settings)
            return lease is not None
        finally:
            with self._lock:
                self._busy -= 1

    def _is_idle(self) -> bool:
        """Whether nothing is left that a worker could do now or soon."""
        with self._lock:
            return not self._busy and not is_anything_left(self._engine)
