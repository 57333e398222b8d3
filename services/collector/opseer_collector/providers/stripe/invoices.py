"""Invoices, where only they tell: of what is metered, and of taxes inside prices.

They are looked up for that, and no further.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from opseer_collector.domain.records import Quarantined
from opseer_collector.domain.windows import EVENTS_KEPT
from opseer_collector.providers.attempts import PermissionMissingError, UnreadableError
from opseer_collector.providers.stripe.client import Params, Place, StripeClient
from opseer_collector.providers.stripe.decode import put_aside
from opseer_collector.providers.stripe.plain_objects import check_shape
from opseer_collector.providers.stripe.shapes import ShapeError, node
from opseer_collector.providers.stripe.taxes import rates_from, taxed_items
from opseer_collector.providers.stripe.usage import (
    finalised_at,
    metered_items,
    subscription_of,
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


@dataclass(slots=True)
class Billed:
    """What invoices tell: charges, oldest first, by subscription item id.

    And the `rates` of taxes inside the price, in per cent, by that and by the id of the
    subscription.
    """

    usage: dict[str, list[UsageCharge]] = field(default_factory=dict)
    rates: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Items:
    """Ids of what an invoice of one subscription is looked for."""

    metered: frozenset[str]
    taxed: frozenset[str]


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

    async def read(self, rows: list[Fields]) -> Billed:
        """Read what the invoices of `rows`, subscriptions, are needed for.

        That is what metered items were charged, back to before the events begin, and
        the newest rate of the taxes inside a price.
        """
        wanted = _wanted(rows)
        billed = Billed()
        try:
            known = await self._newest(wanted) if len(wanted) > _FEW else {}
        except PermissionMissingError:
            self.readable = False
            return billed

        async def read(subscription: str, items: _Items) -> None:
            try:
                invoices = known.get(subscription)
                if invoices is None:
                    invoices = await self._of(subscription, items)
                billed.usage.update(usage_from(invoices, items.metered))
                billed.rates.update(rates_from(invoices, items.taxed))
            except PermissionMissingError:
                self.readable = False
            except (ShapeError, UnreadableError) as error:
                told = ShapeError(error.path, "an invoice")
                self.aside.append(put_aside("invoices", subscription.encode(), told))

        async with asyncio.TaskGroup() as group:
            for subscription, items in wanted.items():
                group.create_task(read(subscription, items))
        return billed

    async def _newest(self, wanted: Mapping[str, _Items]) -> dict[str, list[Fields]]:
        """Read the newest invoices of all, a part of the calls that each alone takes.

        Return those of the subscriptions that need no more.
        """
        found: dict[str, list[Fields]] = {}
        waiting = dict(wanted)
        calls = max(1, len(wanted) // _CALLS_SAVED)
        async with aclosing(self._pages({"limit": _MANY})) as listed:
            with contextlib.suppress(UnreadableError, ShapeError):
                async for page in listed:
                    for fields in page:
                        name = subscription_of(node(fields, "invoice"))
                        if name in waiting:
                            found.setdefault(name, []).append(fields)
                            left = await self._left(fields, waiting[name])
                            if left is None:
                                del waiting[name]
                            else:
                                waiting[name] = left
                    calls -= 1
                    if not waiting or not calls:
                        break
        return {name: rows for name, rows in found.items() if name not in waiting}

    async def _of(self, subscription: str, items: _Items) -> list[Fields]:
        """Read a subscription's invoices, newest first, as far as they are needed.

        That is until each metered item is charged by one from before the days shown,
        whatever this run's events are; the longest period is a year or so.
        """
        found: list[Fields] = []
        params = {"limit": _PAGE, "subscription": subscription}
        async with aclosing(self._pages(params)) as listed:
            async for page in listed:
                for fields in page:
                    found.append(fields)
                    left = await self._left(fields, items)
                    if left is None:
                        return found
                    items = left
        return found

    async def _pages(self, params: Params) -> AsyncGenerator[list[Fields], None]:
        place = Place("/v1/invoices", "invoices")
        async with aclosing(pages(self._client, place, params)) as listed:
            async for page in listed:
                yield [_invoice(raw) for raw in page]

    async def _left(self, invoice: Fields, waiting: _Items) -> _Items | None:
        """Return what waits for an older invoice, None where nothing does.

        Raises ShapeError.
        """
        await follow_lines(self._client, invoice)
        oldest = int((self._now - EVENTS_KEPT).timestamp())
        at = finalised_at(node(invoice, "invoice"))
        metered = waiting.metered
        if at < oldest:
            metered -= usage_from([invoice], metered).keys()
        taxed = waiting.taxed - rates_from([invoice], waiting.taxed).keys()
        over = at < oldest - _LONGEST_PERIOD or not (metered or taxed)
        return None if over else _Items(metered, taxed)


def _wanted(rows: list[Fields]) -> dict[str, _Items]:
    """Return what invoices have to tell, by subscription."""
    metered, taxed = dict(metered_items(rows)), dict(taxed_items(rows))
    none = frozenset[str]()
    return {
        name: _Items(metered.get(name, none), taxed.get(name, none))
        for name in {**metered, **taxed}
    }


def _invoice(raw: msgspec.Raw) -> Fields:
    fields = dict(node(msgspec.json.decode(raw), "invoice").fields)
    check_shape(fields, "invoice")
    return fields


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
