"""Why a subscription's MRR changed in a day, as a code of a closed list.

The codes and their words are opseer_common/contracts/movement_reasons.py. Movements add
three of their own: `reactivated`, `came_and_went` and `missed_event`.
"""

from __future__ import annotations

from collections import Counter

from opseer_common.contracts.subscription import Subscription
from opseer_mrr.domain.snapshot import Value

State = tuple[Subscription, Value] | None
"""A subscription and its value at one instant; None for no subscription."""

_BACK = {
    "trial": "trial_converted",
    "incomplete": "new",
    "unpaid": "recovered",
    "grace_over": "recovered",
    "paused": "resumed",
    "cancelled": "cancellation_undone",
    "ended": "reactivated",
}
_GONE = {
    "trial": "trial_extended",
    "incomplete": "unpaid",
    "unpaid": "unpaid",
    "grace_over": "grace_over",
    "paused": "paused",
    "cancelled": "cancelled",
}


def reason_of(before: State, after: State) -> str:
    """Return the code for the way from one end of a day to the other."""
    if before is None:
        return "new"
    was, earlier = before
    if earlier.worth is None:
        return _BACK[earlier.standing]
    if after is None:
        return "cancelled"
    now, later = after
    if later.worth is None:
        return _GONE.get(later.standing) or _ending(now)
    if earlier.currency != later.currency:
        return "currency_change"
    return _changed((was, now), earlier.worth.licensed, later.worth.licensed)


def _changed(
    states: tuple[Subscription, Subscription], earlier: int, later: int
) -> str:
    """Tell what changed the licensed part (minor units); usage where nothing did."""
    if earlier == later:
        return "usage"
    up = later > earlier
    return _moved(*states, up=up) or _repriced(*states, up=up)


def _ending(state: Subscription) -> str:
    """Tell an end that was asked for before, or came by itself, from a cancellation."""
    if state.canceled_at is None or state.ended_at is None:
        return "cancelled"
    return "ended" if state.canceled_at < state.ended_at else "cancelled"


def _moved(before: Subscription, after: Subscription, *, up: bool) -> str | None:
    """Tell a move between prices; None where it is on the same ones as before."""
    had, has = (
        Counter(item.price.id for item in state.items) for state in (before, after)
    )
    if had < has and up:
        return "items_added"
    if has < had and not up:
        return "items_removed"
    if _intervals(before) != _intervals(after):
        return "interval_change"
    if had == has:
        return None
    return "upgrade" if up else "downgrade"


def _repriced(before: Subscription, after: Subscription, *, up: bool) -> str:
    """Tell what made the same prices come to another amount."""
    if _quantities(before) != _quantities(after):
        return "seats"
    if _terms(before) != _terms(after):
        return "price_edit"
    if _taxes(before) != _taxes(after):
        return "tax_change"
    return "discount_ended" if up else "discount_started"


def _intervals(state: Subscription) -> set[tuple[str, int]]:
    return {(item.price.interval, item.price.interval_count) for item in state.items}


def _quantities(state: Subscription) -> list[tuple[str, int]]:
    return sorted((item.price.id, item.quantity or 0) for item in state.items)


def _terms(state: Subscription) -> list[tuple[str, str]]:
    return sorted(
        (item.price.id, f"{item.price.unit_amount} {item.price.tiers}")
        for item in state.items
    )


def _taxes(state: Subscription) -> list[tuple[str, str]]:
    return sorted((item.price.id, item.inclusive_tax) for item in state.items)
