"""RevenueCat collected from the made-up app, held against the app's own ledger."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.servers.channels.conftest import ChannelCollector, Company

TODAY = date(2026, 11, 24)
CLOSED = [TODAY - timedelta(days=back) for back in range(90, 0, -1)]
ASKED = {"from": "2026-08-26", "to": "2026-11-24"}
FIGURES = {
    "mrr": "mrr",
    "net_revenue": "revenue",
    "orders": "orders",
    "new_subs": "new_subs",
    "churned_subs": "churned",
    "new_mrr": "mrr_new",
}


async def test_ninety_days(collector: ChannelCollector, company: Company) -> None:
    """Rule: every closed day of 90 has the app's own figures, and is complete."""
    made = await collector.collect("revenuecat")
    truth = await company.truth("revenuecat", **ASKED)
    figures = await collector.figures(made)
    for day in CLOSED:
        for ours, theirs in FIGURES.items():
            found = figures[day][ours]
            assert found["value"] == truth[day][theirs], (day, ours)
            assert found["complete"]
        assert -figures[day]["churned_mrr"]["value"] == truth[day]["mrr_churned"]
