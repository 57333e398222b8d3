"""Routes for operators: health, readiness, and the description of the API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from opseer_gateway.api.description import openapi
from opseer_gateway.web.problems import AWAY
from opseer_gateway.web.routes import Route, answer

Probe = Callable[[], Awaitable[bool]]
_PROBE_SECONDS = 3.0


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
            Route(
                "GET",
                "/readyz",
                self._ready,
                "Ready, or 503 and which part is not",
                answers=Health,
                also=(503,),
                public=True,
            ),
            Route(
                "GET",
                "/api/v1/openapi.json",
                self._describe,
                "This description",
                answers=dict[str, Any],
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
