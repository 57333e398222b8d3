"""Older history from Stripe: invoices of two years, at the pace of a daily round."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import aiohttp
import msgspec

from opseer_collector.domain.fetching import Environment, ProviderAwayError, Request
from opseer_collector.domain.history import (
    ENDPOINT,
    HistoryIntake,
    HistoryPage,
    InvoiceLine,
)
from opseer_collector.domain.records import Quarantined, Window
from opseer_collector.providers.attempts import (
    PermissionMissingError,
    Sleep,
    UnreadableError,
)
from opseer_collector.providers.stripe.client import Params, Place, StripeClient
from opseer_collector.providers.stripe.collect import SLOW
from opseer_collector.providers.stripe.decode import Reader, put_aside
from opseer_collector.providers.stripe.errors import most_telling
from opseer_collector.providers.stripe.invoice_lines import EXPANDED, lines_from
from opseer_collector.providers.stripe.invoices import follow_lines
from opseer_collector.providers.stripe.pace import Pacer
from opseer_collector.providers.stripe.permissions import rights_of
from opseer_collector.providers.stripe.shapes import ShapeError
from opseer_collector.providers.stripe.walk import Listing, Walk

_PLACE: Final = Place("/v1/invoices", "invoices")
_RIGHT: Final = "invoice_read"

Fields = dict[str, Any]


class StripeHistory:
    """The older history of the channel `stripe`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        bases: Mapping[Environment, str],
        rate: int | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Call the base of a connection's environment; `rate` overrides the pace."""
        self._session = session
        self._bases = bases
        self._rate = rate
        self._sleep = sleep

    async def fetch(self, request: Request, intake: HistoryIntake) -> str | None:
        """Read what was billed in [since, until); return what it lacks, None: nothing.

        Raises KeyRefusedError, ProviderAwayError, Overtaken, GiveWay.
        """
        base = self._bases.get(request.environment)
        if base is None:
            raise ProviderAwayError(f"no server for {request.environment} is set.")
        pacer = Pacer(self._rate or SLOW[request.environment], request.pace)
        client = StripeClient(self._session, base, request.key, pacer, self._sleep)
        try:
            return await _Reading(client, request, intake).run()
        except BaseExceptionGroup as group:
            raise most_telling(group) from None


class _Reading:
    """One reading of the list of invoices."""

    def __init__(
        self, client: StripeClient, request: Request, intake: HistoryIntake
    ) -> None:
        self._client = client
        self._request = request
        self._intake = intake
        self._reader = Reader(
            int(request.now.timestamp()), livemode=request.environment == "live"
        )
        self._whole = True

    async def run(self) -> str | None:
        """Read all; without what discounts are where only that may not be read."""
        refused = await self._refused({"expand[]": (EXPANDED,)})
        if refused is not None and _RIGHT not in refused:
            refused = await self._refused({})
        known = "ok" if refused is None else "missing"
        await self._intake.store(HistoryPage(permissions={"invoices": known}))
        if refused is not None:
            return "INVOICES_PERMISSION"
        return None if self._whole else "QUARANTINE"

    async def _refused(self, params: Params) -> frozenset[str] | None:
        """Read the list; return the rights that are missing, None where it was read."""
        listing = Listing(ENDPOINT, self._reader.plain, self._keep, _PLACE, params)
        walk = Walk(self._client, listing, self._reader, self._told, self._request.read)
        refused: frozenset[str] | None = None
        try:
            await walk.run(self._request.since, self._request.until)
        except* PermissionMissingError as group:
            refused = rights_of(group)
        self._whole = self._whole and walk.whole
        return refused

    async def _told(self, percent: int, _: int) -> None:
        await self._intake.progress(percent)

    async def _keep(
        self,
        rows: Sequence[Fields],
        aside: Sequence[Quarantined],
        window: Window | None,
    ) -> None:
        lines: list[InvoiceLine] = []
        unread = list(aside)
        for fields in rows:
            try:
                await follow_lines(self._client, fields)
                lines += lines_from(fields)
            except (ShapeError, UnreadableError) as error:
                unread.append(_aside(fields, error.path))
        self._whole = self._whole and not unread
        await self._intake.store(HistoryPage(lines, unread, window))


def _aside(fields: Fields, path: str) -> Quarantined:
    """Return what is kept of an invoice that could not be read."""
    at = fields.get("created")
    since = at if isinstance(at, int) else None
    return put_aside(
        ENDPOINT,
        msgspec.json.encode(fields),
        ShapeError(path, "an invoice"),
        since,
        None if since is None else since + 1,
    )
