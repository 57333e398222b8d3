"""Customers' own discounts over time: what they move, and what hides them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from msgspec.structs import replace

from opseer_common.contracts.subscription import (
    Discount,
    Subscription,
    SubscriptionChange,
)
from opseer_common.days import DayRange, zone
from opseer_mrr.domain.customer_discounts import (
    CUSTOMER_DISCOUNT,
    with_ends,
    with_history,
)
from opseer_mrr.domain.movements import compute_movements
from opseer_mrr.domain.policy import Policy
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.rows import Movements

Build = Callable[..., Subscription]
AT = int(datetime(2026, 1, 10, 10, tzinfo=UTC).timestamp())
FIFTH = Discount("di_1", percent_off="20", start=AT)
"""Twenty percent for ever, given on the tenth."""


def told(state: Subscription, discount: Discount, at: int) -> SubscriptionChange:
    """Return the event that gives or takes a customer's discount."""
    return SubscriptionChange(
        event_id=f"evt_{at}",
        subscription_id=state.id,
        at=at,
        position=0,
        kind=CUSTOMER_DISCOUNT,
        before=None,
        after=replace(state, customer_discounts=(discount,)),
    )


def moved(live: Subscription, *changes: SubscriptionChange) -> Movements:
    """Return the movements of the ninth to the eleventh."""
    return compute_movements(
        [live],
        changes,
        Policy(),
        "usd",
        RateTable(),
        days=DayRange(date(2026, 1, 9), date(2026, 1, 11)),
        tz=zone("UTC"),
        now=datetime(2026, 1, 11, 18, tzinfo=UTC),
    )


def course(found: Movements) -> list[tuple[int, int, Any]]:
    """Return snapshot, net and reason of each day."""
    return [(row.snapshot, row.net, row.reason) for row in found.by_subscription]


def test_a_coupon_of_the_customer_moves_its_subscription(subscription: Build) -> None:
    """10.00 a month becomes 8.00 on the day on which it is given, by that event."""
    live = subscription(customer_discounts=(FIFTH,))
    found = moved(live, told(live, FIFTH, AT))
    assert course(found) == [(1000, 0, None), (800, -200, None), (800, 0, None)]
    (change,) = found.changes
    assert (change.category, change.event_ids) == ("contraction", (f"evt_{AT}",))
    assert change.reason == "discount_started"


def test_a_coupon_taken_away_moves_it_back(subscription: Build) -> None:
    """Today's state knows nothing of it any more: the two events tell both ends."""
    live = subscription()
    events = (
        told(live, FIFTH, AT),
        told(live, replace(FIFTH, end=AT + 86_400), AT + 86_400),
    )
    for order in (events, events[::-1]):
        assert course(moved(live, *order)) == [
            *((1000, 0, None), (800, -200, None), (1000, 200, None))
        ]


def test_a_discount_of_the_subscription_hides_it(subscription: Build) -> None:
    """Half off for the subscription; the customer's comes and moves nothing."""
    live = subscription(discounts=(Discount("di_2", percent_off="50"),))
    found = moved(live, told(live, FIFTH, AT))
    assert course(found) == [(500, 0, None)] * 3


def test_a_coupon_without_terms_marks_its_days_alone(subscription: Build) -> None:
    """Taken away on the tenth: the day after is known again."""
    live = subscription()
    bare = Discount("di_1", duration="unknown", start=AT - 90 * 86_400, end=AT)
    reasons = [reason for _, _, reason in course(moved(live, told(live, bare, AT)))]
    assert reasons == ["MISSED_EVENT", "MISSED_EVENT", None]


def test_a_change_without_a_state_is_left_out(subscription: Build) -> None:
    """A subscription of which no state is known has no course."""
    assert (
        moved(subscription(), told(subscription(id="sub_2"), FIFTH, AT)).changes == ()
    )


def test_the_telling_with_terms_goes_before_one_without(subscription: Build) -> None:
    """The earliest end counts, and terms that are known."""
    bare = replace(FIFTH, duration="unknown", percent_off=None, end=AT + 9)
    state = subscription(customer_discounts=(FIFTH,))
    for first, second in ((FIFTH, bare), (bare, FIFTH)):
        known = replace(state, customer_discounts=(first,))
        found = with_history(known, [told(state, second, AT)])
        assert found.customer_discounts == (replace(FIFTH, end=AT + 9),)


def test_what_ended_takes_away_what_it_was_worth(
    subscription: Build, change: Callable[..., SubscriptionChange]
) -> None:
    """8.00 with the customer's coupon, which the list of ended ones tells."""
    gone = subscription(status="canceled")
    early = replace(FIFTH, start=AT - 90 * 86_400)
    deletion = change(None, gone, AT, kind="deleted")
    listed = replace(gone, customer_discounts=(early,))
    found = compute_movements(
        [],
        with_ends([deletion], [gone, listed]),
        Policy(),
        "usd",
        RateTable(),
        days=DayRange(date(2026, 1, 9), date(2026, 1, 11)),
        tz=zone("UTC"),
        now=datetime(2026, 1, 11, 18, tzinfo=UTC),
    )
    assert course(found) == [(800, 0, None), (0, -800, None), (0, 0, None)]
