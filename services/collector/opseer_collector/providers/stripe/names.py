"""What customers and products are called: for reading, in no figure.

Customers are looked up for subscriptions that changed of late, where they did not come
along with those, in the newest pages of their list first and a few of the others one by
one; products by their list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from opseer_collector.domain.records import Name
from opseer_collector.providers.attempts import UnreadableError
from opseer_collector.providers.stripe.client import Place, StripeClient
from opseer_collector.providers.stripe.walk import pages
from opseer_common.contracts.subscription import Subscription

_MOST_PAGES: Final = 20
_MOST_SINGLE: Final = 100
_LONGEST: Final = 300
_NUL: Final = "\0"


class _Named(msgspec.Struct):
    id: str
    name: str | None = None
    email: str | None = None


def products_of(subscriptions: Iterable[Subscription]) -> frozenset[str]:
    """Return the ids of the products that subscriptions are about."""
    return frozenset(
        item.price.product
        for one in subscriptions
        for item in one.items
        if item.price.product is not None
    )


class Names:
    """Looks names up with one key."""

    def __init__(
        self, client: StripeClient, customers: Mapping[str, Mapping[str, object]]
    ) -> None:
        """Read with `client`; `customers`, by id, were read before."""
        self._client = client
        self._read = {"customer": customers, "product": {}}

    async def customers(self, wanted: frozenset[str]) -> list[Name]:
        """Return the names of the customers with the ids `wanted`, as far as found."""
        return await self._find("customers", "customer", wanted)

    async def products(self, wanted: frozenset[str]) -> list[Name]:
        """Return the names of the products with the ids `wanted`, as far as found."""
        return await self._find("products", "product", wanted)

    async def _find(
        self, endpoint: str, kind: str, wanted: frozenset[str]
    ) -> list[Name]:
        found: dict[str, Name] = {}
        for one in wanted & self._read[kind].keys():
            fields = msgspec.json.encode(self._read[kind][one])
            self._take(kind, msgspec.Raw(fields), wanted, found)
        if found.keys() >= wanted:
            return list(found.values())
        read = 0
        place = Place(f"/v1/{endpoint}", endpoint)
        async for page in pages(self._client, place, {"limit": "100"}):
            for raw in page:
                self._take(kind, raw, wanted, found)
            read += 1
            if found.keys() >= wanted or read == _MOST_PAGES:
                break
        for one in sorted(wanted - found.keys())[:_MOST_SINGLE]:
            await self._single(endpoint, kind, one, found)
        return list(found.values())

    async def _single(
        self, endpoint: str, kind: str, wanted: str, found: dict[str, Name]
    ) -> None:
        """Look one up; who was deleted has no name any more."""
        place = Place(f"/v1/{endpoint}/{quote(wanted, safe='')}", f"{endpoint}/:id")
        try:
            raw = await self._client.get(place, {}, msgspec.Raw)
        except UnreadableError:
            return
        self._take(kind, raw, frozenset({wanted}), found)

    def _take(
        self,
        kind: str,
        raw: msgspec.Raw,
        wanted: frozenset[str],
        found: dict[str, Name],
    ) -> None:
        try:
            one = msgspec.json.decode(raw, type=_Named)
        except msgspec.DecodeError:
            return
        if one.id in wanted:
            found[one.id] = Name(kind, one.id, _short(one.name), _short(one.email))


def _short(text: str | None) -> str | None:
    """Return a text that Postgres takes and a page has room for."""
    return None if text is None else text.replace(_NUL, "")[:_LONGEST]
