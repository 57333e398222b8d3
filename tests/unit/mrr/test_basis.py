"""Who pays at the end of each day, counted by hand."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from opseer_common.days import DayRange, zone
from opseer_common.testing.company import CHANGES, NEW, NOW, OLD, change, subscription
from opseer_mrr.domain.basis import DayBasis, Payers, bases, paying_customers
from opseer_mrr.domain.movements import compute_movements
from opseer_mrr.domain.policy import PRESETS
from opseer_mrr.domain.rates import RateTable

TODAY = date(2026, 11, 24)
SECOND = msgspec.structs.replace(subscription("second", 700), customer=OLD.customer)
FREE = subscription("free", 0)
LIVE = [OLD, NEW, SECOND, FREE]


def test_customers_with_mrr_are_counted_once() -> None:
    """Rule: a customer with two subscriptions is one, with a free one alone none."""
    assert paying_customers(LIVE, PRESETS["opseer"], int(NOW.timestamp())) == 2


def test_days_are_counted_backwards() -> None:
    """Rule: the counts of each day follow from today's and the changes since.

    NEW came five days ago and LEFT left three days ago; OLD took a second subscription
    four days ago, which is no new customer.
    """
    days = DayRange(TODAY - timedelta(days=6), TODAY)
    events = [*CHANGES, change("created", 4, None, SECOND)]
    moved = compute_movements(
        LIVE,
        events,
        PRESETS["opseer"],
        "usd",
        RateTable(),
        days=days,
        tz=zone("UTC"),
        now=NOW,
    )
    counted = {
        6: ((2, 0, 0), (2, 0, 0)),
        5: ((3, 1, 0), (3, 1, 0)),
        4: ((3, 0, 0), (4, 1, 0)),
        3: ((2, 0, 1), (3, 0, 1)),
        2: ((2, 0, 0), (3, 0, 0)),
        1: ((2, 0, 0), (3, 0, 0)),
        0: ((2, 0, 0), (3, 0, 0)),
    }
    assert bases(days, 2, 3, moved.changes) == tuple(
        DayBasis(
            TODAY - timedelta(days=ago), Payers(*customers), Payers(*subscriptions)
        )
        for ago, (customers, subscriptions) in counted.items()
    )


def test_another_currency_is_nobody_new() -> None:
    """Rule: a subscription that changes its currency neither came nor went."""
    [item] = OLD.items
    price = msgspec.structs.replace(item.price, currency="eur")
    items = (msgspec.structs.replace(item, price=price),)
    euros = msgspec.structs.replace(OLD, currency="eur", items=items)
    moved = compute_movements(
        [euros],
        [change("updated", 1, OLD, euros)],
        PRESETS["opseer"],
        "usd",
        RateTable(),
        days=DayRange(TODAY - timedelta(days=1), TODAY),
        tz=zone("UTC"),
        now=NOW,
    )
    yesterday = DayRange(TODAY - timedelta(days=1), TODAY)
    assert {one.subscriptions for one in bases(yesterday, 1, 1, moved.changes)} == {
        Payers(1, 0, 0)
    }


def test_without_changes_only_today_is_known() -> None:
    """Rule: what came and went is None where events can't be read."""
    days = DayRange(TODAY - timedelta(days=6), TODAY)
    assert bases(days, 2, 3, None) == (DayBasis(TODAY, Payers(2), Payers(3)),)
