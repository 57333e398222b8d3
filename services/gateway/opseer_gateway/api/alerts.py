"""Routes for alerts: settings, destinations, tests, and the delivery log."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec
from aiohttp import web

from opseer_gateway.actions.alerts import AlertSettings
from opseer_gateway.domain.alerts import (
    AlertChange,
    Alerts,
    Deliveries,
    Delivery,
    Destination,
)
from opseer_gateway.domain.destinations import NewDestination
from opseer_gateway.domain.paging import parse_limit
from opseer_gateway.web.bodies import read_json
from opseer_gateway.web.ids import id_of
from opseer_gateway.web.routes import Route, answer
from opseer_gateway.web.sessions import Sessions

_ALERTS: Final = "/api/v1/alerts"
_DELIVERIES: Final = "/api/v1/deliveries"
_PAID: Final = ("PLAN_REQUIRED",)
_ADDING: Final = (*_PAID, "INVALID_DESTINATION", "INVALID_EMAIL")


class TestRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which destination to test; without one, all."""

    destination_id: UUID | None = None


class Asked(msgspec.Struct, frozen=True):
    """The deliveries that were asked for: look at each for how it went."""

    delivery_id: UUID
    delivery_ids: list[UUID]


class AlertRoutes:
    """The handlers."""

    def __init__(self, alerts: AlertSettings, sessions: Sessions) -> None:
        """Take the parts that app.py made."""
        self._alerts = alerts
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        return [
            Route(
                "GET",
                _ALERTS,
                self._show,
                "Show alert settings",
                answers=Alerts,
                refuses=_PAID,
            ),
            Route(
                "PUT",
                _ALERTS,
                self._put,
                "Change alert settings and destinations",
                takes=AlertChange,
                answers=Alerts,
                refuses=(
                    *_ADDING,
                    "NOT_FOUND",
                    "INVALID_TIME",
                    "INVALID_TIMEZONE",
                    "INVALID_WEEKDAYS",
                ),
            ),
            Route(
                "POST",
                f"{_ALERTS}/destinations",
                self._add,
                "Add a destination",
                takes=NewDestination,
                answers=Destination,
                status=201,
                refuses=_ADDING,
            ),
            Route(
                "DELETE",
                f"{_ALERTS}/destinations/{{destination_id}}",
                self._remove,
                "Delete a destination",
                status=204,
                refuses=_PAID,
            ),
            Route(
                "POST",
                f"{_ALERTS}/test",
                self._test,
                "Send a test message",
                takes=TestRequest,
                answers=Asked,
                status=202,
                may_be_empty=True,
                refuses=(*_PAID, "NOT_FOUND", "RATE_LIMITED", "INVALID_DESTINATION"),
            ),
            Route(
                "GET",
                _DELIVERIES,
                self._deliveries,
                "List what was delivered",
                answers=Deliveries,
                query=("limit", "cursor"),
                refuses=_PAID,
            ),
            Route(
                "GET",
                f"{_DELIVERIES}/{{delivery_id}}",
                self._delivery,
                "Show a delivery",
                answers=Delivery,
                refuses=_PAID,
            ),
            Route(
                "POST",
                f"{_DELIVERIES}/{{delivery_id}}/resend",
                self._resend,
                "Send a delivery again",
                answers=Asked,
                status=202,
                refuses=(*_PAID, "RATE_LIMITED"),
            ),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        return answer(await self._alerts.read(await self._sessions.visitor(request)))

    async def _put(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        change = await read_json(request, AlertChange)
        return answer(await self._alerts.put(visitor, change))

    async def _add(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        new = await read_json(request, NewDestination)
        return answer(await self._alerts.add(visitor, new), 201)

    async def _remove(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        await self._alerts.remove(visitor, id_of(request, "destination_id"))
        return web.Response(status=204)

    async def _test(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        wanted = TestRequest()
        if await request.read():
            wanted = await read_json(request, TestRequest)
        found = await self._alerts.test(visitor, wanted.destination_id)
        return answer(Asked(found[0], found), 202)

    async def _deliveries(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        limit = parse_limit(request.query.get("limit"))
        cursor = request.query.get("cursor")
        return answer(await self._alerts.deliveries(visitor, limit, cursor))

    async def _delivery(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        found = await self._alerts.delivery(visitor, id_of(request, "delivery_id"))
        return answer(found)

    async def _resend(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        found = await self._alerts.resend(visitor, id_of(request, "delivery_id"))
        return answer(Asked(found, [found]), 202)
