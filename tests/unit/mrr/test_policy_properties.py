"""Properties of the policies, and of the clock of the machine: it plays no part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opseer_common.contracts.subscription import (
    Discount,
    Item,
    Price,
    Subscription,
    SubscriptionChange,
)
from opseer_common.days import zone
from opseer_mrr.domain.computation import (
    ConnectionKey,
    Figures,
    Inputs,
    Settings,
    compute,
)
from opseer_mrr.domain.policy import PRESETS, Policy
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.snapshot import Snapshot, compute_snapshot

_AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
_SECOND = int(_AT.timestamp())

_discounts = st.lists(
    st.builds(
        Discount,
        id=st.just("di_1"),
        duration=st.sampled_from(["forever", "repeating", "once"]),
        percent_off=st.sampled_from(["5", "33.3", "100"]),
        end=st.none() | st.integers(_SECOND - 9, _SECOND + 9),
    ),
    max_size=2,
).map(tuple)
_items = st.builds(
    Item,
    id=st.just("si_1"),
    price=st.builds(
        Price,
        id=st.just("price_1"),
        currency=st.just("usd"),
        interval=st.sampled_from(["day", "week", "month", "year"]),
        interval_count=st.integers(1, 3),
        unit_amount=st.integers(0, 9_999).map(str),
        usage_type=st.sampled_from(["licensed", "metered"]),
    ),
    quantity=st.integers(0, 9),
    usage_amount=st.none() | st.integers(0, 9_999),
    discounts=_discounts,
)
_companies = st.lists(
    st.builds(
        Subscription,
        id=st.just("sub_1"),
        customer=st.just("cus_1"),
        status=st.sampled_from(
            ["active", "active", "past_due", "trialing", "unpaid", "paused", "canceled"]
        ),
        currency=st.just("usd"),
        created=st.just(1_000_000_000),
        items=st.lists(_items, max_size=2).map(tuple),
        discounts=_discounts,
        cancel_at_period_end=st.booleans(),
        pause_behavior=st.sampled_from([None, None, "void", "keep_as_draft"]),
        past_due_since=st.just(_SECOND - 5 * 86_400),
    ),
    max_size=5,
)

# In each row every policy counts at least what the one before it counts.
_RISING = (
    (PRESETS["stripe_all_discounts"], PRESETS["stripe"], PRESETS["opseer"]),
    (PRESETS["committed"], PRESETS["opseer"]),
    (Policy(discounts="all"), Policy(discounts="recurring"), Policy()),
    (Policy(), Policy(trial="include")),
    (Policy(pause="exclude"), Policy(), Policy(pause="include")),
    (Policy(count_statuses=("active",)), Policy()),
    (Policy(), Policy(count_statuses=("active", "past_due", "unpaid"))),
    (Policy(past_due_grace_days=3), Policy(past_due_grace_days=9), Policy()),
    (Policy(week_factor="4", day_factor="30"), Policy()),
)


def _snapshot(company: list[Subscription], policy: Policy) -> Snapshot:
    return compute_snapshot(company, policy, "usd", RateTable(), _AT, zone("UTC"))


@given(_companies)
@settings(max_examples=60, deadline=None)
def test_who_counts_more_has_more(company: list[Subscription]) -> None:
    """A policy that counts more states, or subtracts less, never gives less MRR."""
    for policies in _RISING:
        found = [_snapshot(company, policy) for policy in policies]
        assert [one.mrr for one in found] == sorted(one.mrr for one in found)
        active = [one.active_subscriptions for one in found]
        assert active == sorted(active)


@given(_companies)
@settings(max_examples=60, deadline=None)
def test_the_parts_are_the_presets(company: list[Subscription]) -> None:
    """What stands beside MRR is what another preset has as its MRR."""
    found = _snapshot(company, PRESETS["opseer"])
    assert found.committed_mrr == _snapshot(company, PRESETS["committed"]).mrr
    assert found.mrr_stripe_comparable == _snapshot(company, PRESETS["stripe"]).mrr
    assert found.usage_mrr + found.mrr_stripe_comparable == found.mrr
    assert 0 <= found.at_risk_mrr <= found.mrr


@pytest.fixture(params=["UTC", "Asia/Kathmandu", "America/New_York", "Etc/GMT-14"])
def machine(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Set the zone of the machine, and back."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


def _figures(
    subscription: Callable[..., Subscription],
    change: Callable[..., SubscriptionChange],
) -> Figures:
    """Return figures in New York of changes close to its midnights."""
    now = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)
    midnight = int(datetime(2026, 11, 20, 5, tzinfo=UTC).timestamp())
    seats = [subscription(quantity=n) for n in range(1, 5)]
    changes = [
        change(seats[n], seats[n + 1], midnight + at)
        for n, at in enumerate((-1, 0, 86_399))
    ]
    found = compute(
        Inputs(
            key=ConnectionKey(UUID(int=1), "stripe", UUID(int=2)),
            revision=1,
            as_of=now,
            settings=Settings(1, {"preset": "opseer"}, "America/New_York"),
            settlement="usd",
            permissions={},
            subscriptions=[msgspec.json.encode(seats[3]).decode()],
            changes=[msgspec.json.encode(one).decode() for one in changes],
            rates=[],
        )
    )
    assert found is not None
    return found


def test_the_machines_zone_plays_no_part(
    machine: str,
    subscription: Callable[..., Subscription],
    change: Callable[..., SubscriptionChange],
) -> None:
    """Days are the account's: 19 November has one change, the 20th two."""
    found = _figures(subscription, change)
    moved = {row.day.isoformat(): row.net for _, row in found.movements if row.net}
    assert moved == {"2026-11-19": 1000, "2026-11-20": 2000}, machine
    assert found.days.last.isoformat() == "2026-11-23"
