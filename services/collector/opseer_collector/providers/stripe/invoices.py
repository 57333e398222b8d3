"""Invoices of metered subscriptions: looked up for what was charged, and no further."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from opseer_collector.domain.records import Quarantined
from opseer_collector.domain.windows import EVENTS_KEPT
from opseer_collector.providers.attempts import PermissionMissingError, UnreadableError
from opseer_collector.providers.stripe.client import Params, Place, StripeClient
from opseer_collector.providers.stripe.decode import check_shape, put_aside
from opseer_collector.providers.stripe.shapes import ShapeError, node
from opseer_collector.providers.stripe.usage import (
    finalised_at,
    metered_items,
    usage_from,
)
from opseer_collector.providers.stripe.walk import pages
from opseer_common.contracts.subscription import UsageCharge

_PAGE: Final = "10"
_MANY: Final = "100"
_FEW: Final = 12
_CALLS_SAVED: Final = 4
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
        try:
            known = await self._newest(metered) if len(metered) > _FEW else {}
        except PermissionMissingError:
            self.readable = False
            return found

        async def read(subscription: str, items: frozenset[str]) -> None:
            try:
                invoices = known.get(subscription)
                if invoices is None:
                    invoices = await self._of(subscription, items)
                found.update(usage_from(invoices, items))
            except PermissionMissingError:
                self.readable = False
            except (ShapeError, UnreadableError) as error:
                told = ShapeError(error.path, "an invoice")
                self.aside.append(put_aside("invoices", subscription.encode(), told))

        async with asyncio.TaskGroup() as group:
            for subscription, items in metered.items():
                group.create_task(read(subscription, items))
        return found

    async def _newest(
        self, metered: Mapping[str, frozenset[str]]
    ) -> dict[str, list[Fields]]:
        """Read the newest invoices of all, a part of the calls that each alone takes.

        Return those of the subscriptions that need no more.
        """
        found: dict[str, list[Fields]] = {}
        waiting = {name: set(items) for name, items in metered.items()}
        calls = max(1, len(metered) // _CALLS_SAVED)
        async with aclosing(self._pages({"limit": _MANY})) as listed:
            with contextlib.suppress(UnreadableError, ShapeError):
                async for page in listed:
                    for fields in page:
                        name = _subscription_of(fields)
                        if name in waiting:
                            found.setdefault(name, []).append(fields)
                            if await self._satisfies(fields, waiting[name]):
                                del waiting[name]
                    calls -= 1
                    if not waiting or not calls:
                        break
        return {name: rows for name, rows in found.items() if name not in waiting}

    async def _of(self, subscription: str, items: frozenset[str]) -> list[Fields]:
        """Read a subscription's invoices, newest first, as far as they are needed.

        That is until each of `items` is charged by one from before the days shown,
        whatever this run's events are; the longest period is a year or so.
        """
        found: list[Fields] = []
        waiting = set(items)
        params = {"limit": _PAGE, "subscription": subscription}
        async with aclosing(self._pages(params)) as listed:
            async for page in listed:
                for fields in page:
                    found.append(fields)
                    if await self._satisfies(fields, waiting):
                        return found
        return found

    async def _pages(self, params: Params) -> AsyncGenerator[list[Fields], None]:
        place = Place("/v1/invoices", "invoices")
        async with aclosing(pages(self._client, place, params)) as listed:
            async for page in listed:
                yield [_invoice(raw) for raw in page]

    async def _satisfies(self, invoice: Fields, waiting: set[str]) -> bool:
        """Take the items that an old invoice charges from those that wait for one.

        Tell whether older ones are not needed. Raises ShapeError.
        """
        await follow_lines(self._client, invoice)
        oldest = int((self._now - EVENTS_KEPT).timestamp())
        at = finalised_at(node(invoice, "invoice"))
        if at < oldest:
            waiting -= usage_from([invoice], frozenset(waiting)).keys()
        return not waiting or at < oldest - _LONGEST_PERIOD


def _invoice(raw: msgspec.Raw) -> Fields:
    fields = dict(node(msgspec.json.decode(raw), "invoice").fields)
    check_shape(fields, "invoice")
    return fields


def _subscription_of(invoice: Fields) -> str | None:
    """Return the subscription that an invoice is of, before and since basil."""
    try:
        shown = node(invoice, "invoice")
        parent = shown.opt_node("parent")
        details = None if parent is None else parent.opt_node("subscription_details")
        return (shown if details is None else details).opt_reference("subscription")
    except ShapeError:
        return None


async def follow_lines(client: StripeClient, invoice: Fields) -> None:
    """Read the lines of an invoice beyond the first page."""
    lines = invoice.get("lines")
    if not isinstance(lines, dict) or lines.get("has_more") is not True:
        return
    path = f"/v1/invoices/{quote(str(invoice.get('id')), safe='')}/lines"
    params = {"limit": _LINES}
    lines["data"] = [
        msgspec.json.decode(raw)
        async for page in pages(client, Place(path, "invoices/:id/lines"), params)
        for raw in page
    ]
