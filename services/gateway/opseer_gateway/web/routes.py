"""A route with what its description needs: one list serves router and OpenAPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from opseer_gateway.web.problems import Handler


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `takes` and `answers` are the shapes of its bodies."""

    method: str
    path: str
    handle: Handler
    summary: str
    takes: type | None = None
    answers: Any = None
    status: int = 200
    query: tuple[str, ...] = ()
    public: bool = False

    def definition(self) -> web.RouteDef:
        """Return it for the router."""
        return web.route(self.method, self.path, self.handle)


def answer(body: object, status: int = 200) -> web.Response:
    """Return a JSON answer."""
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )
