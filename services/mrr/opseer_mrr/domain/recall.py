"""Discounts that ended: a provider may show them nowhere any more.

A coupon for some months is over on its day, event or not. So what is seen with an end,
or told of at its end, is kept, and given back to the states that don't show it: there
it is over, and in the days before it was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from opseer_common.contracts.subscription import (
    Discount,
    Subscription,
    SubscriptionChange,
)

DISCOUNT_ENDED = "discount_ended"
_replace = msgspec.structs.replace


class Ending(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A discount with an end, on an item or (None) on the whole subscription."""

    item: str | None
    discount: Discount


Endings = Mapping[str, Sequence[Ending]]
"""By subscription id."""


def endings(live: Iterable[Subscription], kept: Endings, since: int) -> Endings:
    """Return what to keep of `live` and of what was kept: ends from `since` on."""
    found: dict[str, dict[tuple[str | None, str], Ending]] = {}
    for name, endings_of in kept.items():
        for one in endings_of:
            found.setdefault(name, {})[one.item, one.discount.id] = one
    for state in live:
        for one in _shown(state):
            found.setdefault(state.id, {})[one.item, one.discount.id] = one
    still = {
        name: tuple(one for one in own.values() if (one.discount.end or 0) >= since)
        for name, own in found.items()
    }
    return {name: own for name, own in still.items() if own}


def told_endings(
    changes: Iterable[SubscriptionChange], kept: Endings
) -> tuple[list[SubscriptionChange], Endings]:
    """Return the changes of state, and what was kept with what the others tell."""
    told: list[Subscription] = []
    rest: list[SubscriptionChange] = []
    for one in changes:
        if one.kind == DISCOUNT_ENDED:
            told.append(one.after)
        else:
            rest.append(one)
    return rest, endings(told, kept, 0) if told else kept


def _shown(state: Subscription) -> Iterable[Ending]:
    listed: list[tuple[str | None, Discount]] = [(None, d) for d in state.discounts]
    for item in state.items:
        listed.extend((item.id, one) for one in item.discounts)
    return [Ending(item, one) for item, one in listed if one.end is not None]


def recalled(
    live: Sequence[Subscription],
    changes: Sequence[SubscriptionChange],
    kept: Endings,
    now: int,
) -> tuple[list[Subscription], list[SubscriptionChange]]:
    """Return the states at `now` and the changes, with what was kept of them."""
    if not kept:
        return [*live], [*changes]
    return (
        [_with_ended(one, kept.get(one.id, ()), now) for one in live],
        [
            _replace(
                one,
                before=one.before and _with_ended(one.before, own, one.at),
                after=_with_ended(one.after, own, one.at),
            )
            if (own := kept.get(one.subscription_id, ()))
            else one
            for one in changes
        ],
    )


def _with_ended(state: Subscription, kept: Sequence[Ending], at: int) -> Subscription:
    """Give a state at `at` what was over by then, and the terms of what it shows."""
    for one in kept:
        if one.item is None:
            discounts = _joined(state.discounts, one.discount, at)
            state = _replace(state, discounts=discounts)
            continue
        items = tuple(
            _replace(item, discounts=_joined(item.discounts, one.discount, at))
            if item.id == one.item
            else item
            for item in state.items
        )
        state = _replace(state, items=items)
    return state


def _joined(
    shown: tuple[Discount, ...], kept: Discount, at: int
) -> tuple[Discount, ...]:
    if any(one.id == kept.id for one in shown):
        return tuple(
            kept if one.id == kept.id and one.duration == "unknown" else one
            for one in shown
        )
    over = kept.end is not None and kept.end <= at
    return (kept, *shown) if over else shown
