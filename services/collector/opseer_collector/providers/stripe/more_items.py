"""Items of a subscription beyond the ten that it shows: read from their own list."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from opseer_collector.domain.records import Quarantined
from opseer_collector.providers.attempts import UnreadableError
from opseer_collector.providers.stripe.client import Place, StripeClient
from opseer_collector.providers.stripe.decode import Reader, put_aside
from opseer_collector.providers.stripe.shapes import ShapeError
from opseer_collector.providers.stripe.walk import pages

_PLACE: Final = Place("/v1/subscription_items", "subscription_items")

Fields = dict[str, Any]


def shows_all(row: Fields) -> bool:
    """Tell whether a subscription shows all of its items."""
    items = row.get("items")
    return not isinstance(items, dict) or items.get("has_more") is not True


async def follow_items(
    client: StripeClient, reader: Reader, row: Fields
) -> list[Quarantined]:
    """Complete the items of a subscription, in place; return what cannot be read.

    What is shown stays as it is: its discounts are whole. Items that cannot be read
    leave it incomplete, and mrr says so. Raises PermissionMissingError.
    """
    if shows_all(row):
        return []
    lines: list[Fields] = []
    params = {"limit": "100", "subscription": str(row["id"])}
    try:
        async for page in pages(client, _PLACE, params):
            lines += [reader.plain(raw) for raw in page]
    except UnreadableError as error:
        gap = ShapeError(error.path, "a page")
        return [put_aside(_PLACE.endpoint, str(row["id"]).encode(), gap)]
    except (ShapeError, msgspec.DecodeError) as error:
        return [put_aside(_PLACE.endpoint, str(row["id"]).encode(), error)]
    items = row["items"]
    shown = {one["id"]: one for one in items.get("data") or () if "id" in one}
    if len(lines) >= len(shown):
        items["data"] = [shown.get(line["id"], line) for line in lines]
        items["has_more"] = False
    return []
