"""Numbers for Prometheus at `/metrics`: requests by route, the upload pipeline, and whether the warehouse answers.

Routes are named by their pattern (`/sections/{slug}`), so no section and no learner becomes a label.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schoolhouse.collect.pipeline import pipeline_stats
from schoolhouse.errors import SchoolhouseError
from schoolhouse.settings import Settings
from schoolhouse.web.access import Admin
from schoolhouse.web.failures import ErrorBody
from schoolhouse.web.state import state_of

router = APIRouter(responses={"default": {"model": ErrorBody, "description": "What went wrong, and what to do."}})

_SECONDS: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """What one app counts."""

    def __init__(self, settings: Settings) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("schoolhouse_requests", "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "schoolhouse_request_seconds",
            "Seconds from a request to the start of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._ready = Gauge("schoolhouse_warehouse_answers", "1 when the warehouse answers.", registry=self.registry)
        self.registry.register(_Pipeline(settings))

    def text(self, *, is_ready: bool) -> bytes:
        """Everything in Prometheus's text format."""
        self._ready.set(int(is_ready))
        return generate_latest(self.registry)


class _Pipeline(Collector):
    """What waits in the upload pipeline, read when somebody asks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: names follow from what the pipeline tells."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge for each number."""
        try:
            found = pipeline_stats(self._settings)
        except SchoolhouseError:
            return
        for name, value in found.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield GaugeMetricFamily(
                    f"schoolhouse_pipeline_{name}", "See `schoolhouse pipeline stats`.", value=value
                )


class Measured:
    """ASGI middleware that counts requests and times them."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "unknown")
                self._metrics.requests.labels(scope["method"], route, message["status"]).inc()
                self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, note)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request, _: Admin) -> Response:
    """Numbers for Prometheus."""
    state = state_of(request)
    try:
        with state.readers.lend("metrics") as warehouse:
            warehouse.ask("SELECT 1", why="metrics")
        is_ready = True
    except SchoolhouseError:
        is_ready = False
    return Response(request.app.state.metrics.text(is_ready=is_ready), media_type=CONTENT_TYPE_LATEST)
