"""What a difference between carried and recomputed MRR is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec
import pytest

from opseer_common.contracts.subscription import (
    Discount,
    Subscription,
    SubscriptionChange,
    UsageCharge,
)
from opseer_mrr.domain.computation import (
    ConnectionKey,
    Figures,
    Inputs,
    ObservedRate,
    Settings,
    Stored,
    compute,
)
from opseer_mrr.domain.holdings import Holding
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.reconciliation import (
    Closing,
    Part,
    Reconciliation,
    reconcile,
)

Build = Callable[..., Subscription]
DAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
_PLAIN = Holding("usd", 1000, 0, (("price_1", 1),))
_EURO = Holding("eur", 1000, 0, (("price_e", 1),))


def compared(
    stored: Mapping[str, Holding] | None,
    known: Mapping[str, Holding],
    snapshots: tuple[int, int],
    rate: str = "1.1",
) -> Reconciliation:
    """Return the comparison of two ends of DAY, with 5.00 moved since."""
    return reconcile(
        DAY,
        Closing(snapshots[0], stored),
        Closing(snapshots[1], known),
        500,
        "usd",
        RateTable.from_major([("eur", "usd", DAY, Fraction(rate))]),
    )


def _with(**fields: Any) -> Holding:
    return msgspec.structs.replace(_PLAIN, **fields)


@pytest.mark.parametrize(
    ("after", "cause"),
    [
        (None, "missed_event"),
        (_with(minor=2000, prices=(("price_1", 2),)), "missed_event"),
        (_with(minor=3000, prices=(("price_2", 1),)), "missed_event"),
        (_with(minor=1200), "price_edit"),
        (_with(minor=500, discounts=("di_1",)), "coupon_end"),
        (_with(minor=1300, usage=300), "usage_invoice"),
        (_EURO, "missed_event"),
    ],
)
def test_the_cause_of_one_subscription(after: Holding | None, cause: str) -> None:
    """What a worth is made of tells why it is another than was kept."""
    worth = 0 if after is None else after.minor
    if after is _EURO:
        worth = 1100
    known = {} if after is None else {"sub_1": after}
    found = compared({"sub_1": _PLAIN}, known, (1000, worth))
    assert found.cause == cause
    assert found.difference == worth - 1000
    assert sum(part.difference for part in found.parts) == found.difference
    assert {part.subscription_id for part in found.parts} == {"sub_1"}


def test_what_had_no_worth_had_it_all_the_time() -> None:
    """A subscription that nothing was known of is a missed event."""
    found = compared({}, {"sub_1": _PLAIN}, (0, 1000))
    assert found.parts == (Part("missed_event", "sub_1", 1000),)
    assert (found.carried, found.recomputed) == (500, 1500)


def test_other_rates_are_what_is_left() -> None:
    """The same subscriptions at another rate, next to one that changed."""
    stored = {"sub_1": _EURO, "sub_2": _PLAIN}
    known = {"sub_1": _EURO, "sub_2": _with(minor=1200)}
    # Stored at 1.1: 11.00 + 10.00. Now at 1.2: 12.00 + 12.00.
    found = compared(stored, known, (2100, 2400), rate="1.2")
    assert found.parts == (
        Part("price_edit", "sub_2", 200),
        Part("exchange_rate", None, 100),
    )
    assert found.cause == "price_edit"


def test_gains_and_losses_do_not_hide_each_other() -> None:
    """A difference of nothing may be two; the dearer cause is named."""
    stored = {"sub_1": _PLAIN, "sub_2": _PLAIN, "sub_3": _PLAIN}
    known = {
        "sub_1": _with(minor=1200),
        "sub_2": _with(minor=500, discounts=("di_1",)),
        "sub_3": _with(minor=1300, usage=300),
    }
    found = compared(stored, known, (3000, 3000))
    assert (found.difference, found.cause) == (0, "coupon_end")
    assert [part.difference for part in found.parts] == [-500, 300, 200]


def test_cents_are_not_lost_among_the_parts() -> None:
    """2.50 EUR at 1.3338 are 3.3345: three of them moved the whole by 10.00."""
    quarter = Holding("eur", 250, 0, (("price_e", 1),))
    known = {f"sub_{n}": quarter for n in range(3)}
    found = compared({}, known, (0, 1000), rate="1.3338")
    assert [part.difference for part in found.parts] == [334, 333, 333]


def test_without_what_was_kept_nobody_knows() -> None:
    """An older release kept no worths: the difference is shown, its cause is not."""
    found = compared(None, {"sub_1": _PLAIN}, (900, 1000))
    assert found.parts == (Part("unknown", None, 100),)
    assert found.cause == "unknown"
    assert compared(None, {"sub_1": _PLAIN}, (1000, 1000)).cause is None


def test_where_nothing_differs_there_is_no_cause() -> None:
    """The usual day."""
    found = compared({"sub_1": _PLAIN}, {"sub_1": _PLAIN}, (1000, 1000))
    assert (found.difference, found.cause, found.parts) == (0, None, ())


# Two collections, one after the other.


def _computed(
    live: list[Subscription],
    changes: list[SubscriptionChange],
    at: datetime,
    stored: Stored,
    *rates: ObservedRate,
) -> Figures:
    found = compute(
        Inputs(
            key=ConnectionKey(UUID(int=1), "stripe", UUID(int=2)),
            revision=1,
            as_of=at,
            settings=Settings(1, {"preset": "opseer", "version": 1}, "UTC"),
            settlement="usd",
            permissions={},
            subscriptions=[msgspec.json.encode(one).decode() for one in live],
            changes=[msgspec.json.encode(one).decode() for one in changes],
            rates=rates,
            stored=stored,
        )
    )
    assert found is not None
    return found


def _left(figures: Figures) -> Stored:
    """Return what a computation leaves for the next one, through JSON."""
    yesterday = figures.days.last - timedelta(days=1)
    (minor,) = (
        row.snapshot
        for grain, row in figures.movements
        if grain == "subscription" and row.day == yesterday
    )
    kept = msgspec.json.encode(figures.holdings)
    return Stored(
        settings_revision=1,
        closed=(yesterday, minor, "usd"),
        holdings=msgspec.json.decode(kept, type=dict[str, Holding]),
    )


def _twice(
    before: list[Subscription],
    after: list[Subscription],
    changes: list[SubscriptionChange],
    *rates: ObservedRate,
) -> Reconciliation:
    """Return what the second of two collections says of the first."""
    first = _computed(before, [], NOW - timedelta(days=1), Stored(), *rates[:1])
    found = _computed(after, changes, NOW, _left(first), *rates).reconciliation
    assert found is not None
    return found


def test_a_day_that_goes_well(
    subscription: Build, change: Callable[..., SubscriptionChange]
) -> None:
    """What moved since, with its event, is no difference."""
    old, new = subscription(), subscription(quantity=3)
    told = change(old, new, int(NOW.timestamp()) - 3600)
    found = _twice([old], [new], [told])
    assert (found.carried, found.recomputed, found.cause) == (3000, 3000, None)


def test_a_change_without_an_event(subscription: Build) -> None:
    """Today's state says three seats, and nothing says since when."""
    found = _twice([subscription()], [subscription(quantity=3)], [])
    assert found.parts == (Part("missed_event", "sub_1", 2000),)


def test_a_coupon_that_is_gone(subscription: Build) -> None:
    """A forever coupon that was deleted at the provider leaves no event of its own."""
    half = Discount("di_1", percent_off="50")
    found = _twice([subscription(discounts=(half,))], [subscription()], [])
    assert found.parts == (Part("coupon_end", "sub_1", 500),)


def test_an_invoice_that_came_late(subscription: Build) -> None:
    """Usage of an invoice that was finalised before, and read only now."""
    metered = {"price": {"usage_type": "metered"}, "quantity": None}
    at = int(NOW.timestamp())
    first = (UsageCharge(at - 9 * 86_400, 300, "in_1"),)
    both = (*first, UsageCharge(at - 3 * 86_400, 500, "in_2"))
    before, after = (
        subscription(**metered, item={"usage": usage, "usage_amount": 500})
        for usage in (first, both)
    )
    found = _twice([before], [after], [])
    assert found.parts == (Part("usage_invoice", "sub_1", 200),)


def test_a_price_that_was_edited(subscription: Build) -> None:
    """The same price and quantity cost something else."""
    dearer = subscription(price={"unit_amount": "1100"})
    found = _twice([subscription()], [dearer], [])
    assert found.parts == (Part("price_edit", "sub_1", 100),)


def test_a_rate_that_came_late(subscription: Build) -> None:
    """A payment of before is known only now: all of that currency is worth more."""
    euro = subscription(price={"currency": "eur"})
    at = int(NOW.timestamp())
    found = _twice(
        [euro],
        [euro],
        [],
        ObservedRate("eur", "usd", at - 40 * 86_400, Decimal("1.1")),
        ObservedRate("eur", "usd", at - 5 * 86_400, Decimal("1.2")),
    )
    assert found.parts == (Part("exchange_rate", None, 100),)


def test_a_closed_day_that_is_not_yesterday(subscription: Build) -> None:
    """After some days of silence the day of the last collection is compared."""
    first = _computed([subscription()], [], NOW - timedelta(days=6), Stored())
    later = _computed([subscription(quantity=2)], [], NOW, _left(first))
    assert later.reconciliation is not None
    assert later.reconciliation.carried_from == (NOW - timedelta(days=7)).date()
    assert later.reconciliation.parts == (Part("missed_event", "sub_1", 1000),)
    assert later.holdings == {"sub_1": _with(minor=2000, prices=(("price_1", 2),))}


def test_what_is_worth_nothing_is_not_kept(subscription: Build) -> None:
    """Only worths above zero are compared later."""
    states = [
        subscription(),
        subscription(id="sub_2", status="trialing"),
        subscription(id="sub_3", quantity=0),
    ]
    found = _computed(states, [], NOW, Stored())
    assert set(found.holdings or ()) == {"sub_1"}
