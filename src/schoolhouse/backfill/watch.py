"""Watches over work while an insert runs: beats the lease, shows the engine's progress, and stops the insert on demand.

An insert blocks its thread for seconds or minutes. Meanwhile one thread beats the lease and asks the app's database
what the operator wants. Another speaks to ClickHouse, by a handle of its own: it asks how far the insert is, and on a
cancel, on a lost lease, or when the worker must end, kills it. They are two, as a ClickHouse that does not answer must
not cost a living worker its lease.
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
_ANSWER_SECONDS = 10  # progress that takes longer is none; work that has ended waits for an answer that is under way


class Watch:
    """Two threads beside one piece of work. Use as a context manager."""

    def __init__(
        self, engine: Engine, lease: Lease, settings: Settings, *, must_end: Callable[[], bool] = lambda: False
    ) -> None:
        self._engine = engine
        self._lease = lease
        self._settings = settings
        self._must_end = must_end
        self._every = min(_BEAT_SECONDS, settings.backfill_lease_seconds / 4)
        self._finished = threading.Event()
        self._has_asked = threading.Event()
        self._query_id = ""
        self._began = 0.0
        self._live: dict[str, Any] = {}
        self._order: Order = "go"
        self._ends = False
        name = f"{lease.kind}-{lease.id}"
        self._beats = threading.Thread(target=self._beat_until_finished, name=f"beats-{name}", daemon=True)
        self._asks = threading.Thread(target=self._ask_until_finished, name=f"watch-{name}", daemon=True)

    def __enter__(self) -> Self:
        self._beats.start()
        self._asks.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finished.set()
        self._asks.join()  # the lease is still beaten meanwhile
        self._has_asked.set()
        self._beats.join()

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

    def _beat_until_finished(self) -> None:
        while not self._has_asked.wait(self._every):
            self._ends = self._ends or self._must_end()
            live, self._live = self._live, {}
            is_current = live and live["query_id"] == self._query_id
            try:
                self._order = beat(
                    self._engine,
                    self._lease,
                    seconds=self._settings.backfill_lease_seconds,
                    live=live if is_current else None,
                )
            except SQLAlchemyError as error:  # the lease runs on for a while; what is written later is guarded
                log.warning("the app's database did not answer", extra={"reason": type(error).__name__})

    def _ask_until_finished(self) -> None:
        handle: Warehouse | None = None
        asked = 0.0
        settings = self._settings.model_copy(update={"clickhouse_timeout_seconds": _ANSWER_SECONDS})
        while not self._finished.wait(self._every):
            tag, now = self._query_id, time.monotonic()
            is_shown = now - self._began > _SHORT_SECONDS and now - asked > _SHORT_SECONDS
            if not tag or not (is_shown or self.stops_now):
                continue
            try:
                handle = handle or open_warehouse(settings, who="backfill watch")
                if self.stops_now:
                    handle.run(statement("stop_inserts", _SQL), {"tag": tag}, why="stop an insert")
                else:
                    self._live = self._progress(handle, tag)
                    asked = time.monotonic()
            except SchoolhouseError as error:  # the insert itself will tell
                log.debug("no progress is known", extra={"reason": error.message})
                if handle:
                    handle.close()
                handle = None
        if handle:
            handle.close()

    def _progress(self, handle: Warehouse, tag: str) -> dict[str, Any]:
        facts = handle.ask(statement("read_progress", _SQL), {"tag": tag}, why="progress").first()
        return {"query_id": tag, **{name: round(float(value), 1) for name, value in facts.items()}}
