"""Routes for connections to providers."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final
from uuid import UUID

import msgspec
from aiohttp import web

from opseer_common.contracts import Source
from opseer_gateway.actions.connections import Connections
from opseer_gateway.actions.reading import Reading
from opseer_gateway.domain.changes import SettingsChange
from opseer_gateway.domain.integrations import SOURCES, Integration
from opseer_gateway.domain.refusals import WaitError, not_found
from opseer_gateway.web.bodies import read_json
from opseer_gateway.web.routes import Route, answer
from opseer_gateway.web.sessions import Sessions

_POLL_SECONDS: Final = 0.5
_QUIET_POLLS: Final = 30
MOST_STREAMS: Final = 16
_STREAM_WAIT: Final = 5
_PATH: Final = "/api/v1/integrations/{source}"
_TRIED: Final = (
    "OWNER_REQUIRED",
    "RATE_LIMITED",
    "AUTH_FAILED",
    "MODE_MISMATCH",
    "PROVIDER_UNAVAILABLE",
)
"""What a key that is tried may be refused with."""


class ConnectRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Connects with a provider's key. `replace` allows a key of the other mode."""

    api_key: str
    replace: bool = False


class Integrations(msgspec.Struct, frozen=True):
    """One row per source, connected or not."""

    integrations: list[Integration]


class RunAnswer(msgspec.Struct, frozen=True):
    """The run that was asked for, or the one that is under way."""

    run_id: UUID


class IntegrationRoutes:
    """The handlers."""

    def __init__(
        self, connections: Connections, reading: Reading, sessions: Sessions
    ) -> None:
        """Take the parts that app.py made."""
        self._connections = connections
        self._reading = reading
        self._sessions = sessions
        self._streams: Counter[UUID] = Counter()

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        return [
            Route(
                "GET",
                "/api/v1/integrations",
                self._all,
                "List the payment channels",
                answers=Integrations,
            ),
            Route("GET", _PATH, self._one, "Show a channel", answers=Integration),
            Route(
                "PUT",
                _PATH,
                self._connect,
                "Connect a channel with a key (200 when one was there)",
                takes=ConnectRequest,
                answers=Integration,
                status=201,
                also=(200,),
                refuses=(
                    "INVALID_PREFIX",
                    "INVALID_FORMAT",
                    "SOURCE_NOT_SUPPORTED",
                    *_TRIED,
                ),
            ),
            Route(
                "PUT",
                f"{_PATH}/demo",
                self._connect_demo,
                "Connect demo data: a made-up company (200 when it was there)",
                answers=Integration,
                status=201,
                also=(200,),
                refuses=("ALREADY_CONNECTED", *_TRIED),
            ),
            Route(
                "PATCH",
                _PATH,
                self._change,
                "Change zone, settlement currency or policy",
                takes=SettingsChange,
                answers=RunAnswer,
                status=202,
                refuses=(
                    "OWNER_REQUIRED",
                    "NOT_CONNECTED",
                    "INVALID_TIMEZONE",
                    "INVALID_CURRENCY",
                    "INVALID_POLICY",
                    "INVALID_PROJECT",
                    "INVALID_STORE",
                ),
            ),
            Route(
                "DELETE",
                _PATH,
                self._disconnect,
                "Disconnect a channel",
                status=204,
                refuses=("OWNER_REQUIRED",),
            ),
            Route(
                "GET",
                f"{_PATH}/progress",
                self._progress,
                "Follow a collection (server-sent events)",
                forms=("events",),
                refuses=("RATE_LIMITED",),
            ),
            Route(
                "POST",
                f"{_PATH}/refresh",
                self._refresh,
                "Fetch the 90 days again",
                answers=RunAnswer,
                status=202,
                refuses=("NOT_CONNECTED",),
            ),
        ]

    async def _all(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        return answer(
            Integrations(await self._reading.integrations(visitor.account_id))
        )

    async def _one(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        return answer(
            await self._reading.integration(visitor.account_id, source_of(request))
        )

    async def _connect(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        source = source_of(request)
        body = await read_json(request, ConnectRequest, raw=("api_key",))
        is_new = await self._connections.connect(
            visitor, source, body.api_key, replace=body.replace
        )
        row = await self._reading.integration(visitor.account_id, source)
        return answer(row, 201 if is_new else 200)

    async def _connect_demo(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        source = source_of(request)
        is_new = await self._connections.connect_demo(visitor, source)
        row = await self._reading.integration(visitor.account_id, source)
        return answer(row, 201 if is_new else 200)

    async def _change(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        source = source_of(request)
        change = await read_json(request, SettingsChange)
        run_id = await self._connections.change(visitor, source, change)
        return answer(RunAnswer(run_id), 202)

    async def _disconnect(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        await self._connections.disconnect(visitor, source_of(request))
        return web.Response(status=204)

    async def _refresh(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        run_id = await self._connections.refresh(visitor, source_of(request))
        return answer(RunAnswer(run_id), 202)

    async def _progress(self, request: web.Request) -> web.StreamResponse:
        """Follow a run; one account may not take all of the server's connections."""
        account_id = (await self._sessions.visitor(request)).account_id
        source = source_of(request)
        if self._streams[account_id] >= MOST_STREAMS:
            raise WaitError(
                "RATE_LIMITED", "Too many streams are open. Close some.", _STREAM_WAIT
            )
        self._streams[account_id] += 1
        try:
            return await self._follow(request, account_id, source)
        finally:
            self._streams -= Counter([account_id])

    async def _follow(
        self, request: web.Request, account_id: UUID, source: Source
    ) -> web.StreamResponse:
        """Send the row at each change, until its progress is null.

        Nor longer than somebody reads who is still signed in.
        """
        row = await self._reading.integration(account_id, source)
        stream = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        await stream.prepare(request)
        if request.method == "HEAD":  # what comes after a head is the next answer
            return stream
        sent, quiet = b"", 0
        while True:
            event = b"data: " + msgspec.json.encode(row) + b"\n\n"
            quiet += 1
            if event != sent or quiet >= _QUIET_POLLS:
                await stream.write(event)
                sent, quiet = event, 0
            if row.progress is None:
                return stream
            await asyncio.sleep(_POLL_SECONDS)
            if request.transport is None or await self._sessions.find(request) is None:
                return stream
            row = await self._reading.integration(account_id, source)


def source_of(request: web.Request) -> Source:
    """Return the source in the path. NOT_FOUND for a word that is none."""
    for source in SOURCES:
        if source == request.match_info["source"]:
            return source
    raise not_found()
