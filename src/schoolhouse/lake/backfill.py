"""Many windows: those of a span of time, oldest first. A window that fails does not stop the others.

Working on a span again is about the windows that were loaded; those that never were are told, and passed over.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from schoolhouse.errors import SchoolhouseError, UsageError
from schoolhouse.lake import window as windows
from schoolhouse.lake.clock import Window, now, window_of
from schoolhouse.lake.clock import windows as hours
from schoolhouse.lake.ledger import Done, Ledger
from schoolhouse.lake.window import Outcome

if TYPE_CHECKING:
    from schoolhouse.lake.zones import Lake

log = logging.getLogger(__name__)

SKIPPED: Final = "skipped"  # what `Outcome.did` says of a window that was never loaded, and cannot be worked on again
NEVER_LOADED: Final = "never loaded"


@dataclass(frozen=True)
class Failure:
    """A window that could not be loaded, and why."""

    dataset: str
    window: Window
    error: SchoolhouseError


def run(
    lake: Lake, since: datetime, until: datetime, names: list[str], *, again: bool = False
) -> Iterator[Outcome | Failure]:
    """Load every window that starts in `[since, until)`, of each dataset.

    Raises:
        UsageError: nothing starts in the span, or it has not begun, or there is nothing in it to work on again.
    """
    wanted = list(hours(since, min(until, window_of(now()).end)))
    if not wanted:
        raise UsageError(f"No window has begun in [{since:%Y-%m-%dT%H:%M}, {until:%Y-%m-%dT%H:%M}).")
    skipped = 0
    for hour in wanted:
        for name in names:
            try:
                if again and Ledger(lake).last_plan(name, hour) is None:
                    skipped += 1
                    yield Outcome(name, hour, SKIPPED, NEVER_LOADED, Done(state=NEVER_LOADED), is_ended=False)
                else:
                    yield windows.run(lake, name, hour, again=again)
            except UsageError:
                raise
            except SchoolhouseError as error:
                yield Failure(name, hour, error)
    if skipped == len(wanted) * len(names):
        raise UsageError(
            f"Nothing was ever loaded of {', '.join(names)} in [{since:%Y-%m-%dT%H:%M}, {until:%Y-%m-%dT%H:%M}).",
            hint="Run it without --again.",
        )


def due(lake: Lake, hours_back: int) -> tuple[datetime, datetime]:
    """The span of windows that a run from cron looks at: those closed by now, and `hours_back` before them.

    Windows that are loaded cost nothing; one that failed, or that nobody ran, is caught up.
    """
    newest = window_of(now() - timedelta(seconds=lake.settings.lake_grace_seconds)).start
    return newest - timedelta(hours=hours_back), newest
