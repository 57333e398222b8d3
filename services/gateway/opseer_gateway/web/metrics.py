"""How the gateway is doing, in Prometheus' text form. No figure names an account."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aiohttp import hdrs, web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from opseer_gateway.web.problems import Handler

_UNKNOWN: Final = "unknown"
_GAUGES: Mapping[str, str] = MappingProxyType(
    {
        "outbox_messages": "Messages that wait for the bus.",
        "connections": "Sources that are connected.",
        "key_openings": "How often keys were opened within 24 hours.",
        "key_alarms": "Keys that were opened too often in an hour of the last 24.",
    }
)
_SECONDS: Final = (0.005, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


class Metrics:
    """Counts requests by the route's pattern, never by what was asked for."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "opseer_http_requests",
            "Requests that were answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "opseer_http_request_seconds",
            "From a request to the end of its answer.",
            ("route",),
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._found: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._gauges = {
            name: Gauge(f"opseer_{name}", words, registry=self._registry)
            for name, words in _GAUGES.items()
        }

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Count the request, with the status that all other middlewares left."""
        began = time.perf_counter()
        answer = await handler(request)
        self.count(request, answer, time.perf_counter() - began)
        return answer

    def count(
        self, request: web.Request, answer: web.StreamResponse, seconds: float
    ) -> None:
        """Count a request that was answered in `seconds`."""
        resource = request.match_info.route.resource
        route = _UNKNOWN if resource is None else resource.canonical
        method = request.method if request.method in hdrs.METH_ALL else _UNKNOWN
        requests, durations = self._of(method, route, answer.status)
        requests.inc()
        # A stream takes as long as its reader wants.
        if isinstance(answer, web.Response):
            durations.observe(seconds)

    def _of(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """Return what counts such requests; finding it by labels takes its time."""
        key = method, route, status
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = (
                self._requests.labels(method, route, str(status)),
                self._seconds.labels(route),
            )
        return found

    def text(self, measured: Mapping[str, int]) -> bytes:
        """Return everything, with the gauges as they were `measured` now."""
        for name, value in measured.items():
            self._gauges[name].set(value)
        return generate_latest(self._registry)
