"""Which days are computed, and when one is incomplete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from opseer_common.contracts.subscription import Subscription, SubscriptionChange
from opseer_common.errors import RefusedError
from opseer_mrr.domain.computation import (
    ConnectionKey,
    Figures,
    Inputs,
    ObservedRate,
    Settings,
    Stored,
    compute,
    rate_table,
    window,
)
from opseer_mrr.domain.rows import DayRow

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
TODAY = date(2026, 11, 24)
OLDEST = TODAY - timedelta(days=30)
INPUTS = Inputs(
    key=ConnectionKey(UUID(int=1), "stripe", UUID(int=2)),
    revision=1,
    as_of=NOW,
    settings=Settings(3, {"preset": "opseer", "version": 1}, "UTC"),
    settlement="usd",
    permissions={},
    subscriptions=[],
    changes=[],
    rates=[],
)


def encoded(*states: Subscription | SubscriptionChange) -> list[str]:
    """Return states as the collector stores them."""
    return [msgspec.json.encode(state).decode() for state in states]


def figures_of(inputs: Inputs) -> Figures:
    """Return the figures, which there are."""
    found = compute(inputs)
    assert found is not None
    return found


def rows_of(inputs: Inputs) -> dict[date, DayRow]:
    """Return the rows per subscription by day."""
    return {
        row.day: row
        for grain, row in figures_of(inputs).movements
        if grain == "subscription"
    }


@pytest.fixture
def inputs(subscription: Callable[..., Subscription]) -> Inputs:
    """Return a connection with one old subscription of 10.00 a month."""
    return replace(INPUTS, subscriptions=encoded(subscription()))


def test_without_a_currency_there_is_nothing_to_compute_in() -> None:
    """No default currency is assumed."""
    assert compute(replace(INPUTS, settlement=None)) is None


def test_the_window_is_of_the_account_zone() -> None:
    """Today is the day of the collection in the account's zone."""
    days = window(NOW, ZoneInfo("Pacific/Kiritimati"))
    assert (days.first, days.last) == (date(2026, 10, 26), date(2026, 11, 25))


def test_days_that_no_event_reaches_are_before_history(inputs: Inputs) -> None:
    """The oldest day may have begun before the oldest event that Stripe keeps."""
    rows = rows_of(inputs)
    assert rows[OLDEST].reason == "BEFORE_HISTORY"
    assert rows[OLDEST].snapshot == 1_000
    assert rows[TODAY].reason == "CRON_PENDING"
    assert {row.reason for day, row in rows.items() if OLDEST < day < TODAY} == {None}


def test_an_event_of_just_now_is_not_missed(
    inputs: Inputs,
    subscription: Callable[..., Subscription],
    change: Callable[..., SubscriptionChange],
) -> None:
    """What changed while the lists were read waits for the next collection."""
    before, after = subscription(), subscription(quantity=2)
    at = int((NOW + timedelta(seconds=20)).timestamp())
    racing = replace(
        inputs,
        subscriptions=encoded(after),
        changes=encoded(change(before, after, at)),
    )
    assert rows_of(racing)[TODAY].reason == "CRON_PENDING"


def test_an_agreeing_stored_day_is_left_alone(inputs: Inputs) -> None:
    """It may be complete, which the same day computed from fewer events is not."""
    stored = Stored(settings_revision=3, seam=(1_000, "usd"))
    found = figures_of(replace(inputs, stored=stored))
    assert found.days.first == OLDEST + timedelta(days=1)
    assert min(row.day for _, row in found.movements) == OLDEST + timedelta(days=1)


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (Stored(3, (1_001, "usd")), "MISSED_EVENT"),
        (Stored(2, (1_001, "usd")), "BEFORE_HISTORY"),
        (Stored(2, (1_000, "eur")), "BEFORE_HISTORY"),
    ],
)
def test_a_stored_day_that_differs_is_marked(
    inputs: Inputs, stored: Stored, reason: str
) -> None:
    """Under the same settings something was missed; under others history is new."""
    assert rows_of(replace(inputs, stored=stored))[OLDEST].reason == reason


def test_who_paid_before_the_window_comes_back(
    inputs: Inputs,
    subscription: Callable[..., Subscription],
    change: Callable[..., SubscriptionChange],
) -> None:
    """Kept history tells a reactivation from a first subscription."""
    at = int((NOW - timedelta(days=2)).timestamp())
    born = subscription(created=at)
    both = replace(
        inputs, subscriptions=encoded(born), changes=encoded(change(None, born, at))
    )
    day = TODAY - timedelta(days=2)
    assert rows_of(both)[day].of_which_reactivation == 0
    returned = replace(both, stored=Stored(past_customers=frozenset({"cus_1"})))
    assert rows_of(returned)[day].of_which_reactivation == 1_000


def test_the_newest_rate_of_a_day_counts() -> None:
    """Rates are exact and the later payment of a day in the account's zone wins."""
    noon = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp())
    late = int(datetime(2026, 11, 20, 16, tzinfo=UTC).timestamp())
    observed = [
        ObservedRate("eur", "usd", late, Decimal("1.2")),
        ObservedRate("eur", "usd", noon, Decimal("1.1")),
    ]
    day = date(2026, 11, 20)
    assert rate_table(observed, ZoneInfo("UTC")).on("eur", "usd", day) == Fraction(6, 5)
    # In Seoul 16:00 UTC is the next day.
    seoul = rate_table(observed, ZoneInfo("Asia/Seoul"))
    assert seoul.on("eur", "usd", day) == Fraction(11, 10)


def test_earlier_rows_are_compared_with_the_full_computation(
    inputs: Inputs,
    subscription: Callable[..., Subscription],
    change: Callable[..., SubscriptionChange],
) -> None:
    """What was stored, with the movements since, should lead to what is live."""
    at = int((NOW - timedelta(hours=1)).timestamp())
    born = subscription(id="sub_2", customer="cus_2", created=at, quantity=3)
    inputs = replace(
        inputs,
        subscriptions=[*inputs.subscriptions, *encoded(born)],
        changes=encoded(change(None, born, at)),
    )
    yesterday = TODAY - timedelta(days=1)
    for stored, difference in ((1_000, 0), (900, 100)):
        closed = Stored(settings_revision=3, closed=(yesterday, stored, "usd"))
        found = figures_of(replace(inputs, stored=closed)).reconciliation
        assert found is not None
        assert (found.carried_from, found.recomputed) == (yesterday, 4_000)
        assert (found.carried, found.difference) == (stored + 3_000, difference)


@pytest.mark.parametrize(
    "stored",
    [
        Stored(),
        Stored(2, closed=(TODAY - timedelta(days=1), 1_000, "usd")),
        Stored(3, closed=(TODAY - timedelta(days=1), 1_000, "eur")),
        Stored(3, closed=(TODAY - timedelta(days=40), 1_000, "usd")),
    ],
)
def test_what_cannot_be_compared_is_not(inputs: Inputs, stored: Stored) -> None:
    """Nothing stored, or under other settings, or too old: no difference is made up."""
    assert figures_of(replace(inputs, stored=stored)).reconciliation is None


def test_plans_sum_to_the_snapshot(inputs: Inputs) -> None:
    """The plans are those of the same subscriptions at the same instant."""
    [plan] = figures_of(inputs).plans
    assert (plan.price.id, plan.mrr, plan.subscriptions) == ("price_1", 1_000, 1)


def test_a_missing_permission_leaves_out_what_needs_it(inputs: Inputs) -> None:
    """No subscriptions: nothing is known. No events: today's snapshot is."""
    none = figures_of(replace(inputs, permissions={"subscriptions": "missing"}))
    assert (none.snapshot, none.reason) == (None, "SUBSCRIPTIONS_PERMISSION")
    assert none.movements == ()
    unmoved = figures_of(replace(inputs, permissions={"events": "missing"}))
    assert (unmoved.unmoved, unmoved.reason) == (1_000, None)
    assert (unmoved.movements, unmoved.days.first) == ((), TODAY)


def test_an_unknown_policy_is_refused(inputs: Inputs) -> None:
    """A document of another release is an error, not another figure."""
    settings = Settings(3, {"preset": "unheard of", "version": 1}, "UTC")
    with pytest.raises(RefusedError):
        compute(replace(inputs, settings=settings))
