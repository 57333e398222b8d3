"""Subscriptions that ended, of all time: they tell who has paid before.

The longest list of a run, and none that today's figures need: it is read last, page by
page, and what cannot be read of it is put aside under a name of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from opseer_collector.domain.records import Batch, Quarantined, Window
from opseer_collector.providers.stripe.client import Params, Place, StripeClient
from opseer_collector.providers.stripe.decode import OLDEST, Reader, put_aside
from opseer_collector.providers.stripe.more_items import follow_items
from opseer_collector.providers.stripe.shapes import ShapeError
from opseer_collector.providers.stripe.subscriptions import Known, subscription_from
from opseer_collector.providers.stripe.tiers import Tiers
from opseer_collector.providers.stripe.walk import Listing, Walk
from opseer_common.contracts.subscription import Subscription

_NAME: Final = "ended_subscriptions"
_PLACE: Final = Place("/v1/subscriptions", "subscriptions")
_PLAIN: Final[Params] = {"status": "canceled"}

Fields = dict[str, Any]


class Ended:
    """Reads the ended subscriptions into batches."""

    def __init__(
        self,
        client: StripeClient,
        reader: Reader,
        tiers: Tiers,
        store: Callable[[Batch], Awaitable[None]],
    ) -> None:
        """Read with `client`; each page goes to `store` at once."""
        self._client = client
        self._reader = reader
        self._tiers = tiers
        self._store = store

    async def read(self, until: int, expand: Sequence[str]) -> None:
        """Read those created before `until`, with what the key may `expand`.

        Raises PermissionMissingError, alone or in a group.
        """
        params: Params = {**_PLAIN, "expand[]": expand} if expand else _PLAIN
        listing = Listing(_NAME, self._reader.plain, self._keep, _PLACE, params)
        await Walk(self._client, listing, self._reader, _untold).run(OLDEST, until)

    async def _keep(
        self,
        rows: Sequence[Fields],
        aside: Sequence[Quarantined],
        _: Window | None,
    ) -> None:
        unread = list(aside)
        for fields in rows:
            unread += await follow_items(self._client, self._reader, fields)
        known = Known(tiers=await self._tiers.of(rows))
        ended: list[Subscription] = []
        for fields in rows:
            try:
                ended.append(ended_from(subscription_from(fields, known)))
            except ShapeError as error:
                raw = msgspec.json.encode(fields)
                unread.append(put_aside(_NAME, raw, error))
        await self._store(Batch(ended=ended, quarantined=unread))


def ended_from(state: Subscription) -> Subscription:
    """Return a subscription that ended with its `ended_at`; ShapeError without one."""
    at = state.ended_at if state.ended_at is not None else state.canceled_at
    if at is None:
        raise ShapeError("subscription.ended_at", "an instant")
    return msgspec.structs.replace(state, ended_at=at)


async def _untold(percent: int, covered: int) -> None:
    """Show nothing: no figure waits for this list."""
