"""Every code of the closed list, by a change that has it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest

from opseer_common.contracts.movement_reasons import REASON_TEXTS
from opseer_common.contracts.subscription import (
    Discount,
    Item,
    Price,
    Subscription,
    SubscriptionChange,
)
from opseer_common.days import DayRange, zone
from opseer_mrr.domain.movements import compute_movements
from opseer_mrr.domain.policy import PRESETS, Policy
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.rows import Movements

Build = Callable[..., Subscription]
Change = Callable[..., SubscriptionChange]
_DAYS = DayRange(date(2026, 1, 9), date(2026, 1, 11))
_AT = int(datetime(2026, 1, 10, 10, tzinfo=UTC).timestamp())
_NOW = datetime(2026, 1, 11, 18, tzinfo=UTC)
_RATES = RateTable.from_major([("eur", "usd", date(2026, 1, 1), Fraction(2))])
_USAGE = Item(
    id="si_usage",
    price=Price("price_u", "usd", "month", usage_type="metered"),
    usage_amount=300,
)
_MORE = Item(id="si_more", price=Price("price_2", "usd", "month", unit_amount="700"))

# What was (None: nothing), what is, category, reason.
_CASES: tuple[tuple[dict[str, Any] | None, dict[str, Any], str, str], ...] = (
    (None, {"created": _AT}, "new", "new"),
    ({"status": "incomplete"}, {}, "new", "new"),
    ({"status": "trialing"}, {}, "new", "trial_converted"),
    ({"status": "unpaid"}, {}, "new", "recovered"),
    ({"pause_behavior": "void"}, {}, "new", "resumed"),
    ({"status": "paused"}, {}, "new", "resumed"),
    (
        {},
        {"price": {"id": "price_2", "unit_amount": "3000"}},
        "expansion",
        "upgrade",
    ),
    (
        {},
        {"price": {"id": "price_2", "unit_amount": "400"}},
        "contraction",
        "downgrade",
    ),
    (
        {},
        {"price": {"id": "price_2", "interval": "year", "unit_amount": "6000"}},
        "contraction",
        "interval_change",
    ),
    ({}, {"more": (_MORE,)}, "expansion", "items_added"),
    ({"more": (_MORE,)}, {}, "contraction", "items_removed"),
    ({}, {"price": {"unit_amount": "1100"}}, "expansion", "price_edit"),
    ({}, {"quantity": 3}, "expansion", "seats"),
    ({"quantity": 3}, {"quantity": 0}, "churned", "seats"),
    ({}, {"item": {"inclusive_tax": "25"}}, "contraction", "tax_change"),
    (
        {},
        {"discounts": (Discount("d", percent_off="5"),)},
        "contraction",
        "discount_started",
    ),
    (
        {"discounts": (Discount("d", percent_off="100"),)},
        {},
        "new",
        "discount_ended",
    ),
    ({}, {"price": {"currency": "eur"}}, "churned", "currency_change"),
    ({}, {"pause_behavior": "void"}, "churned", "paused"),
    ({}, {"status": "paused"}, "churned", "paused"),
    ({}, {"status": "unpaid"}, "churned", "unpaid"),
    ({}, {"status": "trialing"}, "churned", "trial_extended"),
    ({}, {"status": "canceled"}, "churned", "cancelled"),
    (
        {},
        {"status": "canceled", "canceled_at": _AT - 5, "ended_at": _AT},
        "churned",
        "ended",
    ),
)
_TOLD_ELSEWHERE = {
    *("usage", "reactivated", "cancellation_undone", "grace_over"),
    *("came_and_went", "missed_event"),
}


def _moved(
    live: list[Subscription],
    changes: list[SubscriptionChange],
    policy: Policy | None = None,
    **more: Any,
) -> Movements:
    return compute_movements(
        live,
        changes,
        policy or PRESETS["opseer"],
        "usd",
        _RATES,
        days=_DAYS,
        tz=zone("UTC"),
        now=_NOW,
        **more,
    )


@pytest.fixture
def state(subscription: Build) -> Build:
    """Build a subscription; `more` are further items."""

    def build(**fields: Any) -> Subscription:
        more = fields.pop("more", ())
        one = subscription(**fields)
        return subscription(**fields, items=(*one.items, *more)) if more else one

    return build


@pytest.mark.parametrize(("before", "after", "category", "reason"), _CASES)
def test_reasons(
    state: Build,
    change: Change,
    before: dict[str, Any] | None,
    after: dict[str, Any],
    category: str,
    reason: str,
) -> None:
    """Each change says what it was in a word of the list, and its day is complete."""
    old = None if before is None else state(**before)
    new = state(**after)
    found = _moved([new], [change(old, new, _AT)])
    first = found.changes[0]
    assert (first.category, first.reason) == (category, reason)
    assert all(row.complete for row in found.by_subscription)


def test_usage(state: Build, change: Change) -> None:
    """The licensed part is the same, what was used is not: here a meter is added."""
    old, new = state(quantity=1), state(quantity=1, more=(_USAGE,))
    (only,) = _moved([new], [change(old, new, _AT)]).changes
    assert (only.category, only.reason) == ("expansion", "usage")
    assert only.after_minor - only.before_minor == 300


def test_reactivated(state: Build, change: Change) -> None:
    """A new subscription of who has paid before."""
    new = state(created=_AT)
    found = _moved([new], [change(None, new, _AT)], past_customers=["cus_1"])
    assert [one.reason for one in found.changes] == ["reactivated"]


def test_the_click_and_its_undoing(state: Build, change: Change) -> None:
    """Under the click policy: cancelled, and cancellation_undone."""
    calm, asked = state(), state(cancel_at_period_end=True)
    events = [change(calm, asked, _AT), change(asked, calm, _AT + 86_400)]
    found = _moved([calm], events, PRESETS["committed"])
    reasons = [one.reason for one in found.changes]
    assert reasons == ["cancelled", "cancellation_undone"]


def test_grace_over(state: Build, change: Change) -> None:
    """The days of grace run out without an event; paying then is `recovered`."""
    late, well = state(status="past_due"), state()
    events = [change(well, late, _AT - 86_400), change(late, well, _AT + 86_400)]
    found = _moved([well], events, Policy(past_due_grace_days=1))
    assert [one.reason for one in found.changes] == ["grace_over", "recovered"]


def test_came_and_went(state: Build, change: Change) -> None:
    """Started and ended on one day: nothing moved, both counts are 1."""
    one, gone = state(created=_AT), state(created=_AT, status="canceled")
    events = [change(None, one, _AT), change(None, gone, _AT + 60, kind="deleted")]
    (only,) = _moved([], events).changes
    assert (only.category, only.reason) == ("none", "came_and_went")


def test_missed_event(state: Build, change: Change) -> None:
    """A step that no event tells is shown as such, with both of its ends in words."""
    one, two, three, four = (state(quantity=n) for n in (1, 2, 3, 4))
    events = [change(one, two, _AT - 86_400), change(three, four, _AT)]
    found = _moved([four], events)
    told, missed = found.changes
    assert (told.reason, missed.reason) == ("seats", "missed_event")
    assert (missed.before_minor, missed.after_minor) == (2000, 4000)
    assert missed.arithmetic_after[-1] == (
        "no event tells of the step from 20.00 USD to 30.00 USD"
    )
    shown = [(row.reason, row.net, row.missed) for row in found.by_subscription]
    assert shown == [(None, 1000, 0), ("MISSED_EVENT", 2000, 1000), (None, 0, 0)]


def test_no_code_is_left_out() -> None:
    """The cases above have every code of the list, and none beside it."""
    told = {reason for _, _, _, reason in _CASES}
    assert told | _TOLD_ELSEWHERE == set(REASON_TEXTS)
    assert not told & _TOLD_ELSEWHERE
    assert len(set(REASON_TEXTS.values())) == len(REASON_TEXTS)
