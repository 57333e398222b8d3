"""What serves a channel's API: keys, permissions, limits and faults, then the answer.

How a provider words its refusals is its `Dialect`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from opseer_simulator.broken_answers import html_page, truncated
from opseer_simulator.channels.door import ChannelFault, Door

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ChannelRefusal(Exception):  # noqa: N818 - it is an answer
    """An HTTP error with the provider's body."""

    def __init__(
        self, status: int, body: Any, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


class Dialect(Protocol):
    """How a provider refuses, limits and names its domains."""

    def too_many(self, wait: int) -> ChannelRefusal:
        """Return 429; `wait` seconds."""

    def locked(self) -> ChannelRefusal:
        """Return 423."""

    def broken(self, status: int) -> ChannelRefusal:
        """Return a 5xx."""

    def no_such_route(self, path: str) -> ChannelRefusal:
        """Return 404."""

    def not_allowed(self) -> ChannelRefusal:
        """Return 401."""

    def domain(self, path: str) -> str:
        """Return the rate-limit domain of a path."""

    def headers(self, used: int, most: int | None) -> dict[str, str]:
        """Return the headers of each answer."""


def guarded(door: Door, dialect: Dialect) -> Middleware:
    """Return the middleware of an application behind a door."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path
        door.calls[path] += 1
        if door.latency_ms:
            await asyncio.sleep(door.latency_ms / 1000)
        domain, now = dialect.domain(path), asyncio.get_running_loop().time()
        try:
            response = await _answered(request, handler, door, dialect)
        except ChannelRefusal as refusal:
            response = _refused(refusal)
        except web.HTTPNotFound:
            response = _refused(dialect.no_such_route(path))
        used = door.used(domain, now)
        response.headers.update(dialect.headers(used, door.limits.domains.get(domain)))
        return response

    return answer


async def _answered(
    request: web.Request, handler: Handler, door: Door, dialect: Dialect
) -> web.StreamResponse:
    """Answer a request that its key and the limits allow; ChannelRefusal if not."""
    if not door.opens(key_of(request)):
        raise dialect.not_allowed()
    now = asyncio.get_running_loop().time()
    wait = door.wait(dialect.domain(request.path), now)
    if wait is not None:
        raise dialect.too_many(math.ceil(wait))
    fault = door.next_fault(request.path)
    if fault is None:
        return await handler(request)
    return await _faulty(fault, request, handler, dialect)


async def _faulty(
    fault: ChannelFault, request: web.Request, handler: Handler, dialect: Dialect
) -> web.StreamResponse:
    """Break an answer as the fault says."""
    match fault.kind:
        case "rate_limited":
            raise dialect.too_many(fault.seconds)
        case "locked":
            raise dialect.locked()
        case "server_error":
            raise dialect.broken(fault.status)
        case "html":
            return html_page()
        case "hang":
            await asyncio.sleep(fault.seconds)
            return await handler(request)
        case "truncated":
            return truncated(await handler(request))


def _refused(refusal: ChannelRefusal) -> web.Response:
    response = json_response(refusal.body, refusal.status)
    response.headers.update(refusal.headers)
    return response


def key_of(request: web.Request) -> str:
    """Return the bearer token of a request, or nothing."""
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


def json_response(value: Any, status: int = 200) -> web.Response:
    """Return a JSON answer."""
    return web.Response(
        status=status,
        body=msgspec.json.encode(value),
        content_type="application/json",
    )
