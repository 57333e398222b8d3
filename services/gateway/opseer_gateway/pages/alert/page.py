"""The handlers of /dashboard/alert."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from aiohttp import web

from opseer_common.clock import Clock
from opseer_common.contracts.destination import DestinationKind
from opseer_common.errors import RefusedError
from opseer_gateway.actions.alerts import AlertSettings
from opseer_gateway.actions.reading import Reading
from opseer_gateway.domain.alerts import Alerts, Delivery, Destination
from opseer_gateway.domain.refusals import not_found
from opseer_gateway.domain.visitors import Visitor
from opseer_gateway.pages.alert import view
from opseer_gateway.pages.doors import Doors, Fields, id_of
from opseer_gateway.pages.rendering import see
from opseer_gateway.web.problems import Handler
from opseer_gateway.web.routes import Route

_BASE: Final = "/dashboard/alert"
_KINDS: Final[tuple[DestinationKind, ...]] = (
    *("email", "slack", "discord", "telegram", "webhook", "apprise"),
)
_LOG: Final = 25
_PATIENCE: Final = 20
_POLL_SECONDS: Final = 0.25

Act = Callable[[Visitor, Fields], Awaitable[str | Destination]]
"""Does what a form asks for; returns where to go then, or what is shown once."""


class AlertPages:
    """The page: settings, destinations with a test each, log, and a preview."""

    def __init__(
        self, alerts: AlertSettings, reading: Reading, doors: Doors, clock: Clock
    ) -> None:
        """Take the parts that app.py made."""
        self._alerts = alerts
        self._reading = reading
        self._doors = doors
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        forms: list[tuple[str, str, Act, str]] = [
            ("settings", "settings", self._put, "Change alert settings"),
            ("destinations/add", "destinations", self._add, "Add a destination"),
            ("destinations/remove", "destinations", self._remove, "Delete one"),
            ("test", "destinations", self._test, "Send a test message"),
            ("resend", "log", self._resend, "Send a delivery again"),
        ]
        shown = self._doors.renderer.shown
        return [
            Route("GET", _BASE, shown(self._show), "Alerts"),
            *(
                Route("POST", f"{_BASE}/{path}", self._changed(part, act), summary)
                for path, part, act, summary in forms
            ),
            Route(
                "GET",
                "/unsubscribe",
                shown(self._leave),
                "Ask whether to end a mail",
                public=True,
            ),
            Route("POST", "/unsubscribe", shown(self._left), "End a mail", public=True),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        visitor = await self._doors.sessions.visitor(request)
        asked = request.query.get("delivery")
        found = None
        if asked is not None:
            found = await self._settled(visitor, id_of(asked))
        return await self._page(request, visitor, asked=found)

    async def _settled(self, visitor: Visitor, delivery_id: UUID) -> Delivery:
        """Return a delivery when it was tried, or after some seconds."""
        found = await self._alerts.delivery(visitor, delivery_id)
        for _ in range(_PATIENCE):
            if found.state != "pending":
                break
            await asyncio.sleep(_POLL_SECONDS)
            found = await self._alerts.delivery(visitor, delivery_id)
        return found

    def _changed(self, part: str, act: Act) -> Handler:
        """Return the handler of one form: a refusal is shown in its `part`."""

        async def filled(
            request: web.Request, visitor: Visitor, fields: Fields
        ) -> web.StreamResponse:
            done = await act(visitor, fields)
            if isinstance(done, Destination):
                return await self._page(request, visitor, part, made=done)
            return see(done)

        async def refused(
            request: web.Request, visitor: Visitor, error: RefusedError
        ) -> web.StreamResponse:
            return await self._page(request, visitor, part, error=error)

        return self._doors.form(filled, refused)

    async def _put(self, visitor: Visitor, fields: Fields) -> str:
        currency = await self._currency(visitor)
        await self._alerts.put(visitor, view.change_of(fields, currency))
        return f"{_BASE}#settings"

    async def _add(self, visitor: Visitor, fields: Fields) -> str | Destination:
        wanted = [kind for kind in _KINDS if kind == fields.get("kind")]
        if not wanted:
            raise not_found()
        new = view.destination_of(wanted[0], fields)
        made = await self._alerts.add(visitor, new)
        return f"{_BASE}#destinations" if made.secret is None else made

    async def _remove(self, visitor: Visitor, fields: Fields) -> str:
        await self._alerts.remove(visitor, id_of(fields.get("destination_id", "")))
        return f"{_BASE}#destinations"

    async def _test(self, visitor: Visitor, fields: Fields) -> str:
        name = id_of(fields.get("destination_id", ""))
        [asked] = await self._alerts.test(visitor, name)
        return f"{_BASE}?delivery={asked}#destinations"

    async def _resend(self, visitor: Visitor, fields: Fields) -> str:
        delivery_id = id_of(fields.get("delivery_id", ""))
        asked = await self._alerts.resend(visitor, delivery_id)
        return f"{_BASE}?delivery={asked}#log"

    async def _currency(self, visitor: Visitor) -> str:
        """Return the currency that the page's amounts are typed in."""
        rows = await self._reading.integrations(visitor.account_id)
        found = (row.settlement_currency for row in rows)
        return next((one for one in found if one is not None), "usd")

    async def _page(
        self,
        request: web.Request,
        visitor: Visitor,
        part: str = "",
        *,
        error: RefusedError | None = None,
        made: Destination | None = None,
        asked: Delivery | None = None,
    ) -> web.Response:
        """Return the page; `error` is shown in its `part`."""
        frame = await self._doors.frames.of(visitor, "alert")
        try:
            alerts = await self._alerts.read(visitor)
        except RefusedError as refused:
            return self._doors.renderer.page(
                request, "alert_plan", frame=frame, error=refused
            )
        log = await self._alerts.deliveries(visitor, _LOG)
        report = await self._reading.report(visitor.account_id, None)
        currency = await self._currency(visitor)
        return self._doors.renderer.page(
            request,
            "alert",
            frame=frame,
            error=error,
            part=part,
            made=made,
            asked=asked,
            result=view.result(asked) if asked else None,
            alerts=alerts,
            is_new=_is_new(alerts),
            toggles=view.toggles(alerts),
            upcoming=view.upcoming(alerts, self._clock()),
            weekdays=view.WEEKDAYS,
            zones=view.ZONES,
            currency=currency.upper(),
            threshold=view.threshold_text(alerts, currency),
            lines=view.log(log.deliveries, alerts.timezone),
            preview=view.preview(report, alerts),
        )

    async def _leave(self, request: web.Request) -> web.Response:
        """Ask first: mail programs open links by themselves."""
        return self._doors.renderer.page(
            request, "unsubscribe", token=request.query.get("token", ""), done=None
        )

    async def _left(self, request: web.Request) -> web.Response:
        """End it: by the page's button, or by the mail program itself (RFC 8058)."""
        done = await self._alerts.unsubscribe(request.query.get("token", ""))
        return self._doors.renderer.page(request, "unsubscribe", token="", done=done)


def _is_new(alerts: Alerts) -> bool:
    """Tell whether nobody set anything yet, so that the browser may propose a zone."""
    usual = (alerts.time, alerts.timezone) == ("09:00", "UTC")
    return usual and not alerts.destinations
