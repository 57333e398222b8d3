"""Connections that do not get to the point are closed.

aiohttp has no time limit for a request's head: a client that sends one byte a
second, or nothing, holds its connection for ever. Here the head must be whole 5 s
after its first byte (or after connecting). Bodies have their own limit (bodies.py).
"""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import uuid4

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from typing_extensions import override

from opseer_gateway.web.headers import ALWAYS
from opseer_gateway.web.problems import problem

HEAD_SECONDS: Final = 5.0
MOST_CONNECTIONS: Final = 256


class GuardedHandler(RequestHandler):
    """aiohttp's protocol of one connection, with a timer for the head."""

    __slots__ = ("_head_timer",)
    head_seconds = HEAD_SECONDS

    _head_timer: asyncio.TimerHandle | None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timer; refuse where there are too many connections."""
        super().connection_made(transport)
        self._head_timer = None
        if self._manager is None or len(self._manager.connections) > MOST_CONNECTIONS:
            self.force_close()
            return
        self._arm()

    @override
    def data_received(self, data: bytes) -> None:
        """Stop the timer when a head is whole; further bytes do not wind it up."""
        super().data_received(data)
        if self._messages or self._current_request is not None:
            self._disarm()
        else:
            self._arm()

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the timer."""
        self._disarm()
        super().connection_lost(exc)

    @override
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not HTTP with a problem that repeats nothing of it."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        code = "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR"  # noqa: PLR2004
        answer = problem(code, "The request could not be understood.", uuid4().hex)
        answer.set_status(status)
        answer.headers.update(ALWAYS)
        answer.force_close()
        return answer

    def _arm(self) -> None:
        if self._head_timer is None:
            self._head_timer = self._loop.call_later(self.head_seconds, self._late)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _late(self) -> None:
        self._head_timer = None
        if self._current_request is None and not self._messages:
            self.force_close()


class GuardedServer(web.Server):
    """Makes guarded connections."""

    handler: type[GuardedHandler] = GuardedHandler

    @override
    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return self.handler(self, loop=self._loop, **self._kwargs)


class GuardedRunner(web.AppRunner):
    """Runs an application behind guarded connections."""

    @override
    async def _make_server(self) -> web.Server:
        """Put the guard around what aiohttp would make."""
        plain = await super()._make_server()
        return GuardedServer(
            plain.request_handler,
            request_factory=plain.request_factory,
            loop=asyncio.get_running_loop(),
            **self._kwargs,
        )
