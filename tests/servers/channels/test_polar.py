"""Polar collected from the made-up shop, held against the shop's own ledger."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.servers.channels.conftest import ChannelCollector, Company

pytestmark = pytest.mark.asyncio(loop_scope="module")

TODAY = date(2026, 11, 24)
CLOSED = [TODAY - timedelta(days=back) for back in range(90, 0, -1)]
FIGURES = {
    "mrr": "mrr",
    "committed_mrr": "committed_mrr",
    "net_revenue": "revenue",
    "charges_amount": "gross_revenue",
    "refunds_amount": "refunds_amount",
    "refunds_count": "refunds_count",
    "orders": "orders",
    "new_subs": "new_subs",
    "churned_subs": "churned",
    "active_subscriptions": "active_subscriptions",
}


async def check(
    collector: ChannelCollector,
    company: Company,
    made: Any,
    zone: str = "UTC",
    last: date = TODAY,
) -> None:
    """Hold every closed day against the ledger."""
    truth = await company.truth("polar", timezone=zone)
    figures = await collector.figures(made)
    for back in range(90, 0, -1):
        day = last - timedelta(days=back)
        for ours, theirs in FIGURES.items():
            found = figures[day][ours]
            expected = (truth[day][theirs], None)
            assert (found["value"], found["reason"]) == expected, (day, ours)


async def test_ninety_days(collector: ChannelCollector, company: Company) -> None:
    """Rule: each closed day of 90 has the shop's own figures, refunds on their day.

    One call tells all metrics; a refund in euros takes two more.
    """
    made = await collector.collect("polar")
    calls = await company.calls("polar")
    await check(collector, company, made)
    truth = await company.truth("polar")
    euros = [day for day in CLOSED if set(truth[day]["refunds_by_currency"]) - {"usd"}]
    assert euros
    assert calls["/polar/v1/metrics/"] == 1 + len(euros)
    today = (await collector.figures(made))[TODAY]
    assert {row["reason"] for row in today.values()} == {"ARRIVES_TOMORROW"}
    for name in ("mrr", "orders"):
        assert today[name]["value"] == truth[TODAY][name]
    [row] = await collector.sealed.fetch(
        "SELECT * FROM collector.revenue_daily_cache WHERE connection_id = $1"
        " AND day = $2",
        *(made.connection_id, CLOSED[-1]),
    )
    theirs = truth[CLOSED[-1]]
    assert (row["net_revenue_minor"], row["charges_count"], row["currency"]) == (
        *(theirs["revenue"], theirs["orders"]),
        "usd",
    )
    assert (row["complete"], row["failed_payments"]) == (True, None)


@pytest.mark.deep
async def test_days_of_another_zone(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: days are of the chosen zone; another one is read anew."""
    made = await collector.collect("polar", timezone="America/New_York")
    await check(collector, company, made, "America/New_York")
    await collector.sealed.set_timezone(made, "Asia/Seoul")
    await collector.ask(made, "recompute")
    await check(collector, company, made, "Asia/Seoul", date(2026, 11, 25))


@pytest.mark.parametrize(
    ("missing", "reasons"),
    [
        ("refunds:read", {"net_revenue": "REFUNDS_PERMISSION", "orders": None}),
        ("metrics:read", {"net_revenue": "METRICS_PERMISSION", "refunds_count": None}),
    ],
    ids=["refunds", "metrics"],
)
async def test_a_scope_that_is_missing(
    collector: ChannelCollector,
    company: Company,
    missing: str,
    reasons: dict[str, str | None],
) -> None:
    """Rule: one scope that is missing is named, what the others tell is there."""
    await company.control("polar/permissions", {"missing": [missing]})
    made = await collector.collect("polar")
    row = await collector.connection(made)
    assert (row["state"], row["flags"]) == ("connected", {"permission"})
    assert row["permissions"][missing.partition(":")[0]] == "missing"
    figures = await collector.figures(made)
    for name, reason in reasons.items():
        found = {figures[day][name]["reason"] for day in CLOSED}
        assert found == {reason}
        unknown = {figures[day][name]["value"] is None for day in CLOSED}
        assert unknown == {reason is not None}


async def test_a_refund_whose_rate_is_not_told(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: without orders a refund in euros has no rate, and the day says so."""
    await company.control("polar/permissions", {"missing": ["orders:read"]})
    made = await collector.collect("polar")
    truth = await company.truth("polar")
    figures = await collector.figures(made)
    for day in CLOSED:
        foreign = set(truth[day]["refunds_by_currency"]) - {"usd"}
        expected = "NO_RATE" if foreign else None
        assert figures[day]["net_revenue"]["reason"] == expected
        assert figures[day]["orders"]["reason"] is None


async def test_a_metric_without_a_value(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: what Polar leaves out is unknown and marked, never 0."""
    await company.control("polar/settings", {"absent": ["monthly_recurring_revenue"]})
    made = await collector.collect("polar")
    figures = await collector.figures(made)
    assert {figures[day]["mrr"]["value"] for day in CLOSED} == {None}
    assert {figures[day]["mrr"]["reason"] for day in CLOSED} == {"QUARANTINE"}
    assert "quarantine" in (await collector.connection(made))["flags"]


@pytest.mark.deep
async def test_what_passes_is_tried_again(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: 429, 5xx, half a body and a page of HTML change no figure."""
    for fault in (
        {"kind": "rate_limited", "seconds": 2, "path": "/metrics/"},
        {"kind": "html", "path": "/metrics/"},
        {"kind": "server_error", "status": 502, "path": "/refunds/"},
        {"kind": "truncated", "path": "/refunds/"},
    ):
        await company.control("polar/faults", fault)
    made = await collector.collect("polar")
    await check(collector, company, made)
    assert (await collector.connection(made))["flags"] == set()
    assert 2 in collector.waits


async def test_a_disconnect_leaves_nothing(collector: ChannelCollector) -> None:
    """Rule: with the connection every row of it is gone."""
    made = await collector.collect("polar")
    assert await collector.sealed.rows_of(made)
    await collector.sealed.disconnect(made.account_id, "polar")
    await collector.connections.disconnected(made.ended())
    assert await collector.sealed.rows_of(made) == 0
