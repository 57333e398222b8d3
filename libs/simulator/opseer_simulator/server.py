"""The HTTP server: Stripe's read API, the way Stripe refuses, and faults on request.

GET /v1/…                 Authorization: Bearer rk_test_… or rk_live_…
/revenuecat, /polar, …    see channels_mounted.py
/_control/…               see control.py; no key
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any

import msgspec
from aiohttp import web

from opseer_simulator import control, refusals
from opseer_simulator.account_api import Reader, Renderings
from opseer_simulator.broken_answers import html_page, truncated
from opseer_simulator.channels_mounted import (
    NO_CHANNELS,
    ChannelKeys,
    mount_channels,
)
from opseer_simulator.faults import Account, Fault
from opseer_simulator.listing import parse_query
from opseer_simulator.refusals import RefusalError, bad_parameter
from opseer_simulator.rendering import API_VERSION, View
from opseer_simulator.resources import PERMISSIONS, RESOURCES
from opseer_simulator.simulation import Simulation

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(
    simulation: Simulation,
    keys: Sequence[str],
    channels: ChannelKeys = NO_CHANNELS,
) -> web.Application:
    """Return the server of an account that these keys open.

    A key beginning with `rk_live_` sees live mode, any other test mode. `channels` are
    the keys of the other two channels, whose APIs stand beside Stripe's.
    """
    app = web.Application(middlewares=[_answer])
    account = Account(keys=tuple(keys))
    api = _Api(simulation, account)
    app[_API] = api
    app[control.ACCOUNT] = account
    app[control.SIMULATION] = simulation
    app.router.add_get("/v1/balance", api.balance)
    app.router.add_get("/v1/subscription_items", api.items)
    app.router.add_get("/v1/invoices/{id}/lines", api.lines)
    app.router.add_get("/v1/charges/search", api.search)
    for name in RESOURCES:
        app.router.add_get(f"/v1/{name}", api.list)
        app.router.add_get(f"/v1/{name}/{{id}}", api.single)
    control.add_routes(app)
    mount_channels(app, simulation, channels)
    return app


class _Api:
    """The handlers of `/v1`."""

    def __init__(self, simulation: Simulation, account: Account) -> None:
        self._simulation = simulation
        self.account = account
        self._renderings: dict[View, Renderings] = {}
        self._numbers = count(1)

    def request_id(self) -> str:
        """Return the next request's id."""
        return f"req_{next(self._numbers):014d}"

    async def balance(self, request: web.Request) -> web.Response:
        """GET /v1/balance."""
        return _json(self._reader(request, "balance").balance())

    async def items(self, request: web.Request) -> web.Response:
        """GET /v1/subscription_items."""
        reader = self._reader(request, "subscriptions")
        return _json(reader.items(parse_query(request.query.items())))

    async def lines(self, request: web.Request) -> web.Response:
        """GET /v1/invoices/{id}/lines."""
        reader = self._reader(request, "invoices")
        query = parse_query(request.query.items())
        return _json(reader.lines(request.match_info["id"], query))

    async def search(self, request: web.Request) -> web.Response:
        """GET /v1/charges/search, where the account has it."""
        reader = self._reader(request, "charges_and_refunds")
        if not self.account.search:
            raise bad_parameter(
                "Search is not available for this account.", "query", code="no_search"
            )
        return _json(reader.searched(parse_query(request.query.items())))

    async def list(self, request: web.Request) -> web.Response:
        """GET /v1/{list}."""
        name = request.path.split("/")[2]
        reader = self._reader(request, RESOURCES[name].permission)
        return _json(reader.listed(name, parse_query(request.query.items())))

    async def single(self, request: web.Request) -> web.Response:
        """GET /v1/{list}/{id}."""
        name = request.path.split("/")[2]
        reader = self._reader(request, RESOURCES[name].permission)
        query = parse_query(request.query.items())
        return _json(reader.single(name, request.match_info["id"], query))

    def _reader(self, request: web.Request, permission: str) -> Reader:
        """Return a reader for the request's key; RefusalError 401 or 403 if none."""
        key = self._key(request)
        books = self._simulation.books()

        def may(wanted: str) -> None:
            if self.account.lacks(wanted):
                needed = PERMISSIONS[wanted]
                raise refusals.missing_permission(
                    key,
                    books.account,
                    needed.right,
                    needed.title,
                    self.account.wording,
                )

        may(permission)
        view = View(key.startswith("rk_live_"), self._simulation.event_version)
        renderings = self._renderings.get(view)
        if renderings is None or renderings.books is not books:
            renderings = Renderings(books, self._simulation.bulk, view)
            self._renderings[view] = renderings
        renderings.live_until(self._simulation.now())
        return Reader(renderings, may)

    def _key(self, request: web.Request) -> str:
        kind, _, key = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not key.strip():
            raise refusals.no_key()
        key = key.strip()
        if key not in self.account.keys or self.account.key_state == "revoked":
            raise refusals.invalid_key(key)
        if self.account.key_state == "expired":
            raise refusals.expired_key(key)
        return key


_API = web.AppKey("api", _Api)


@web.middleware
async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count, delay, break where asked, and turn refusals into Stripe's answers."""
    if not request.path.startswith("/v1/"):
        return await handler(request)
    api = request.app[_API]
    account = api.account
    endpoint = "/".join(request.path.split("/")[:3])
    now = asyncio.get_running_loop().time()
    account.called(endpoint, now)
    if account.latency_ms:
        await asyncio.sleep(account.latency_ms / 1000)
    fault = account.next_fault(endpoint)
    too_many = account.over_limit(endpoint, now)
    if too_many is not None:
        fault = Fault(kind="rate_limited", reason=too_many)
    try:
        response = await _faulty(fault, request, handler)
    except RefusalError as refusal:
        response = _refused(refusal)
    except web.HTTPNotFound:
        response = _refused(
            RefusalError(404, f"Unrecognized request URL (GET: {request.path}).")
        )
    response.headers["Request-Id"] = api.request_id()
    response.headers["Stripe-Version"] = request.headers.get(
        "Stripe-Version", API_VERSION
    )
    return response


async def _faulty(
    fault: Fault | None, request: web.Request, handler: Handler
) -> web.StreamResponse:
    """Answer a request, or break it as the fault says."""
    if fault is None:
        return await handler(request)
    match fault.kind:
        case "rate_limited":
            raise RefusalError(
                429,
                "Request rate limit exceeded. You can learn more about rate limits "
                "here https://stripe.com/docs/rate-limits.",
                {"Stripe-Rate-Limited-Reason": fault.reason},
                code="rate_limit",
            )
        case "lock_timeout":
            raise RefusalError(
                429,
                "This object cannot be accessed right now because another API request "
                "or Stripe process is currently accessing it.",
                {"Stripe-Should-Retry": "true"},
                code="lock_timeout",
            )
        case "server_error":
            raise RefusalError(
                fault.status,
                "An error occurred internally with the connection to Stripe.",
                type="api_error",
            )
        case "html":
            return html_page()
        case "hang":
            await asyncio.sleep(fault.seconds)
            return await handler(request)
        case "truncated":
            return truncated(await handler(request))


def _refused(refusal: RefusalError) -> web.Response:
    return web.Response(
        status=refusal.status,
        body=refusal.body,
        headers=refusal.headers,
        content_type="application/json",
    )


def _json(value: Any) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), content_type="application/json"
    )
