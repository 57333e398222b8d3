"""What lists leave out of coupons: their products, and amounts in other currencies.

It is looked up once for each coupon of which it matters. A list can't be asked for it
safely: one property that it doesn't know refuses the whole list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from opseer_collector.providers.attempts import PermissionMissingError, UnreadableError
from opseer_collector.providers.stripe.client import Place, StripeClient
from opseer_collector.providers.stripe.prices import coupons_in
from opseer_collector.providers.stripe.tiers import lines_of

_MOST: Final = 100
_HIDDEN: Final = ("applies_to", "currency_options")
_EXPANDED: Final = tuple(f"discounts.coupon.{name}" for name in _HIDDEN)

Fields = dict[str, Any]


async def complete_coupons(
    client: StripeClient, live: list[Fields], others: list[Fields]
) -> None:
    """Put what is hidden into the coupons of `live` subscriptions, and of `others`."""
    wanted: dict[str, str] = {}
    for coupon_id, subscription in _wanted(live):
        wanted.setdefault(coupon_id, subscription)
    async with asyncio.TaskGroup() as group:
        looking = [
            group.create_task(_look_up(client, subscription))
            for subscription in islice(dict.fromkeys(wanted.values()), _MOST)
        ]
    found = {name: told for one in looking for name, told in one.result().items()}
    for coupon_id, coupon in coupons_in([*live, *others] if found else []):
        if isinstance(coupon, dict):
            coupon.update(found.get(coupon_id, {}))


async def _look_up(client: StripeClient, subscription: str) -> dict[str, Fields]:
    """Return what is told of a subscription's coupons; nothing where it may not be."""
    path = f"/v1/subscriptions/{quote(subscription, safe='')}"
    place = Place(path, "subscriptions/:id")
    try:
        shown = await client.get(place, {"expand[]": _EXPANDED}, Fields)
    except (PermissionMissingError, UnreadableError):
        return {}
    return {
        name: {key: coupon[key] for key in _HIDDEN if coupon.get(key)}
        for name, coupon in coupons_in(shown.get("discounts"))
        if isinstance(coupon, Mapping)
    }


def _wanted(live: Iterable[Fields]) -> Iterator[tuple[str, str]]:
    """Yield each coupon of a part or in another currency, with a subscription of it."""
    for fields in live:
        products = {
            price.get("product")
            for line in lines_of(fields)
            if isinstance(price := line.get("price"), Mapping)
        }
        for coupon_id, coupon in coupons_in(fields.get("discounts")):
            if isinstance(coupon, Mapping):
                currency = coupon.get("currency")
                other = currency is not None and currency != fields.get("currency")
                if other or (len(products) > 1 and "applies_to" not in coupon):
                    yield coupon_id, str(fields["id"])
