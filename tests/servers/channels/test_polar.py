"""Polar collected from the made-up shop, held against the shop's own ledger."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers.channels.conftest import ChannelCollector, Company

TODAY = date(2026, 11, 24)
CLOSED = [TODAY - timedelta(days=back) for back in range(90, 0, -1)]
FIGURES = {
    "mrr": "mrr",
    "charges_amount": "gross_revenue",
    "orders": "orders",
    "refunds_count": "refunds_count",
    "new_subs": "new_subs",
    "churned_subs": "churned",
    "active_subscriptions": "active_subscriptions",
}


async def test_ninety_days(collector: ChannelCollector, company: Company) -> None:
    """Rule: every closed day of 90 has the shop's own figures, in the chosen zone."""
    made = await collector.collect("polar", timezone="Asia/Seoul")
    truth = await company.truth("polar", timezone="Asia/Seoul")
    figures = await collector.figures(made)
    today = max(truth)
    for day, row in truth.items():
        if day not in figures or day == today:
            continue
        for ours, theirs in FIGURES.items():
            found = figures[day][ours]
            assert (found["value"], found["reason"]) == (row[theirs], None), (day, ours)
    assert len(figures) == 91
    print(
        {
            d: (
                figures[d]["net_revenue"]["value"],
                r["revenue"],
                figures[d]["net_revenue"]["reason"],
                r["refunds_by_currency"],
            )
            for d, r in truth.items()
            if d in figures and figures[d]["net_revenue"]["value"] != r["revenue"]
        }
    )
