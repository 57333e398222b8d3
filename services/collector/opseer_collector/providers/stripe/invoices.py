"""Invoices of metered subscriptions: looked up for what was charged, and no further."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from opseer_collector.domain.records import Quarantined
from opseer_collector.domain.windows import EVENTS_KEPT
from opseer_collector.providers.stripe.client import Place, StripeClient
from opseer_collector.providers.stripe.decode import put_aside
from opseer_collector.providers.stripe.errors import (
    PermissionMissingError,
    UnreadableError,
)
from opseer_collector.providers.stripe.shapes import ShapeError, node
from opseer_collector.providers.stripe.usage import (
    finalised_at,
    metered_items,
    usage_from,
)
from opseer_collector.providers.stripe.walk import pages
from opseer_common.contracts.subscription import UsageCharge

_PAGE: Final = "10"
_LINES: Final = "100"
_LONGEST_PERIOD: Final = 400 * 86_400

Fields = dict[str, Any]


class Invoices:
    """Reads invoices for one run at the aware instant `now`.

    `readable` is False once the key may not; `aside` are those that make no sense.
    """

    def __init__(self, client: StripeClient, now: datetime) -> None:
        """Read with `client`."""
        self._client = client
        self._now = now
        self.readable = True
        self.aside: list[Quarantined] = []

    async def usage(self, rows: list[Fields]) -> dict[str, list[UsageCharge]]:
        """Read what metered items were charged, back to before the events begin."""
        metered = dict(metered_items(rows))
        found: dict[str, list[UsageCharge]] = {}

        async def read(subscription: str, items: frozenset[str]) -> None:
            try:
                found.update(usage_from(await self._of(subscription, items), items))
            except PermissionMissingError:
                self.readable = False
            except (ShapeError, UnreadableError) as error:
                told = ShapeError(error.path, "an invoice")
                self.aside.append(put_aside("invoices", subscription.encode(), told))

        async with asyncio.TaskGroup() as group:
            for subscription, items in metered.items():
                group.create_task(read(subscription, items))
        return found

    async def _of(self, subscription: str, items: frozenset[str]) -> list[Fields]:
        """Read a subscription's invoices, newest first, as far as they are needed.

        That is until each of `items` is charged by one from before the days shown,
        whatever this run's events are; the longest period is a year or so.
        """
        oldest = int((self._now - EVENTS_KEPT).timestamp())
        found: list[Fields] = []
        waiting = set(items)
        params = {"limit": _PAGE, "subscription": subscription}
        place = Place("/v1/invoices", "invoices")
        async for page in pages(self._client, place, params):
            for raw in page:
                fields: Fields = msgspec.json.decode(raw)
                await self._follow_lines(fields)
                found.append(fields)
                at = finalised_at(node(fields, "invoice"))
                if at < oldest:
                    waiting -= usage_from([fields], items).keys()
                if not waiting or at < oldest - _LONGEST_PERIOD:
                    return found
        return found

    async def _follow_lines(self, invoice: Fields) -> None:
        """Read the lines of an invoice beyond the first page."""
        lines = invoice.get("lines")
        if not isinstance(lines, dict) or lines.get("has_more") is not True:
            return
        path = f"/v1/invoices/{quote(str(invoice.get('id')), safe='')}/lines"
        params = {"limit": _LINES}
        lines["data"] = [
            msgspec.json.decode(raw)
            async for page in pages(
                self._client, Place(path, "invoices/:id/lines"), params
            )
            for raw in page
        ]
