"""The control API of a channel, under `/_control/{channel}`, without a key.

    GET    …/state          now, permissions, key, limits, faults, and what is its own
    GET    …/calls          {"total": n, "paths": {path: n}}; DELETE counts from zero
    GET    …/truth          see the channel
    POST   …/permissions    {"missing": ["charts_metrics:charts:read", …]}
    POST   …/key            {"state": "valid" | "revoked"}
    POST   …/faults         a ChannelFault (see door.py); DELETE removes all
    POST   …/latency        {"milliseconds": n}
    POST   …/limits         {"domains": {name: n}, "window_seconds": n}; a domain that
                            is not named answers any number

A body or query that does not fit is a 400 `{"error": text}`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any, Literal, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from aiohttp import web

from opseer_simulator.channels.door import ChannelFault, ChannelLimits, Door
from opseer_simulator.channels.serving import json_response

_WINDOW = timedelta(days=90)

Body = TypeVar("Body")
Respond = Callable[[web.Request], Awaitable[web.Response]]


class Channel(Protocol):
    """What a channel adds to its control API."""

    @property
    def door(self) -> Door:
        """Who may ask what."""

    def state(self) -> dict[str, Any]:
        """Return what is its own."""

    def truth(self, request: web.Request) -> Any:
        """Return the truth that is asked for; ValueError if the query does not fit."""


class _Permissions(msgspec.Struct, forbid_unknown_fields=True):
    missing: list[str]


class _Key(msgspec.Struct, forbid_unknown_fields=True):
    state: Literal["valid", "revoked"]


class _Latency(msgspec.Struct, forbid_unknown_fields=True):
    milliseconds: int


def add_channel(
    app: web.Application, name: str, channel: Channel, more: dict[str, Respond]
) -> None:
    """Add a channel's control API to an application; `more` are its own POSTs."""
    controls = _Controls(channel)
    base = f"/_control/{name}"
    app.router.add_get(f"{base}/state", controls.state)
    app.router.add_get(f"{base}/calls", controls.calls)
    app.router.add_delete(f"{base}/calls", controls.forget_calls)
    app.router.add_get(f"{base}/truth", controls.truth)
    app.router.add_post(f"{base}/permissions", controls.permissions)
    app.router.add_post(f"{base}/key", controls.key)
    app.router.add_post(f"{base}/faults", controls.add_fault)
    app.router.add_delete(f"{base}/faults", controls.clear_faults)
    app.router.add_post(f"{base}/latency", controls.latency)
    app.router.add_post(f"{base}/limits", controls.limits)
    for what, respond in more.items():
        app.router.add_post(f"{base}/{what}", respond)


class _Controls:
    """The handlers that each channel has."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._door = channel.door

    async def state(self, _request: web.Request) -> web.Response:
        """Return how the channel stands."""
        door = self._door
        return json_response(
            {
                "missing_permissions": sorted(door.missing),
                "key_state": door.key_state,
                "latency_ms": door.latency_ms,
                "limits": door.limits,
                "faults": [fault for fault in door.faults if fault.count > 0],
                **self._channel.state(),
            }
        )

    async def calls(self, _request: web.Request) -> web.Response:
        """Return how often each path was asked."""
        calls = self._door.calls
        return json_response({"total": calls.total(), "paths": dict(calls)})

    async def forget_calls(self, _request: web.Request) -> web.Response:
        """Count from zero."""
        self._door.calls.clear()
        return json_response({})

    async def truth(self, request: web.Request) -> web.Response:
        """Return the truth of a range of days."""
        try:
            return json_response(self._channel.truth(request))
        except (ValueError, ZoneInfoNotFoundError) as error:
            raise bad_request(error) from error

    async def permissions(self, request: web.Request) -> web.Response:
        """Take permissions from the keys, all others are there."""
        missing = set((await body_of(request, _Permissions)).missing)
        if not missing <= self._door.rights:
            known = ", ".join(sorted(self._door.rights))
            raise bad_request(ValueError(f"the permissions are {known}"))
        self._door.missing = missing
        return json_response({})

    async def key(self, request: web.Request) -> web.Response:
        """Revoke the keys, or make them valid again."""
        self._door.key_state = (await body_of(request, _Key)).state
        return json_response({})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Break the next requests."""
        self._door.faults.append(await body_of(request, ChannelFault))
        return json_response({})

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """Break nothing any more."""
        self._door.faults.clear()
        return json_response({})

    async def latency(self, request: web.Request) -> web.Response:
        """Let each answer take that much longer."""
        self._door.latency_ms = (await body_of(request, _Latency)).milliseconds
        return json_response({})

    async def limits(self, request: web.Request) -> web.Response:
        """Set how many requests are answered, and count them from zero."""
        self._door.limits = await body_of(request, ChannelLimits)
        self._door.answered.clear()
        return json_response({})


async def body_of(request: web.Request, shape: type[Body]) -> Body:
    """Return a request's body; 400 if it does not fit."""
    try:
        return msgspec.json.decode(await request.read(), type=shape)
    except msgspec.DecodeError as error:
        raise bad_request(error) from error


def bad_request(error: Exception) -> web.HTTPBadRequest:
    """Return a 400 that says why."""
    return web.HTTPBadRequest(
        text=msgspec.json.encode({"error": str(error)}).decode(),
        content_type="application/json",
    )


def days_asked(request: web.Request, now: int, zone: ZoneInfo) -> tuple[date, date]:
    """Return `from` and `to`: by default the last 90 days and today.

    Raises ValueError for what is no day.
    """
    today = datetime.fromtimestamp(now, zone).date()
    last = date.fromisoformat(request.query.get("to", today.isoformat()))
    first = request.query.get("from", (last - _WINDOW).isoformat())
    return date.fromisoformat(first), last
