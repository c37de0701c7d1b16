"""Following: the current hour is kept fresh, a slice every few seconds, by the same code that loads whole windows.

What was read is in the ledger, so a follower that is killed and started again goes on where it was, and a follower
beside `lake run` shares the work. When an hour is over, its last slice closes it and its small files are joined.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from schoolhouse.errors import SchoolhouseError, UsageError
from schoolhouse.lake import upkeep
from schoolhouse.lake import window as windows
from schoolhouse.lake.clock import Window, now, window_of
from schoolhouse.lake.ledger import Ledger

if TYPE_CHECKING:
    from schoolhouse.lake.window import Outcome
    from schoolhouse.lake.zones import Lake

log = logging.getLogger(__name__)
_CATCH_UP_HOURS = 24


class Follower:
    """Loads what is new, again and again, until told to stop."""

    def __init__(self, lake: Lake, names: list[str], *, tell: Callable[[Outcome], None] = lambda _: None) -> None:
        self.lake = lake
        self.names = names
        self.tell = tell
        self.failures = 0
        self._stopping = threading.Event()
        self._open: dict[str, Window] = {}

    def stop(self) -> None:
        """Finish the slice under way, then return from `run`."""
        self._stopping.set()

    def run(self, *, rounds: int = 0) -> None:
        """Look every LAKE_FOLLOW_SECONDS; after `rounds` looks stop by itself (0: never)."""
        looked = 0
        while not self._stopping.is_set():
            for name in self.names:
                self._look(name)
            looked += 1
            if looked == rounds:
                return
            self._stopping.wait(self.lake.settings.lake_follow_seconds)

    def _look(self, name: str) -> None:
        """Load what is new of one dataset; a failure is logged, and tried again at the next look.

        An hour that is over but in its grace is still open, and the hour after it is loaded as well.
        """
        try:
            if name not in self._open:
                self._open[name] = self._first(name)
            window = self._open[name]
            while window.start <= now() and not self._stopping.is_set():
                outcome = windows.run(self.lake, name, window)
                if outcome.did != windows.ALREADY:
                    self.tell(outcome)
                if window == self._open[name] and outcome.is_ended:
                    upkeep.join_day(self.lake, name, window)
                    self._open[name] = Window(window.end)
                window = Window(window.end)
        except UsageError:
            raise
        except SchoolhouseError as error:
            self.failures += 1
            log.warning("a look failed", extra={"dataset": name, "reason": error.message})

    def _first(self, name: str) -> Window:
        """The oldest hour of the last day that is still open, or the hour of now."""
        current = window_of(now())
        since = current.start - timedelta(hours=_CATCH_UP_HOURS)
        rows = Ledger(self.lake).rows(since, current.end, name)
        plans = rows.filter(kind="plan")["window_start"].unique().sort()
        for start in plans:
            window = Window(start)
            if not Ledger(self.lake).standing(name, window).is_ended:
                return window
        return Window(plans[-1] + timedelta(hours=1)) if len(plans) else current
