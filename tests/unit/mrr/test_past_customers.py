"""Who has paid before, as told by subscriptions that ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from opseer_common.contracts.subscription import (
    Discount,
    Subscription,
    SubscriptionChange,
)
from opseer_mrr.domain.computation import past_customers
from opseer_mrr.domain.former import has_paid
from opseer_mrr.domain.policy import PRESETS, Policy

DAY = 86_400
START = 1_700_000_000
OPSEER = PRESETS["opseer"]
Build = Callable[..., Subscription]


@pytest.fixture
def ended(subscription: Build) -> Build:
    """Build a subscription of 10.00 a month that ended ten days before START."""

    def build(**fields: Any) -> Subscription:
        plain: dict[str, Any] = {"status": "canceled", "ended_at": START - 10 * DAY}
        return subscription(**plain | fields)

    return build


def knows(one: Subscription, policy: Policy = OPSEER) -> bool:
    """Tell whether the customer of an ended subscription has paid before START."""
    return past_customers([one], [], policy, START) == {one.customer}


def test_who_paid_until_the_end_has_paid_before(ended: Build) -> None:
    """A subscription that was worth something and ended."""
    assert knows(ended())


@pytest.mark.parametrize("preset", PRESETS)
def test_an_end_that_was_asked_for_changes_nothing(ended: Build, preset: str) -> None:
    """Under no policy: before it was asked for, the subscription counted."""
    asked = ended(canceled_at=START - 20 * DAY, cancel_at_period_end=True)
    assert knows(asked, PRESETS[preset])


def test_a_pause_before_the_end_changes_nothing(ended: Build) -> None:
    """Who paused had something to pause."""
    assert knows(ended(pause_behavior="void"))


def test_a_trial_is_no_payment(ended: Build) -> None:
    """One that ended in its trial, or with it; one that ended later was paid."""
    assert not knows(ended(trial_end=START - 5 * DAY))
    assert not knows(ended(trial_end=START - 10 * DAY))
    assert knows(ended(trial_end=START - 12 * DAY))


def test_free_time_given_later_is_no_first_trial(ended: Build) -> None:
    """Who ended in a free month paid before it: that trial began after the start."""
    month = {"trial_start": START - 20 * DAY, "trial_end": START - 5 * DAY}
    assert knows(ended(**month, created=START - 50 * DAY))
    assert not knows(ended(**month, created=START - 20 * DAY))


@pytest.mark.parametrize(
    ("state", "paid"),
    [
        ({"status": "unpaid"}, True),
        ({"pause_behavior": "void"}, True),
        ({"status": "paused"}, True),
        # A trial that ended without a payment method.
        ({"status": "paused", "trial_end": START - 5 * DAY}, False),
        ({"status": "trialing", "trial_start": START - 50 * DAY}, False),
        ({"status": "trialing", "trial_start": START - 5 * DAY}, True),
        ({"status": "incomplete"}, False),
        ({"status": "unpaid", "price": {"unit_amount": "0"}}, False),
    ],
)
def test_what_is_worth_nothing_now_may_have_been_paid(
    subscription: Build, state: dict[str, Any], *, paid: bool
) -> None:
    """Stopped after it was paid, or given free time; not one that never began."""
    stopped = subscription(created=START - 50 * DAY, **state)
    assert has_paid(stopped, OPSEER, START) is paid


def test_what_was_free_is_no_payment(ended: Build) -> None:
    """A price of nothing, and a coupon of 100 percent for ever; not one for once."""
    assert not knows(ended(price={"unit_amount": "0"}))
    whole = Discount(id="di_1", percent_off="100")
    assert not knows(ended(discounts=(whole,)))
    once = Discount(id="di_1", percent_off="100", duration="once")
    assert knows(ended(discounts=(once,)))


def test_an_end_in_the_window_counts_from_its_own_day(
    ended: Build,
    subscription: Build,
    change: Callable[..., SubscriptionChange],
) -> None:
    """Its events tell when; without one it ended before the events begin."""
    late = ended(ended_at=START + DAY)
    told = change(subscription(), late, START + DAY, kind="deleted")
    assert past_customers([late], [told], OPSEER, START) == frozenset()
    assert past_customers([late], [], OPSEER, START) == {late.customer}
    early = ended()
    old = change(subscription(), early, START - 10 * DAY, kind="deleted")
    assert past_customers([early], [old], OPSEER, START) == {early.customer}
