"""The pages of the payment channels: cards, connecting, settings, disconnecting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from zoneinfo import available_timezones

import msgspec
from aiohttp import web

from opseer_common.channels import CHANNELS
from opseer_common.clock import Clock
from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import DailyReport
from opseer_common.errors import RefusedError
from opseer_gateway.actions.connections import Connections
from opseer_gateway.actions.reading import Reading
from opseer_gateway.domain.changes import SettingsChange
from opseer_gateway.domain.channel import STORES
from opseer_gateway.domain.figures import Mrr
from opseer_gateway.domain.integrations import SOURCES, Integration
from opseer_gateway.domain.refusals import not_found
from opseer_gateway.domain.visitors import Visitor
from opseer_gateway.pages.account.channels import ChannelCard, card_of
from opseer_gateway.pages.account.comparison import comparisons
from opseer_gateway.pages.account.guides import GUIDES, PRESETS
from opseer_gateway.pages.account.health import Sign, connected_words, signs
from opseer_gateway.pages.frame import Frames
from opseer_gateway.pages.rendering import Renderer, see
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions

_BASE: Final = "/dashboard/integrations"
_ZONES: Final = tuple(sorted(zone for zone in available_timezones() if "/" in zone))


class Channels:
    """Cards of an account's channels, for every page that shows them."""

    def __init__(
        self, connections: Connections, reading: Reading, clock: Clock
    ) -> None:
        """Read the rows from `reading`; `connections` says what can be connected."""
        self._connections = connections
        self._reading = reading
        self._clock = clock

    async def cards(self, visitor: Visitor) -> list[ChannelCard]:
        """Return a card per source."""
        rows = await self._reading.integrations(visitor.account_id)
        return [self.card(row) for row in rows]

    def card(self, row: Integration) -> ChannelCard:
        """Return the card of a row."""
        return card_of(
            row,
            self._clock(),
            can_connect=row.source in self._connections.sources,
            can_demo=row.source in self._connections.demos,
        )

    def signs(
        self, row: Integration, mrr: Mrr, report: DailyReport
    ) -> tuple[Sign, ...]:
        """Return what each service last did for a row's channel."""
        return signs(row, mrr, report, self._clock())


class ChannelPages:
    """The handlers."""

    def __init__(
        self,
        connections: Connections,
        reading: Reading,
        channels: Channels,
        sessions: Sessions,
        renderer: Renderer,
        frames: Frames,
    ) -> None:
        """Take the parts that app.py made."""
        self._connections = connections
        self._reading = reading
        self._channels = channels
        self._sessions = sessions
        self._renderer = renderer
        self._frames = frames

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        one = f"{_BASE}/{{source}}"
        table = [
            ("GET", _BASE, self._all, "The payment channels"),
            ("GET", one, self._one, "A payment channel"),
            ("POST", f"{one}/connect", self._connect, "Connect with a key"),
            ("POST", f"{one}/demo", self._demo, "Look around with demo data"),
            ("POST", f"{one}/refresh", self._refresh, "Fetch the 90 days again"),
            (
                "POST",
                f"{one}/settings",
                self._change,
                "Change zone, currency, rules",
            ),
            ("GET", f"{one}/disconnect", self._ask, "Ask before disconnecting"),
            ("POST", f"{one}/disconnect", self._disconnect, "Disconnect"),
        ]
        shown = self._renderer.shown
        return [
            Route(method, path, shown(handle), summary)
            for method, path, handle, summary in table
        ]

    async def _all(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        return self._renderer.page(
            request,
            "integrations",
            frame=await self._frames.of(visitor, "integrations"),
            channels=await self._channels.cards(visitor),
            is_owner=visitor.role == "owner",
            back=_BASE,
        )

    async def _one(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        return await self._page(request, visitor, _source(request))

    async def _connect(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        source = _source(request)
        fields = await self._renderer.form(request)
        replace = fields.get("replace") == "yes"
        try:
            await self._connections.connect(
                visitor, source, fields.get("api_key", ""), replace=replace
            )
        except RefusedError as error:
            return await self._page(request, visitor, source, error)
        return see(f"{_BASE}/{source}")

    async def _demo(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        source = _source(request)
        await self._renderer.form(request)
        await self._connections.connect_demo(visitor, source)
        return see(f"/dashboard/revenue/{source}")

    async def _refresh(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        source = _source(request)
        fields = await self._renderer.form(request)
        await self._connections.refresh(visitor, source)
        return see(_place(fields, source))

    async def _change(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        source = _source(request)
        fields = await self._renderer.form(request)
        row = await self._reading.integration(visitor.account_id, source)
        try:
            change = _change_of(fields, row)
            if change is not None:
                await self._connections.change(visitor, source, change)
        except RefusedError as error:
            return await self._page(request, visitor, source, error, "settings")
        return see(f"{_BASE}/{source}")

    async def _ask(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        row = await self._reading.integration(visitor.account_id, _source(request))
        if row.state == "disconnected":
            return see(_BASE)
        return self._renderer.page(
            request,
            "disconnect",
            frame=await self._frames.of(visitor, "integrations"),
            channel=self._channels.card(row),
        )

    async def _disconnect(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        await self._renderer.form(request)
        await self._connections.disconnect(visitor, _source(request))
        return see(_BASE)

    async def _page(
        self,
        request: web.Request,
        visitor: Visitor,
        source: Source,
        error: RefusedError | None = None,
        failed: str = "key",
    ) -> web.Response:
        """Return a channel's page; `error` belongs to the form `failed`."""
        account_id = visitor.account_id
        row = await self._reading.integration(account_id, source)
        daily = await self._reading.daily(account_id, source, None, None)
        mrr = await self._reading.mrr(account_id, source)
        report = await self._reading.report(account_id, None)
        card = self._channels.card(row)
        return self._renderer.page(
            request,
            "channel",
            error=error,
            failed=failed if error else "",
            advice=_advice(source, error),
            frame=await self._frames.of(visitor, "integrations"),
            channel=card,
            row=row,
            connected_words=connected_words(card, row),
            signs=self._channels.signs(row, mrr, report),
            comparisons=comparisons(row, mrr, daily),
            presets=PRESETS,
            settings=CHANNELS[source].settings,
            stores=STORES,
            zones=_ZONES,
            is_owner=visitor.role == "owner",
            back=f"{_BASE}/{source}",
        )


def _source(request: web.Request) -> Source:
    """Return the source in the path. NOT_FOUND for a word that is none."""
    for source in SOURCES:
        if source == request.match_info["source"]:
            return source
    raise not_found()


def _place(fields: Mapping[str, str], source: Source) -> str:
    """Return the page of ours that a form was on."""
    known = {
        _BASE: f"{_BASE}#{source}",
        "/dashboard/account": f"/dashboard/account#{source}",
        f"/dashboard/revenue/{source}": f"/dashboard/revenue/{source}",
    }
    return known.get(fields.get("back", ""), f"{_BASE}/{source}")


def _advice(source: Source, error: RefusedError | None) -> str:
    """Return the product's own words about an error of a key; ours follow them."""
    if error is None:
        return ""
    for trouble in GUIDES[source].troubles:
        if trouble.head == f'"{error.code}"':
            return trouble.text
    return ""


def _change_of(fields: Mapping[str, str], row: Integration) -> SettingsChange | None:
    """Return what a form of settings changes; None where it is as it was."""
    zone = fields.get("timezone", "").strip()
    currency = fields.get("settlement_currency", "").strip().lower()
    preset = fields.get("policy", "")
    policy = row.policy.preset if row.policy else ""
    change = SettingsChange(
        timezone=zone if zone and zone != row.timezone else msgspec.UNSET,
        settlement_currency=(
            # An emptied field asks for the currency that the provider settles in.
            currency or None
            if "settlement_currency" in fields
            and currency != (row.settlement_currency or "")
            else msgspec.UNSET
        ),
        policy=preset if preset and preset != policy else msgspec.UNSET,
    )
    change = msgspec.structs.replace(
        change, **_chosen_projects(fields, row), **_chosen_stores(fields, row)
    )
    return None if change == SettingsChange() else change


def _chosen_projects(
    fields: Mapping[str, str], row: Integration
) -> dict[str, tuple[str, ...]]:
    """Return which of the provider's projects to sum, where that changed."""
    before = tuple(one.id for one in row.projects if one.included)
    after = tuple(one.id for one in row.projects if f"project.{one.id}" in fields)
    if "has_projects" not in fields or after == before:
        return {}
    return {"projects": after}


def _chosen_stores(
    fields: Mapping[str, str], row: Integration
) -> dict[str, tuple[str, ...]]:
    """Return which stores to leave out, where that changed."""
    after = tuple(store for store in STORES if f"store.{store}" in fields)
    if "has_stores" not in fields or set(after) == set(row.excluded_stores):
        return {}
    return {"excluded_stores": after}
