"""Hours: the windows that the lake is loaded by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schoolhouse.errors import UsageError

HOUR = timedelta(hours=1)
_YEARS = range(1970, 3000)  # Kafka counts from 1970; at the end of all dates, an hour has no end


@dataclass(frozen=True, order=True)
class Window:
    """One hour, `[start, end)`, in UTC."""

    start: datetime

    def __str__(self) -> str:
        return self.start.strftime("%Y-%m-%dT%H")

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return self.start + HOUR

    @property
    def before(self) -> Window:
        """The hour before."""
        return Window(self.start - HOUR)


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def window_of(moment: datetime) -> Window:
    """The hour that a moment is in."""
    return Window(moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0))


def read_moment(text: str) -> datetime:
    """A moment as people write it: `2024-01-31`, `2024-01-31T14`, `2024-01-31T14:00`, or with seconds and zone.

    Raises:
        UsageError: it is none of these, or lies before 1970 or after 2999.
    """
    cleaned = text.strip().replace("Z", "+00:00")
    if len(cleaned) == len("2024-01-31T14") and cleaned[10] in "T ":
        cleaned += ":00"
    try:
        moment = datetime.fromisoformat(cleaned)
    except ValueError:
        raise UsageError(f"{text!r} is no time.", hint="Write 2024-01-31 or 2024-01-31T14.") from None
    if moment.year not in _YEARS:
        raise UsageError(f"{text!r} lies outside the years {_YEARS[0]} to {_YEARS[-1]}.")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def read_window(text: str) -> Window:
    """The window that starts at a moment as people write it.

    Raises:
        UsageError: it is no time, or not a full hour.
    """
    moment = read_moment(text)
    if moment != window_of(moment).start:
        raise UsageError(f"{text!r} is not a full hour.", hint="A window starts at a full hour: 2024-01-31T14.")
    return Window(moment)


def windows(since: datetime, until: datetime) -> Iterator[Window]:
    """Every hour that starts in `[since, until)`."""
    window = window_of(since)
    if window.start < since:
        window = Window(window.end)
    while window.start < until:
        yield window
        window = Window(window.end)
