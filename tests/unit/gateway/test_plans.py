"""Shares of MRR."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from opseer_gateway.domain.figures import Snapshot
from opseer_gateway.domain.names import Name, Price
from opseer_gateway.domain.plans import StoredPlan, plans_of

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Connect

SNAPSHOT = Snapshot(
    day=date(2026, 11, 24),
    currency="usd",
    mrr=300,
    active_subscriptions=3,
    usage_mrr=0,
    at_risk_mrr=0,
    trial_mrr=0,
    committed_mrr=0,
    mrr_stripe_comparable=300,
    unconverted={},
    policy={},
    complete=True,
    reason=None,
    as_of=datetime(2026, 11, 24, tzinfo=UTC),
)


def plan(name: str, mrr: int | None, product: str | None = None) -> StoredPlan:
    """Return a monthly plan of one subscription."""
    price = Price(f"price_{name}", product, f"Nick {name}", "month", 1)
    return StoredPlan(price, "usd", mrr or 5, mrr, 1)


@pytest.mark.parametrize(
    ("amounts", "shares"),
    [
        ([100, 100, 100], [3_334, 3_333, 3_333]),
        ([1, 299], [9_967, 33]),
        ([None, 300], [10_000, None]),
        ([0, 0], [None, None]),
        ([], []),
    ],
)
def test_shares_sum_to_ten_thousand(
    connect: Connect, amounts: list[int | None], shares: list[int | None]
) -> None:
    """Dearest first; shares by largest remainder; none without a rate or MRR."""
    stored = [plan(str(n), amount) for n, amount in enumerate(amounts)]
    found = plans_of(connect(), SNAPSHOT, stored, {})
    assert [one.share for one in found.plans] == shares


def test_names(connect: Connect) -> None:
    """A plan is called as its product, else by its price's own name."""
    stored = [plan("a", 200, "prod_a"), plan("b", 100, "prod_b")]
    names = {"prod_a": Name("Pro", None), "prod_b": Name(None, None)}
    found = plans_of(connect(), SNAPSHOT, stored, names)
    assert [one.name for one in found.plans] == ["Pro", "Nick b"]
