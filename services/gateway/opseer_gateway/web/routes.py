"""A route with what its description needs: one list serves router and OpenAPI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from opseer_gateway.web.problems import Handler, expectation


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `takes` and `answers` are the shapes of its bodies.

    `status` and `also` are its good ones, `forms` what it can answer with beside JSON
    (csv, text, html, events), `refuses` the codes beside those that its method, its
    body and its parameters bring along (api/description.py).
    """

    method: str
    path: str
    handle: Handler
    summary: str
    takes: type | None = None
    answers: Any = None
    status: int = 200
    query: tuple[str, ...] = ()
    public: bool = False
    also: tuple[int, ...] = ()
    forms: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    may_be_empty: bool = False
    """Whether the body may be left out."""


def definitions(routes: Sequence[Route]) -> list[web.RouteDef]:
    """Return them for the router.

    A path answers every method itself, with 405 for those that it lacks: else the
    router would go on to a path with a parameter in the same place.
    """
    methods: dict[str, set[str]] = {}
    for route in routes:
        has = methods.setdefault(route.path, set())
        has |= {route.method, "HEAD"} if route.method == "GET" else {route.method}
    return [
        *(_defined(route.method, route.path, route.handle) for route in routes),
        *(_defined("*", path, _refusing(has)) for path, has in methods.items()),
    ]


def _defined(method: str, path: str, handle: Handler) -> web.RouteDef:
    return web.route(method, path, handle, expect_handler=expectation)


def _refusing(methods: set[str]) -> Handler:
    """Return what answers the methods that are not among a path's own."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        raise web.HTTPMethodNotAllowed(request.method, methods)

    return refuse


def answer(body: object, status: int = 200) -> web.Response:
    """Return a JSON answer."""
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )
