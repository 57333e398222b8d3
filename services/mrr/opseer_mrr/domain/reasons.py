"""Why a subscription's MRR changed in a day, as a code of a closed list.

The codes are shown beside each change and listed in docs/MRR.md.
"""

from __future__ import annotations

from opseer_common.contracts.subscription import Subscription
from opseer_mrr.domain.snapshot import Value

State = tuple[Subscription | None, Value | None]

_BACK = {
    "trial": "trial_converted",
    "incomplete": "new",
    "unpaid": "reactivated",
    "grace_over": "reactivated",
    "paused": "resumed",
    "cancelled": "cancellation_undone",
    "ended": "reactivated",
}
_GONE = {
    "trial": "trial_extension",
    "incomplete": "ended",
    "unpaid": "unpaid",
    "grace_over": "grace_over",
    "paused": "paused",
    "cancelled": "cancelled",
}


def reason_of(before: State, after: State) -> str:
    """Return the code for the way from one state to the other.

    Each state comes with its value at that end of the day; None for no subscription.
    """
    earlier, later = before[1], after[1]
    if earlier is None or earlier.worth is None:
        return "new" if earlier is None else _BACK[earlier.standing]
    if later is None or later.worth is None:
        return _ending(after[0]) if later is None else _gone(after[0], later)
    if before[0] is None or after[0] is None:  # pragma: no cover - values have states
        raise AssertionError("a value without a state")
    if earlier.currency != later.currency:
        return "currency_change"
    up = later.minor > earlier.minor
    usage = earlier.worth.licensed == later.worth.licensed
    return _repriced(before[0], after[0], up=up, usage=usage)


def _gone(state: Subscription | None, later: Value) -> str:
    return _GONE.get(later.standing) or _ending(state)


def _ending(state: Subscription | None) -> str:
    """Tell an end that was asked for before, or came by itself, from a cancellation."""
    if state is None or state.canceled_at is None or state.ended_at is None:
        return "cancelled"
    return "ended" if state.canceled_at < state.ended_at else "cancelled"


def _repriced(
    before: Subscription, after: Subscription, *, up: bool, usage: bool
) -> str:
    """Tell what about a subscription that counts all along changed its worth.

    `usage` where the licensed part did not change.
    """
    if _prices(before) != _prices(after):
        if _intervals(before) != _intervals(after):
            return "interval_change"
        return "upgrade" if up else "downgrade"
    if _quantities(before) != _quantities(after):
        return "seats"
    if usage:
        return "usage"
    return "discount_ended" if up else "discount_started"


def _prices(state: Subscription) -> list[tuple[str, str]]:
    return sorted((item.price.id, item.price.unit_amount or "") for item in state.items)


def _intervals(state: Subscription) -> set[tuple[str, int]]:
    return {(item.price.interval, item.price.interval_count) for item in state.items}


def _quantities(state: Subscription) -> list[tuple[str, int]]:
    return sorted((item.price.id, item.quantity or 0) for item in state.items)
