"""The control API of the simulator, under `/_control`, in JSON and without a key.

    GET    /_control/state        seed, epoch, customers, now (unix s), offset_seconds …
    GET    /_control/calls        {"total": n, "peak_per_second": n,
                                  "endpoints": {"/v1/charges": n, …}}
    DELETE /_control/calls        counts from zero
    GET    /_control/truth        ?timezone=UTC&from=YYYY-MM-DD&to=YYYY-MM-DD -> Truth
    POST   /_control/permissions  {"missing": ["events", …], "wording": "old" | "new"}
    POST   /_control/key          {"state": "valid" | "revoked" | "expired"}
    POST   /_control/faults       a Fault (see faults.py); DELETE removes all
    POST   /_control/latency      {"milliseconds": n}
    POST   /_control/limits       {"per_endpoint": n, "total": n} a second; {} = none
    POST   /_control/clock        {"offset_seconds": n}
    POST   /_control/search       {"enabled": true | false}
    POST   /_control/events       {"version": one of event_shapes.VERSIONS}

A body or query that does not fit is a 400 `{"error": text}`. Truth's `from` and `to`
are days of the zone and by default the last 90 days and today.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from aiohttp import web

from opseer_simulator.event_shapes import VERSIONS
from opseer_simulator.faults import Account, Fault, Limits, permission_named
from opseer_simulator.simulation import Simulation, truth_of

ACCOUNT = web.AppKey("account", Account)
SIMULATION = web.AppKey("simulation", Simulation)

_WINDOW = timedelta(days=90)

Body = TypeVar("Body")


class _Permissions(msgspec.Struct, forbid_unknown_fields=True):
    missing: list[str]
    wording: Literal["old", "new"] = "old"


class _Key(msgspec.Struct, forbid_unknown_fields=True):
    state: Literal["valid", "revoked", "expired"]


class _Latency(msgspec.Struct, forbid_unknown_fields=True):
    milliseconds: int


class _Search(msgspec.Struct, forbid_unknown_fields=True):
    enabled: bool


class _Events(msgspec.Struct, forbid_unknown_fields=True):
    version: str


class _ClockSet(msgspec.Struct, forbid_unknown_fields=True):
    offset_seconds: int


def add_routes(app: web.Application) -> None:
    """Add the control API to an application that holds ACCOUNT and SIMULATION."""
    add = app.router
    add.add_get("/_control/state", _state)
    add.add_get("/_control/calls", _calls)
    add.add_delete("/_control/calls", _forget_calls)
    add.add_get("/_control/truth", _truth)
    add.add_post("/_control/permissions", _permissions)
    add.add_post("/_control/key", _key)
    add.add_post("/_control/faults", _add_fault)
    add.add_delete("/_control/faults", _clear_faults)
    add.add_post("/_control/latency", _latency)
    add.add_post("/_control/limits", _limits)
    add.add_post("/_control/clock", _clock)
    add.add_post("/_control/search", _search)
    add.add_post("/_control/events", _events)


async def _state(request: web.Request) -> web.Response:
    """Return who the company is and what time it is there."""
    simulation, account = request.app[SIMULATION], request.app[ACCOUNT]
    return _json(
        {
            "seed": simulation.seed,
            "epoch": simulation.epoch,
            "customers": simulation.customers,
            "stories": simulation.stories,
            "bulk": simulation.bulk.per_span,
            "event_version": simulation.event_version,
            "now": simulation.now(),
            "offset_seconds": simulation.offset_seconds,
            "missing_permissions": sorted(account.missing),
            "key_state": account.key_state,
            "latency_ms": account.latency_ms,
            "faults": [fault for fault in account.faults if fault.count > 0],
        }
    )


async def _calls(request: web.Request) -> web.Response:
    """Return how often each endpoint was called."""
    account = request.app[ACCOUNT]
    return _json(
        {
            "total": account.calls.total(),
            "peak_per_second": account.peak_per_second,
            "endpoints": dict(account.calls),
        }
    )


async def _forget_calls(request: web.Request) -> web.Response:
    """Count from zero."""
    request.app[ACCOUNT].forget_calls()
    return _json({})


async def _truth(request: web.Request) -> web.Response:
    """Return the truth of a range of local days."""
    simulation = request.app[SIMULATION]
    name = request.query.get("timezone", "UTC")
    try:
        zone = ZoneInfo(name)
        today = datetime.fromtimestamp(simulation.now(), UTC).astimezone(zone).date()
        last = date.fromisoformat(request.query.get("to", today.isoformat()))
        first = date.fromisoformat(
            request.query.get("from", (last - _WINDOW).isoformat())
        )
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise _bad(error) from error
    return _json(truth_of(simulation, name, first, last))


async def _permissions(request: web.Request) -> web.Response:
    """Take permissions from the key, all others are there."""
    wanted = await _body(request, _Permissions)
    try:
        missing = {permission_named(name) for name in wanted.missing}
    except ValueError as error:
        raise _bad(error) from error
    account = request.app[ACCOUNT]
    account.missing, account.wording = missing, wanted.wording
    return _json({})


async def _key(request: web.Request) -> web.Response:
    """Revoke or expire the keys, or make them valid again."""
    request.app[ACCOUNT].key_state = (await _body(request, _Key)).state
    return _json({})


async def _add_fault(request: web.Request) -> web.Response:
    """Break the next requests."""
    request.app[ACCOUNT].faults.append(await _body(request, Fault))
    return _json({})


async def _clear_faults(request: web.Request) -> web.Response:
    """Break nothing any more."""
    request.app[ACCOUNT].faults.clear()
    return _json({})


async def _latency(request: web.Request) -> web.Response:
    """Let each answer take that much longer."""
    request.app[ACCOUNT].latency_ms = (await _body(request, _Latency)).milliseconds
    return _json({})


async def _limits(request: web.Request) -> web.Response:
    """Refuse more requests a second than these with 429."""
    request.app[ACCOUNT].limits = await _body(request, Limits)
    return _json({})


async def _clock(request: web.Request) -> web.Response:
    """Set how far the company's time is ahead of the machine's."""
    simulation = request.app[SIMULATION]
    simulation.offset_seconds = (await _body(request, _ClockSet)).offset_seconds
    return _json({"now": simulation.now()})


async def _search(request: web.Request) -> web.Response:
    """Let the account search its charges, or not."""
    request.app[ACCOUNT].search = (await _body(request, _Search)).enabled
    return _json({})


async def _events(request: web.Request) -> web.Response:
    """Set the account's version, in which events are shown."""
    version = (await _body(request, _Events)).version
    if version not in VERSIONS:
        raise _bad(ValueError(f"the versions are {', '.join(VERSIONS)}"))
    request.app[SIMULATION].event_version = version
    return _json({})


async def _body(request: web.Request, shape: type[Body]) -> Body:
    try:
        return msgspec.json.decode(await request.read(), type=shape)
    except msgspec.DecodeError as error:
        raise _bad(error) from error


def _bad(error: Exception) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(
        text=msgspec.json.encode({"error": str(error)}).decode(),
        content_type="application/json",
    )


def _json(value: Any) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), content_type="application/json"
    )
