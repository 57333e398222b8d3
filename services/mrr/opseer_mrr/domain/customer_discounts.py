"""A customer's own discounts over time.

They stand on the customer, so that no state of a subscription tells when one came or
went: changes of the kind `customer_discount` do, each with the discounts it is about.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from opseer_common.contracts.subscription import (
    Discount,
    Subscription,
    SubscriptionChange,
)

CUSTOMER_DISCOUNT: Final = "customer_discount"


def with_history(
    state: Subscription, changes: Iterable[SubscriptionChange]
) -> Subscription:
    """Give a state every discount its customer is known to have had.

    One that is told more than once ends at the earliest end that is told: later
    tellings know that it was taken away.
    """
    found: dict[tuple[str, int | None], Discount] = {}
    told = [
        change.after.customer_discounts
        for change in changes
        if change.kind == CUSTOMER_DISCOUNT
    ]
    for one in (*state.customer_discounts, *(each for some in told for each in some)):
        place = one.id, one.start
        found[place] = _shorter(found.get(place, one), one)
    ordered = sorted(found.values(), key=lambda one: (one.start or 0, one.id))
    return msgspec.structs.replace(state, customer_discounts=tuple(ordered))


def with_ends(
    changes: Iterable[SubscriptionChange], ended: Iterable[Subscription]
) -> list[SubscriptionChange]:
    """Give what ended the customer's discounts that its last state came with."""
    last = {one.id: one.customer_discounts for one in ended if one.customer_discounts}
    return [
        _with_end(change, last[change.subscription_id])
        if change.kind == "deleted" and change.subscription_id in last
        else change
        for change in changes
    ]


def _with_end(
    change: SubscriptionChange, discounts: tuple[Discount, ...]
) -> SubscriptionChange:
    own = change.after.customer_discounts or discounts
    after = msgspec.structs.replace(change.after, customer_discounts=own)
    return msgspec.structs.replace(change, after=after)


def _shorter(one: Discount, other: Discount) -> Discount:
    """Return the telling of a discount that ends first; the one with terms if one."""
    ends = [end for end in (one.end, other.end) if end is not None]
    told = other if one.duration == "unknown" else one
    return msgspec.structs.replace(told, end=min(ends, default=None))
