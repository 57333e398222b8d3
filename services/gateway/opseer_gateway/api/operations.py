"""Routes for operators: health, readiness, and the description of the API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from opseer_gateway.web.problems import AWAY, Problem
from opseer_gateway.web.routes import Route, answer

Probe = Callable[[], Awaitable[bool]]
_PROBE_SECONDS = 3.0
_VERSION = "0.1.0"


class Health(msgspec.Struct, frozen=True):
    """Whether the process lives, or each part that it needs answers."""

    status: str
    parts: dict[str, bool] = {}


class OperationRoutes:
    """The handlers."""

    def __init__(self, probes: dict[str, Probe], described: list[Route]) -> None:
        """Ask `probes` for readiness; describe `described` and these routes."""
        self._probes = {part: _Asked(probe) for part, probe in probes.items()}
        self.document = openapi([*described, *self.routes()])
        """The OpenAPI document."""
        self._openapi = msgspec.json.encode(self.document)

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        return [
            Route(
                "GET", "/healthz", self._health, "Alive", answers=Health, public=True
            ),
            Route("GET", "/readyz", self._ready, "Ready", answers=Health, public=True),
            Route(
                "GET",
                "/api/v1/openapi.json",
                self._describe,
                "This description",
                public=True,
            ),
        ]

    async def _health(self, _: web.Request) -> web.Response:
        return answer(Health("ok"))

    async def _ready(self, _: web.Request) -> web.Response:
        asked = (probe.answers() for probe in self._probes.values())
        found = await asyncio.gather(*asked)
        parts = dict(zip(self._probes, found, strict=True))
        if all(found):
            return answer(Health("ok", parts))
        return answer(Health("unavailable", parts), 503)

    async def _describe(self, _: web.Request) -> web.Response:
        return web.Response(body=self._openapi, content_type="application/json")


class _Asked:
    """A probe that never keeps its caller: a part that hangs is not ready.

    Cancelling does not help there: asyncpg waits for the server even then.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._asking: asyncio.Task[bool] | None = None

    async def answers(self) -> bool:
        """Return whether the part answers in time; asks once at a time."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        done, _ = await asyncio.wait({self._asking}, timeout=_PROBE_SECONDS)
        return bool(done) and self._asking.result()

    async def _ask(self) -> bool:
        try:
            return await self._probe()
        except AWAY:
            return False


def openapi(routes: list[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of `routes`, from the shapes that they use."""
    shapes = [shape for route in routes for shape in (route.takes, route.answers)]
    known = [shape for shape in dict.fromkeys(shapes) if shape is not None]
    schemas, components = msgspec.json.schema_components(
        [*known, Problem], ref_template="#/components/schemas/{name}"
    )
    by_shape = dict(zip([*known, Problem], schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operations = paths.setdefault(route.path, {})
        operations[route.method.lower()] = _operation(route, by_shape)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Opseer", "version": _VERSION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "opseer_session"},
            },
        },
        "security": [{"token": []}, {"session": []}],
    }


def _operation(route: Route, by_shape: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    """Return one operation."""
    good: dict[str, Any] = {"description": route.summary}
    if route.answers is not None:
        good["content"] = {"application/json": {"schema": by_shape[route.answers]}}
    bad = {"application/problem+json": {"schema": by_shape[Problem]}}
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ] + [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in route.query
    ]
    found: dict[str, Any] = {
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            str(route.status): good,
            "default": {"description": "An error", "content": bad},
        },
    }
    if route.takes is not None:
        content = {"application/json": {"schema": by_shape[route.takes]}}
        found["requestBody"] = {"required": True, "content": content}
    if route.public:
        found["security"] = []
    return found
