"""Watches over work while an insert runs: beats the lease, shows the engine's progress, and stops the insert on demand.

An insert blocks its thread for seconds or minutes. Meanwhile this thread asks the app's database what the operator
wants; on a cancel, on a lost lease, or when the worker must end, it kills the insert from a handle of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from schoolhouse.backfill.queue import Lease, Order, beat
from schoolhouse.errors import SchoolhouseError
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from schoolhouse.warehouse.statements import statement

log = logging.getLogger(__name__)

_SQL = "schoolhouse.backfill.sql"
_BEAT_SECONDS = 1.0
_SHORT_SECONDS = 1.5  # nobody needs to see how far a shorter insert is


class Watch:
    """A thread beside one piece of work. Use as a context manager."""

    def __init__(
        self, engine: Engine, lease: Lease, settings: Settings, *, must_end: Callable[[], bool] = lambda: False
    ) -> None:
        self._engine = engine
        self._lease = lease
        self._settings = settings
        self._must_end = must_end
        self._finished = threading.Event()
        self._query_id = ""
        self._began = 0.0
        self._order: Order = "go"
        self._ends = False
        self._thread = threading.Thread(target=self._watch, name=f"watch-{lease.kind}-{lease.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finished.set()
        self._thread.join()

    @property
    def order(self) -> Order:
        """What the operator wanted at the last beat."""
        return self._order

    @property
    def stops_now(self) -> bool:
        """Whether the insert under way is not to be finished."""
        return self._order in {"cancel", "lost"} or self._ends

    def inserting(self, query_id: str) -> None:
        """An insert with this query id begins ('': none runs any more)."""
        self._began = time.monotonic()
        self._query_id = query_id

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than the work is wanted."""
        waited = 0.0
        while waited < seconds and not self.stops_now and self._order == "go":
            self._finished.wait(min(0.2, seconds))
            waited += 0.2

    def _watch(self) -> None:
        handle: Warehouse | None = None
        asked = 0.0
        every = min(_BEAT_SECONDS, self._settings.backfill_lease_seconds / 4)
        while not self._finished.wait(every):
            self._ends = self._ends or self._must_end()
            live = None
            try:
                is_long = self._query_id and time.monotonic() - self._began > _SHORT_SECONDS
                if is_long and time.monotonic() - asked > _SHORT_SECONDS:
                    handle = handle or open_warehouse(self._settings, who="backfill watch")
                    live = self._progress(handle)
                    asked = time.monotonic()
                self._beat(live)
                if self.stops_now and self._query_id:
                    handle = handle or open_warehouse(self._settings, who="backfill watch")
                    handle.run(statement("stop_inserts", _SQL), {"tag": self._query_id}, why="stop an insert")
            except SchoolhouseError as error:  # the insert itself will tell
                log.debug("no progress is known", extra={"reason": error.message})
                if handle:
                    handle.close()
                handle = None
                self._beat(None)
        if handle:
            handle.close()

    def _progress(self, handle: Warehouse) -> dict[str, Any]:
        tag = self._query_id
        facts = handle.ask(statement("read_progress", _SQL), {"tag": tag}, why="progress").first()
        return {"query_id": tag, **{name: round(float(value), 1) for name, value in facts.items()}}

    def _beat(self, live: dict[str, Any] | None) -> None:
        try:
            self._order = beat(self._engine, self._lease, seconds=self._settings.backfill_lease_seconds, live=live)
        except SQLAlchemyError as error:  # the lease runs on for a while; what is written later is guarded
            log.warning("the app's database did not answer", extra={"reason": type(error).__name__})
