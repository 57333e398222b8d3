"""Connections that do not get to the point are closed.

aiohttp has no time limit for a request's head: a client that sends one byte a
second, or nothing, holds its connection for ever, and so does one that asks and never
reads. Here the head must be whole 5 s after its first byte (or after connecting), and
of an answer something must be taken each 20 s. Bodies have their own limit (bodies.py).

Where there are too many connections, a new one takes the place of one whose peer it is
to go on: to ask, to send the rest of a body, or to read. Who is being answered is
never cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from typing_extensions import override

from opseer_gateway.web.headers import ALWAYS
from opseer_gateway.web.problems import problem

HEAD_SECONDS: Final = 5.0
TAKE_SECONDS: Final = 20.0
FLUSH_SECONDS: Final = 2.0
MOST_CONNECTIONS: Final = 256
MOST_WAITING_OF_ONE: Final = 16
"""How many connections one address may hold without going on."""


class GuardedHandler(RequestHandler):
    """aiohttp's protocol of one connection, with timers for the head and the answer."""

    __slots__ = ("_head_timer", "_take_timer", "peer")
    head_seconds = HEAD_SECONDS
    take_seconds = TAKE_SECONDS

    _head_timer: asyncio.TimerHandle | None
    _take_timer: asyncio.TimerHandle | None
    peer: str

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timer, and make room where there are too many connections."""
        super().connection_made(transport)
        self._head_timer = self._take_timer = None
        self.peer = _peer(transport)
        if isinstance(self._manager, GuardedServer) and self._manager.has_room(self):
            self._arm()
        else:
            self.force_close()

    @property
    def is_quiet(self) -> bool:
        """Whether no request is being answered or waits for it."""
        return self._current_request is None and not self._messages

    @property
    def is_waiting(self) -> bool:
        """Whether it is for the peer to go on: to ask, to send the rest, or to read."""
        request = self._current_request
        is_sending = request is not None and not request.content.is_eof()
        return self.is_quiet or is_sending or self.writing_paused

    @property
    def has_asked(self) -> bool:
        """Whether a whole request came before, and the next one has not begun."""
        return self._head_timer is None

    @override
    def data_received(self, data: bytes) -> None:
        """Stop the timer when a head is whole; further bytes do not wind it up."""
        super().data_received(data)
        if self.is_quiet:
            self._arm()
        else:
            self._disarm()

    @override
    def pause_writing(self) -> None:
        """Give the peer some time to read what waits for it."""
        super().pause_writing()
        self._take_timer = self._loop.call_later(self.take_seconds, self.force_close)

    @override
    def resume_writing(self) -> None:
        """Stop that timer."""
        super().resume_writing()
        self._stop_taking()

    @override
    def force_close(self) -> None:
        """Close; what the peer does not take soon is thrown away."""
        transport = self.transport
        super().force_close()
        if transport is not None and transport.get_write_buffer_size():
            self._loop.call_later(FLUSH_SECONDS, transport.abort)

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the timers."""
        self._disarm()
        self._stop_taking()
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

    def _stop_taking(self) -> None:
        if self._take_timer is not None:
            self._take_timer.cancel()
            self._take_timer = None

    def _late(self) -> None:
        self._head_timer = None
        if self.is_quiet:
            self.force_close()


class GuardedServer(web.Server):
    """Makes guarded connections."""

    handler: type[GuardedHandler] = GuardedHandler
    is_shared: Callable[[str], bool] = staticmethod(lambda _: False)

    @override
    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return self.handler(self, loop=self._loop, **self._kwargs)

    def has_room(self, new: GuardedHandler) -> bool:
        """Return whether `new` may stay; a waiting connection may have to go for it."""
        others = [
            one
            for one in self.connections
            if isinstance(one, GuardedHandler)
            and one is not new
            and one.transport is not None
        ]
        waiting = [one for one in others if one.is_waiting]
        if not self.is_shared(new.peer):
            own = [one for one in waiting if one.peer == new.peer]
            if len(own) >= MOST_WAITING_OF_ONE:
                _first(own).force_close()
                return True
        if len(others) < MOST_CONNECTIONS:
            return True
        if waiting:
            _first(waiting).force_close()
        return bool(waiting)


class GuardedRunner(web.AppRunner):
    """Runs an application behind guarded connections."""

    def __init__(
        self,
        app: web.Application,
        *,
        is_shared: Callable[[str], bool] = GuardedServer.is_shared,
        **options: Any,
    ) -> None:
        """`is_shared` tells the addresses that many visitors come from: proxies."""
        super().__init__(app, **options)
        self._is_shared = is_shared

    @override
    async def _make_server(self) -> web.Server:
        """Put the guard around what aiohttp would make."""
        plain = await super()._make_server()
        guarded = GuardedServer(
            plain.request_handler,
            request_factory=plain.request_factory,
            loop=asyncio.get_running_loop(),
            **self._kwargs,
        )
        guarded.is_shared = self._is_shared
        return guarded


def _first(waiting: list[GuardedHandler]) -> GuardedHandler:
    """Return which one goes: the oldest that never asked, else the oldest."""
    return next((one for one in waiting if not one.has_asked), waiting[0])


def _peer(transport: asyncio.BaseTransport) -> str:
    """Return the address at the other end."""
    name = transport.get_extra_info("peername")
    return str(name[0]) if name else ""
