"""What each subscription was worth at the end of a day, to be compared with later."""

from __future__ import annotations

import msgspec

from opseer_mrr.domain.policy import Policy
from opseer_mrr.domain.reasons import State
from opseer_mrr.domain.standing import applied, in_force


class Holding(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A worth above zero, in minor units of `currency`, and what it was made of.

    `usage` is its metered part, `prices` are (price id, quantity), `discounts` the ids
    of those that were subtracted.
    """

    currency: str
    minor: int
    usage: int
    prices: tuple[tuple[str, int], ...]
    discounts: tuple[str, ...] = ()


def holding(state: State, policy: Policy, at: int) -> Holding | None:
    """Return what to keep of a subscription's state at `at`; None for no worth."""
    if state is None:
        return None
    subscription, found = state
    if not found.minor or found.worth is None:
        return None
    discounts = [*applied(subscription, at)]
    for item in subscription.items:
        discounts.extend(item.discounts)
    return Holding(
        currency=found.currency,
        minor=found.minor,
        usage=found.worth.usage,
        prices=tuple(
            (item.price.id, item.quantity or 0) for item in subscription.items
        ),
        discounts=tuple(one.id for one in discounts if in_force(one, policy, at)),
    )
