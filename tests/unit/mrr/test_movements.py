"""Movements from today backwards: categories, reasons, counts, FX, missed events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from msgspec.structs import replace

from opseer_common.contracts.subscription import (
    Discount,
    Subscription,
    SubscriptionChange,
    UsageCharge,
)
from opseer_common.days import DayRange, zone
from opseer_mrr.domain.movements import compute_movements
from opseer_mrr.domain.policy import PRESETS, Policy
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.rows import DayRow, Movements

Build = Callable[..., Subscription]
Change = Callable[..., SubscriptionChange]
_DAYS = DayRange(date(2026, 1, 9), date(2026, 1, 11))
_TENTH = date(2026, 1, 10)
_AT = int(datetime(2026, 1, 10, 10, tzinfo=UTC).timestamp())
_HOUR = 3600
_NOW = datetime(2026, 1, 11, 18, tzinfo=UTC)


def _moved(
    live: Sequence[Subscription],
    changes: Iterable[SubscriptionChange],
    policy: Policy | None = None,
    rates: RateTable | None = None,
    **more: Any,
) -> Movements:
    return compute_movements(
        live,
        changes,
        policy or Policy(),
        "usd",
        rates or RateTable(),
        days=more.pop("days", _DAYS),
        tz=zone("UTC"),
        now=more.pop("now", _NOW),
        **more,
    )


def _row(found: Movements, day: date = _TENTH) -> DayRow:
    (row,) = (row for row in found.by_subscription if row.day == day)
    return row


def _only(found: Movements) -> tuple[str, str, int]:
    """Return category, reason and amount of the only change."""
    (change,) = found.changes
    assert change.settlement_minor is not None
    return change.category, change.reason, change.settlement_minor


def test_an_upgrade_backwards(subscription: Build, change: Change) -> None:
    """The carried snapshot starts at the state before and ends at today's."""
    old, new = subscription(), subscription(price={"id": "p2", "unit_amount": "3000"})
    found = _moved([new], [change(old, new, _AT)])
    assert found.opening == 1000
    assert [row.snapshot for row in found.by_subscription] == [1000, 3000, 3000]
    assert _only(found) == ("expansion", "upgrade", 2000)
    (record,) = found.changes
    assert record.event_ids == (f"evt_sub_1_{_AT}",)
    assert (record.before_minor, record.after_minor) == (1000, 3000)
    assert record.arithmetic_before[-1] == "= 10.00 USD per month"
    assert record.arithmetic_after[-1] == "= 30.00 USD per month"


def test_the_click_policy(subscription: Build, change: Change) -> None:
    """Under the click policy MRR goes at the click and comes back when undone."""
    calm, asked = subscription(), subscription(cancel_at_period_end=True)
    events = [change(calm, asked, _AT), change(asked, calm, _AT + 86_400)]
    found = _moved([calm], events, Policy(churn_at="click"))
    records = [(one.category, one.reason) for one in found.changes]
    assert records == [("churned", "cancelled"), ("new", "cancellation_undone")]
    assert _row(found, date(2026, 1, 11)).of_which_reactivation == 1000
    assert _moved([calm], events).changes == ()


def test_came_and_went(subscription: Build, change: Change) -> None:
    """Created and cancelled the same day: no movement, but both counts are 1."""
    one = subscription(created=_AT)
    gone = replace(one, status="canceled")
    events = [
        change(None, one, _AT),
        change(None, gone, _AT + _HOUR, kind="deleted"),
    ]
    row = _row(found := _moved([], events))
    assert (row.new, row.churned, row.net, row.snapshot) == (0, 0, 0, 0)
    assert (row.new_subs, row.churned_subs) == (1, 1)
    assert _only(found) == ("none", "came_and_went", 0)


def test_counts_are_subscriptions(subscription: Build, change: Change) -> None:
    """New Subs and Churned count subscriptions, not money."""
    new = [subscription(id=f"sub_{n}", created=_AT) for n in range(2)]
    old = subscription(id="sub_9")
    events = [change(None, one, _AT) for one in new]
    events.append(change(None, replace(old, status="canceled"), _AT, kind="deleted"))
    row = _row(_moved(new, events))
    assert (row.new_subs, row.churned_subs) == (2, 1)
    assert (row.new, row.churned) == (2000, -1000)


def test_what_a_deleted_subscription_was(subscription: Build, change: Change) -> None:
    """A deletion without history was active, or a trial where that ran to the end."""
    ended = subscription(status="canceled", ended_at=_AT)
    found = _moved([], [change(None, ended, _AT, kind="deleted")])
    assert (found.opening, _row(found).churned) == (1000, -1000)
    trial = replace(ended, trial_end=_AT)
    found = _moved([], [change(None, trial, _AT, kind="deleted")])
    assert (found.opening, found.changes) == (0, ())


def test_a_scheduled_end_was_clicked_before(
    subscription: Build, change: Change
) -> None:
    """Under the click policy a deletion asked for earlier does not move MRR again."""
    ended = subscription(status="canceled", ended_at=_AT, canceled_at=_AT - 99 * 86_400)
    events = [change(None, ended, _AT, kind="deleted")]
    assert _moved([], events, Policy(churn_at="click")).changes == ()
    assert _row(_moved([], events)).churned == -1000


def test_paused_status_events(subscription: Build, change: Change) -> None:
    """A trial that ends without a card was never worth anything."""
    paused = subscription(status="paused", trial_end=_AT - 2)
    found = _moved([paused], [change(None, paused, _AT, kind="paused")])
    assert (found.opening, found.changes) == (0, ())
    active = subscription()
    found = _moved([active], [change(None, active, _AT, kind="resumed")])
    assert _only(found) == ("new", "resumed", 1000)


def test_discounts_expire_without_an_event(subscription: Build) -> None:
    """Under `recurring` the end of a discount moves MRR on its day."""
    half = Discount("d", "repeating", percent_off="50", end=_AT)
    found = _moved([subscription(discounts=(half,))], [], Policy(discounts="recurring"))
    assert _only(found) == ("expansion", "discount_ended", 500)
    assert _moved([subscription(discounts=(half,))], []).changes == ()


def test_grace_runs_out_without_an_event(subscription: Build, change: Change) -> None:
    """With grace, past_due churns that many days after the event that said so."""
    late = subscription(status="past_due")
    found = _moved(
        [late],
        [change(subscription(), late, _AT - 86_400)],
        Policy(past_due_grace_days=1),
    )
    assert _only(found) == ("churned", "grace_over", -1000)
    assert _row(found).churned == -1000
    assert all(row.complete for row in found.by_subscription)


def test_usage_moves_when_it_is_invoiced(subscription: Build, change: Change) -> None:
    """Events never tell usage: it moves MRR on the invoice's day, no chain breaks."""
    charges = (UsageCharge(1, 300, "in_1"), UsageCharge(_AT, 500, "in_2"))
    metered = {"price": {"usage_type": "metered"}, "quantity": None}
    live = subscription(**metered, item={"usage": charges, "usage_amount": 500})
    told = subscription(**metered)
    renewal = change(told, told, _AT + _HOUR)
    found = _moved([live], [renewal], PRESETS["opseer"])
    assert _only(found) == ("expansion", "usage", 200)
    assert _row(found).complete


def test_reactivation(subscription: Build, change: Change) -> None:
    """A customer who had MRR before and none at day start comes back with New."""
    new = subscription(created=_AT)
    events = [change(None, new, _AT)]
    found = _moved([new], events, past_customers=["cus_1"])
    assert _row(found).of_which_reactivation == 1000
    assert _only(found) == ("new", "reactivated", 1000)
    assert _row(_moved([new], events)).of_which_reactivation == 0


def test_who_came_and_went_in_a_day_comes_back(
    subscription: Build, change: Change
) -> None:
    """An hour of MRR is MRR before: the next day's subscription is a reactivation."""
    short, new = subscription(created=_AT), subscription(id="sub_2")
    gone = replace(short, status="canceled")
    events = [
        change(None, short, _AT),
        change(None, gone, _AT + _HOUR, kind="deleted"),
        change(None, new, _AT + 24 * _HOUR),
    ]
    found = _moved([new], events)
    assert _row(found, date(2026, 1, 11)).of_which_reactivation == 1000


def test_customers_are_netted(subscription: Build, change: Change) -> None:
    """A swap by cancelling and subscribing anew is one expansion of the customer."""
    old = subscription(id="sub_a")
    new = subscription(id="sub_b", quantity=3, created=_AT)
    events = [
        change(None, replace(old, status="canceled"), _AT, kind="deleted"),
        change(None, new, _AT + 5),
    ]
    found = _moved([new], events)
    row = _row(found)
    assert (row.new, row.churned, row.of_which_reactivation) == (3000, -1000, 0)
    (customer,) = (row for row in found.by_customer if row.day == _TENTH)
    assert (customer.new, customer.expansion, customer.churned) == (0, 2000, 0)


def test_events_that_do_not_chain(subscription: Build, change: Change) -> None:
    """A step between two events that no event tells is that day's, and is marked."""
    one, two, three = (subscription(quantity=n) for n in (1, 2, 3))
    events = [change(one, two, _AT - 86_400), change(three, three, _AT)]
    found = _moved([three], events)
    assert [row.expansion for row in found.by_subscription] == [1000, 1000, 0]
    reasons = [row.reason for row in found.by_subscription]
    assert reasons == [None, "MISSED_EVENT", None]


def test_today_differs_from_the_last_event(subscription: Build, change: Change) -> None:
    """Where today's state is not what the last event left, today is marked."""
    one, two, three = (subscription(quantity=n) for n in (1, 2, 3))
    found = _moved([three], [change(one, two, _AT)])
    assert [row.snapshot for row in found.by_subscription] == [1000, 2000, 3000]
    assert found.by_subscription[-1].reason == "MISSED_EVENT"
    gone = _moved([], [change(one, two, _AT)])
    assert gone.by_subscription[-1].churned == -2000
    assert gone.by_subscription[-1].reason == "MISSED_EVENT"


def test_a_creation_that_was_missed(subscription: Build) -> None:
    """A live subscription created in the days without an event appears then, marked."""
    found = _moved([subscription(created=_AT)], [])
    assert [row.snapshot for row in found.by_subscription] == [0, 1000, 1000]
    assert _row(found).reason == "MISSED_EVENT"


def test_what_is_unknown_marks_its_days(subscription: Build, change: Change) -> None:
    """Days on which a counted worth is not wholly known are not complete."""
    unknown = subscription(discounts=(Discount("d", "unknown"),))
    found = _moved([subscription()], [change(unknown, subscription(), _AT)])
    reasons = [row.reason for row in found.by_subscription]
    assert reasons == ["MISSED_EVENT", "MISSED_EVENT", None]


def test_changes_after_now_wait(subscription: Build, change: Change) -> None:
    """Only what had happened when the live states were read is used."""
    one, two = subscription(), subscription(quantity=2)
    late = change(one, two, int(_NOW.timestamp()) + 1)
    found = _moved([one], [late])
    assert found.changes == ()
    assert found.by_subscription[-1].complete


def test_days_after_now_are_left_out(subscription: Build) -> None:
    """There is no row for a day that has not begun."""
    days = DayRange(_DAYS.first, _DAYS.last + timedelta(days=9))
    found = _moved([subscription()], [], days=days)
    assert found.by_subscription[-1].day == _DAYS.last


def _euro(first: str, second: str) -> RateTable:
    return RateTable.from_major(
        [
            ("eur", "usd", date(2026, 1, 1), Fraction(first)),
            ("eur", "usd", _TENTH, Fraction(second)),
        ]
    )


def test_fx_is_its_own_line(subscription: Build) -> None:
    """The same 10.00 EUR at another rate is FX and never a category."""
    one = subscription(price={"currency": "eur"})
    row = _row(_moved([one], [], rates=_euro("1.1", "1.05")))
    assert (row.fx, row.net, row.snapshot) == (-50, 0, 1050)


def test_rounding_never_leaks_into_fx(subscription: Build, change: Change) -> None:
    """At one rate the changes sum to what the converted balance moved by."""
    rates = _euro("1.3338", "1.3338")  # 2.50 EUR are 3.3345 USD
    new = [
        subscription(
            id=f"sub_{n}",
            created=_AT,
            price={"currency": "eur", "unit_amount": "250"},
        )
        for n in range(3)
    ]
    found = _moved(new, [change(None, one, _AT) for one in new], rates=rates)
    row = _row(found)
    # 7.50 EUR are 10.0035 USD, shared as 3.34, 3.33 and 3.33.
    assert (row.new, row.fx, row.snapshot) == (1000, 0, 1000)
    assert [one.settlement_minor for one in found.changes] == [334, 333, 333]


def test_ties_to_even_on_both_ends(subscription: Build, change: Change) -> None:
    """0.15 EUR at 0.5 are 8 cents, 0.45 are 22: the 0.30 between them came as 14."""
    cents = {"currency": "eur", "unit_amount": "15"}
    old = subscription(price=cents)
    new = subscription(id="sub_2", price=cents, quantity=2, created=_AT)
    brief = subscription(id="sub_0", price=cents, created=_AT)
    events = [
        change(None, new, _AT),
        change(None, brief, _AT),
        change(None, replace(brief, status="canceled"), _AT + 1, kind="deleted"),
    ]
    found = _moved([old, new], events, rates=_euro("0.5", "0.5"))
    row = _row(found)
    assert (found.opening, row.new, row.fx, row.snapshot) == (8, 14, 0, 22)
    assert [one.settlement_minor for one in found.changes] == [0, 14]


def test_a_currency_change_is_churn_and_new(
    subscription: Build, change: Change
) -> None:
    """Per subscription the old currency is left and the new one joined."""
    old = subscription(price={"currency": "eur"})
    new = subscription(price={"unit_amount": "1300"})
    found = _moved([new], [change(old, new, _AT)], rates=_euro("1.2", "1.2"))
    row = _row(found)
    assert (row.new, row.churned, row.of_which_reactivation) == (1300, -1200, 0)
    assert (row.new_subs, row.churned_subs) == (1, 1)
    assert [(one.position, one.reason) for one in found.changes] == [
        (0, "currency_change"),
        (1, "currency_change"),
    ]
    (customer,) = (row for row in found.by_customer if row.day == _TENTH)
    assert (customer.expansion, customer.net) == (100, 100)


def test_no_rate_marks_the_days(subscription: Build, change: Change) -> None:
    """Without a rate a currency adds nothing, and its days say so."""
    new = subscription(price={"currency": "eur"}, created=_AT)
    rates = RateTable.from_major([("eur", "usd", date(2026, 1, 11), Fraction("1.2"))])
    found = _moved([new], [change(None, new, _AT)], rates=rates)
    first, second, third = found.by_subscription
    assert (first.reason, second.reason, third.reason) == (None, "NO_RATE", None)
    assert (second.net, second.snapshot, second.new_subs) == (0, 0, 1)
    assert (third.fx, third.snapshot) == (1200, 1200)
    assert found.changes[0].settlement_minor is None
