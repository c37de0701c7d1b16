"""A pool of read-only handles, for callers with many threads.

A handle runs one call at a time, so each question borrows one. All carry the same limits, so no page can hold the
engine for long, and a tag that says for whom and why they run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from schoolhouse.analytics.slow_questions import SlowQuestions
from schoolhouse.errors import QueryError, WarehouseNotReady, WarehouseUnavailable
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Answer, Parameters, Warehouse, open_warehouse

# Limits of one question from a page: seconds, and rows of the answer.
LIMITS: Final[Mapping[str, Any]] = {
    "max_execution_time": 30,
    "max_result_rows": 100_000,
    "result_overflow_mode": "throw",
    "max_threads": 2,
}
_WAIT_SECONDS: Final = 30
_MISSING_CODES: Final = frozenset({60, 81})  # the engine's: unknown table, unknown database


class Readers:
    """Up to `size` read-only handles on one warehouse, opened as they are needed. Close it at the end."""

    def __init__(self, settings: Settings, *, size: int = 4, wait_seconds: float = _WAIT_SECONDS) -> None:
        self.settings = settings
        self.slow = SlowQuestions()
        self._free = threading.BoundedSemaphore(size)
        self._wait_seconds = wait_seconds
        self._idle: list[Warehouse] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def ask(self, sql: str, parameters: Parameters | None = None, *, who: str, why: str) -> Answer:
        """Run one SELECT of ours within LIMITS; see `Warehouse.ask`.

        Raises:
            WarehouseNotReady: the engine does not know one of our own tables, or there is no embedded warehouse.
        """
        started = time.perf_counter()
        with self.lend(who) as warehouse:
            try:
                answer = warehouse.ask(sql, parameters, why=why, limits=LIMITS)
            except QueryError as error:
                self.slow.note(who, why, time.perf_counter() - started, error.code)
                if error.engine_code not in _MISSING_CODES:
                    raise
                raise WarehouseNotReady(
                    "The warehouse lacks its tables.", hint="Run `schoolhouse warehouse setup`."
                ) from None
        self.slow.note(who, why, answer.seconds)
        return answer

    @contextmanager
    def lend(self, who: str) -> Iterator[Warehouse]:
        """A handle for one caller at a time.

        Raises:
            WarehouseUnavailable: all handles stayed busy, or the server does not answer.
            WarehouseNotReady: there is no embedded warehouse.
        """
        if not self._free.acquire(timeout=self._wait_seconds):
            raise WarehouseUnavailable("All handles on the warehouse are busy.", hint="Try again in a moment.")
        try:
            warehouse = self._take()
            warehouse.who = who
            try:
                yield warehouse
            except WarehouseUnavailable:
                warehouse.close()  # its connection may be broken: the next caller gets a new one
                raise
            except BaseException:
                self._give_back(warehouse)
                raise
            self._give_back(warehouse)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close every handle; one that is lent closes when it comes back."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for warehouse in idle:
            warehouse.close()

    def _take(self) -> Warehouse:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return open_warehouse(self.settings, role="reader")

    def _give_back(self, warehouse: Warehouse) -> None:
        with self._lock:
            if not self._is_closed:
                self._idle.append(warehouse)
                return
        warehouse.close()
