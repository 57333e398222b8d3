"""`opseer explain` of Stripe's events: what each day's moved, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from fractions import Fraction

from opseer_collector.providers.stripe.prices import discount_index
from opseer_collector.providers.stripe.subscriptions import (
    Known,
    change_from,
    order_events,
)
from opseer_common.contracts.movement_reasons import REASON_TEXTS
from opseer_common.contracts.subscription import SubscriptionChange
from opseer_common.days import DayRange, day_of, zone
from opseer_mrr.domain.movements import compute_movements
from opseer_mrr.domain.policy import Policy
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.rows import MovementChange
from opseer_mrr.domain.words import amount_words

_ENDED = frozenset({"canceled", "incomplete_expired"})


def explain_events(
    events: Iterable[Mapping[str, object]], policy: Policy
) -> Iterator[str]:
    """Yield what events of subscriptions moved, day by day in the policy's zone.

    `events` are newest first, as Stripe lists them. Raises ShapeError.
    """
    listed = list(events)
    known = Known(discounts=discount_index((), listed, {}))
    changes = [
        change
        for position, event in order_events(listed)
        if (change := change_from(event, position, known)) is not None
    ]
    moved = list(_moved(changes, policy)) if changes else []
    if not moved:
        yield "Nothing moved: no event changes what a subscription is worth."
    for one in moved:
        yield from _words(one)


def _moved(
    changes: list[SubscriptionChange], policy: Policy
) -> Iterator[MovementChange]:
    """Yield the changes of MRR that the events come to."""
    tz = zone(policy.timezone)
    first, last = (datetime.fromtimestamp(changes[at].at, UTC) for at in (0, -1))
    states = {change.subscription_id: change.after for change in changes}
    found = compute_movements(
        [state for state in states.values() if state.status not in _ENDED],
        changes,
        policy,
        changes[0].after.currency,
        RateTable(),
        days=DayRange(day_of(first, tz), day_of(last, tz)),
        tz=tz,
        now=last,
    )
    yield from found.changes


def _words(one: MovementChange) -> Iterator[str]:
    before, after = (
        amount_words(Fraction(minor), one.currency)
        for minor in (one.before_minor, one.after_minor)
    )
    step = amount_words(Fraction(one.after_minor - one.before_minor), one.currency)
    yield (
        f"{one.day} {one.subscription_id} (customer {one.customer_id})"
        f" {REASON_TEXTS[one.reason]}: {before} -> {after}"
    )
    yield f"  {one.category} {step}, by {', '.join(one.event_ids) or 'no event'}"
    for when, lines in (
        ("before", one.arithmetic_before),
        ("after", one.arithmetic_after),
    ):
        for line in lines or ("no subscription",):
            yield f"  {when}: {line}"
