"""Both channels over the next days: what a daily round reads, and what it leaves."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from opseer_collector.domain.rounds import next_round
from opseer_common.days import zone

if TYPE_CHECKING:
    from tests.servers.channels.conftest import ChannelCollector, Company

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIRST = date(2026, 11, 24)


async def test_the_next_days(collector: ChannelCollector, company: Company) -> None:
    """Rule: each round completes the day before; older days stay as they are."""
    both = [await collector.collect(source) for source in ("revenuecat", "polar")]
    for passed in range(1, 4):
        today = FIRST + timedelta(days=passed)
        company.now = max(
            next_round(company.now, zone("UTC"), made.account_id, made.source)
            for made in both
        )
        assert company.now.date() == today
        for made in both:
            await company.calls(made.source)
        assert await collector.connections.start_rounds(company.now) == 2
        assert await collector.drive_all() >= 2
        for made in both:
            row = await collector.connection(made)
            assert row["state"] == "connected"
            assert row["flags"] <= {"drift"}
            truth = await company.truth(made.source)
            figures = await collector.figures(made)
            assert (min(figures), max(figures)) == (today - timedelta(days=90), today)
            for back in range(1, 91):
                day = today - timedelta(days=back)
                for ours, theirs in (
                    ("mrr", "mrr"),
                    ("net_revenue", "revenue"),
                    ("orders", "orders"),
                    ("new_subs", "new_subs"),
                    ("churned_subs", "churned"),
                ):
                    found = figures[day][ours]
                    expected = (truth[day][theirs], None)
                    assert (found["value"], found["reason"]) == expected, (day, ours)
