"""Figures: what is not known is null with a reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from opseer_common.days import DayRange
from opseer_gateway.domain.figures import (
    DailyRow,
    Snapshot,
    daily_revenue,
    mrr,
    why_no_movement,
)
from opseer_gateway.domain.integrations import Collecting, Connection, Known, Policy

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = date(2026, 11, 24)
CONNECTION = Connection(
    source="stripe",
    connection_id=UUID(int=9),
    run_id=UUID(int=1),
    run_kind="first",
    key_hint="rk_live_…AAAA",
    environment="live",
    livemode=True,
    timezone="UTC",
    policy=Policy(),
    settlement_currency=None,
    connected_at=NOW,
)
SNAPSHOT = Snapshot(
    day=TODAY,
    currency="usd",
    mrr=1_000,
    active_subscriptions=3,
    usage_mrr=0,
    at_risk_mrr=0,
    trial_mrr=0,
    committed_mrr=0,
    mrr_stripe_comparable=0,
    unconverted={},
    policy={},
    complete=True,
    reason=None,
    as_of=NOW,
)


def known(**permissions: str) -> Known:
    """Return a connected source."""
    collecting = Collecting("connected", (), "usd", permissions, NOW, NOW, None, None)
    return Known("stripe", CONNECTION, collecting)


def test_days_around_the_stored_ones() -> None:
    """Before the first stored day is history's edge, after the last the next run."""
    stored = [
        DailyRow(TODAY - timedelta(days=back), "usd", 5, complete=True)
        for back in (3, 1)
    ]
    days = DayRange(TODAY - timedelta(days=4), TODAY)
    rows = daily_revenue(known(), days, stored, NOW).rows
    assert [row.reason for row in rows] == [
        "BEFORE_HISTORY",
        None,
        "COLLECTING",
        None,
        "CRON_PENDING",
    ]
    assert [row.net_revenue for row in rows] == [None, 5, None, 5, None]


def test_complete_days() -> None:
    """The answer is complete when each of its days is."""
    stored = [DailyRow(TODAY, "usd", 5, complete=True)]
    assert daily_revenue(known(), DayRange(TODAY, TODAY), stored, NOW).complete
    wider = DayRange(TODAY - timedelta(days=1), TODAY)
    assert not daily_revenue(known(), wider, stored, NOW).complete


@pytest.mark.parametrize(
    ("minor", "active", "arpa"), [(1_000, 3, 333), (5, 2, 2), (7, 2, 4), (0, 0, None)]
)
def test_arpa(minor: int, active: int, arpa: int | None) -> None:
    """MRR per active subscription, ties to the even cent; null where there is none."""
    snapshot = msgspec.structs.replace(SNAPSHOT, mrr=minor, active_subscriptions=active)
    assert mrr(known(), snapshot).arpa == arpa


def test_zero_is_not_missing() -> None:
    """An MRR of zero is 0, and 0 a year."""
    found = mrr(
        known(), msgspec.structs.replace(SNAPSHOT, mrr=0, active_subscriptions=0)
    )
    assert (found.mrr, found.arr, found.active_subscriptions) == (0, 0, 0)


def test_why_no_movement() -> None:
    """A missing permission is named; otherwise the next round is awaited."""
    assert why_no_movement(known(events="missing")) == "EVENTS_PERMISSION"
    assert why_no_movement(known(events="ok")) == "CRON_PENDING"
    assert why_no_movement(Known("stripe", CONNECTION)) == "COLLECTING"
    both = known(events="missing", subscriptions="missing")
    assert why_no_movement(both) == "SUBSCRIPTIONS_PERMISSION"
