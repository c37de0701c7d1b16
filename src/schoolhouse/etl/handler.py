"""The one handler: picks the mode of a payload and answers. AWS Lambda, the worker and the command line call it."""

from __future__ import annotations

from typing import Any, Self

from schoolhouse.etl.bulk import run_bulk
from schoolhouse.etl.event import run_event
from schoolhouse.etl.health import check_health, diagnose
from schoolhouse.etl.objects import ObjectLoader, TimeLeft, no_end
from schoolhouse.etl.payloads import mode_of
from schoolhouse.settings import Settings


class Handler:
    """Answers payloads, one at a time. Keeps its clients between calls; use as a context manager, or `close` it."""

    def __init__(self, settings: Settings, *, who: str = "etl") -> None:
        self._loader = ObjectLoader(settings, who=who)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the clients."""
        self._loader.close()

    def handle(self, payload: Any, *, time_left: TimeLeft = no_end) -> dict[str, Any]:
        """Answer a payload; `time_left` tells how many seconds are left to do so.

        Raises:
            PayloadError: no mode understands the payload.
            LoadUnfinished: the payload must be delivered again.
            SchoolhouseError: a bulk run could not list the bucket or ask the warehouse.
        """
        mode = mode_of(payload)
        if mode == "health_check":
            return check_health(self._loader)
        if mode == "diagnostics":
            return diagnose(payload, self._loader)
        if mode == "bulk":
            return run_bulk(payload, self._loader, time_left=time_left)
        return run_event(payload, self._loader, time_left=time_left)
