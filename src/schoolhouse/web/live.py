"""Pages that stay up to date by themselves: one stream of server-sent events a page.

The stream brings the part of the page that changes, rendered here, whenever it has changed. A hidden page closes its
stream, since a browser keeps six connections to a server and no more; a stream ends by itself after some minutes, and
the browser opens it again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from schoolhouse.errors import SchoolhouseError

log = logging.getLogger(__name__)

_STEP_SECONDS: Final = 2.0
_LIFE_SECONDS: Final = 300.0
_HEARTBEAT_SECONDS: Final = 15.0


def live_response(part: Callable[[], str], *, step_seconds: float = _STEP_SECONDS) -> StreamingResponse:
    """A stream of the part of a page that `part` renders; it is asked now and every few seconds."""
    return event_stream(_events(part, step_seconds))


def event_stream(events: AsyncIterator[str]) -> StreamingResponse:
    """A stream of events that no proxy holds back."""
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _events(part: Callable[[], str], step_seconds: float) -> AsyncIterator[str]:
    started = spoken = time.monotonic()
    last = ""
    yield "retry: 2000\n\n"
    while time.monotonic() - started < _LIFE_SECONDS:
        try:
            text = await run_in_threadpool(part)
            event = "part"
        except SchoolhouseError as error:
            text, event = error.message, "problem"
        if text != last:
            last, spoken = text, time.monotonic()
            yield f"event: {event}\ndata: {json.dumps(text)}\n\n"
        elif time.monotonic() - spoken > _HEARTBEAT_SECONDS:
            spoken = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(step_seconds)
