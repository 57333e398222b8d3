"""Events of customers' discounts made into changes of their subscriptions."""

from __future__ import annotations

from typing import Any

from opseer_collector.providers.stripe.customer_discounts import (
    by_customer,
    changes_of,
)
from opseer_common.contracts.subscription import (
    Discount,
    Item,
    Price,
    Subscription,
    SubscriptionChange,
)

AT = 1_700_000_000
COUPON = {"id": "fifth", "percent_off": 20, "duration": "forever"}
FIFTH = Discount("di_1", percent_off="20", start=AT)


def state(number: int = 1, **changes: Any) -> Subscription:
    """Return a subscription of the customer."""
    fields: dict[str, Any] = {"status": "active", "currency": "usd", "created": 1}
    return Subscription(f"sub_{number}", "cus_1", **fields | changes)


def changes(
    kind: str,
    shown: dict[str, Any],
    *states: Subscription,
    previous: dict[str, Any] | None = None,
    coupons: dict[str, object] | None = None,
) -> list[SubscriptionChange]:
    """Return what an event an hour after AT is about."""
    told = {"id": "di_1", "customer": "cus_1", "start": AT, "coupon": COUPON, **shown}
    event = {
        "id": "evt_1",
        "type": f"customer.discount.{kind}",
        "created": AT + 3600,
        "data": {"object": told, "previous_attributes": previous},
    }
    known = by_customer(states or [state()])
    return list(changes_of(event, 7, known, coupons or {}))


def discounts(found: list[SubscriptionChange]) -> tuple[Discount, ...]:
    """Return the discounts of the only change."""
    (change,) = found
    return change.after.customer_discounts


def test_each_subscription_of_the_customer_is_told() -> None:
    """Under ids of their own; one that ended as well, for what it had until then."""
    found = changes("created", {}, state(), state(2), state(4, ended_at=AT))
    assert [(one.event_id, one.at, one.position) for one in found] == [
        (f"evt_1:sub_{number}", AT + 3600, 7) for number in (1, 2, 4)
    ]
    assert {one.kind for one in found} == {"customer_discount"}
    assert found[0].after.customer_discounts == (FIFTH,)


def test_what_was_taken_away_has_its_end() -> None:
    """The event's instant, or the coupon's own end where that came first."""
    assert discounts(changes("deleted", {}))[0].end == AT + 3600
    assert discounts(changes("deleted", {"end": AT + 60}))[0].end == AT + 60


def test_another_coupon_ends_the_one_before() -> None:
    """What the event says there was, until it; what it shows, from it on."""
    previous = {"coupon": {**COUPON, "percent_off": 50}}
    before, after = discounts(changes("updated", {}, previous=previous))
    assert (before.percent_off, before.start, before.end) == ("50", AT, AT + 3600)
    assert (after.percent_off, after.start, after.end) == ("20", AT + 3600, None)


def test_an_end_that_moved_is_the_same_discount() -> None:
    """Its terms are as before."""
    found = changes("updated", {"end": AT + 9999}, previous={"end": None})
    assert [one.end for one in discounts(found)] == [AT + 9999]


def test_a_coupon_behind_its_id_is_known_from_elsewhere() -> None:
    """Newer versions tell the id alone."""
    shown = {"coupon": None, "source": {"coupon": "fifth", "type": "coupon"}}
    assert discounts(changes("created", shown, coupons={"fifth": COUPON})) == (FIFTH,)
    assert discounts(changes("created", shown))[0].duration == "unknown"


def test_discounts_of_subscriptions_and_items_are_not_the_customers() -> None:
    """Nor is anything else."""
    assert not changes("created", {"subscription": "sub_1"})
    assert not changes("updated", {"subscription_item": "si_1"})
    assert not changes("created", {"customer": "cus_2"})


def test_the_end_of_a_subscriptions_own_is_told() -> None:
    """It may be over before anything is read: of the one that had it, with its end."""
    (found,) = changes("deleted", {"subscription": "sub_2"}, state(), state(2))
    assert (found.kind, found.subscription_id) == ("discount_ended", "sub_2")
    [told] = found.after.discounts
    assert (told.percent_off, told.start, told.end) == ("20", AT, AT + 3600)


def test_the_end_of_an_items_own_is_told() -> None:
    """It stands on that item, and the others have none."""
    price = Price("price_1", "usd", "month")
    items = (Item("si_1", price), Item("si_2", price, discounts=(FIFTH,)))
    shown = {"subscription": "sub_1", "subscription_item": "si_1"}
    (found,) = changes("deleted", shown, state(items=items))
    assert [len(item.discounts) for item in found.after.items] == [1, 0]
    assert found.after.discounts == ()
    assert not changes("deleted", {"subscription_item": "si_9"}, state(items=items))
