"""Tiers of prices, which lists of subscriptions leave out: looked up once each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from opseer_collector.providers.attempts import PermissionMissingError, UnreadableError
from opseer_collector.providers.stripe.client import Place, StripeClient
from opseer_collector.providers.stripe.prices import tiers_index
from opseer_collector.providers.stripe.shapes import ShapeError
from opseer_common.contracts.subscription import Tier

Fields = dict[str, Any]


class Tiers:
    """The tiers that one run has come across."""

    def __init__(self, client: StripeClient) -> None:
        """Look up with `client`."""
        self._client = client
        self._asked: set[str] = set()
        self._known: dict[str, tuple[Tier, ...]] = {}
        self.readable = True
        """False once the key may not read a price."""

    async def of(
        self, shown: Iterable[Mapping[str, object]]
    ) -> Mapping[str, tuple[Tier, ...]]:
        """Return all tiers known by price id, after those of `shown` were looked up."""
        async with asyncio.TaskGroup() as group:
            for price in sorted(_tiered_prices(shown) - self._asked):
                self._asked.add(price)
                group.create_task(self._look_up(price))
        return self._known

    async def _look_up(self, price: str) -> None:
        place = Place(f"/v1/prices/{quote(price, safe='')}", "prices/:id")
        try:
            found = await self._client.get(place, {"expand[]": "tiers"}, Fields)
            self._known |= tiers_index([found])
        except PermissionMissingError:
            self.readable = False
        except (ShapeError, UnreadableError):
            return


def lines_of(shown: Mapping[str, object]) -> Iterator[Fields]:
    """Yield the items of a subscription object that are objects."""
    items = shown.get("items")
    data = items.get("data") if isinstance(items, dict) else None
    for line in data if isinstance(data, list) else ():
        if isinstance(line, dict):
            yield line


def _tiered_prices(shown: Iterable[Mapping[str, object]]) -> frozenset[str]:
    """Return the ids of tiered prices whose tiers are not told."""
    return frozenset(
        price["id"]
        for fields in shown
        for line in lines_of(fields)
        for price in (line.get("price"), line.get("plan"))
        if isinstance(price, dict)
        and price.get("billing_scheme") == "tiered"
        and isinstance(price.get("id"), str)
        and not price.get("tiers")
    )
