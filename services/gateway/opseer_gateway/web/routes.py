"""A route with what its description needs: one list serves router and OpenAPI."""

from __future__ import annotations

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

    def definition(self) -> web.RouteDef:
        """Return it for the router."""
        return web.route(
            self.method, self.path, self.handle, expect_handler=expectation
        )


def answer(body: object, status: int = 200) -> web.Response:
    """Return a JSON answer."""
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )
