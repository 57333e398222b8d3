"""Both channels over the next days: what a daily round reads, and what it leaves."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.servers.channels.conftest import ChannelCollector, Company

LATER = time(1, 30)
"""By then every account's round is due."""
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("days", [1, pytest.param(4, marks=pytest.mark.deep)])
async def test_the_next_days(
    collector: ChannelCollector, company: Company, days: int
) -> None:
    """Rule: each round completes the day before; older days stay as they are."""
    first = company.now.date()
    both = [await collector.collect(source) for source in ("revenuecat", "polar")]
    for passed in range(1, days + 1):
        today = first + timedelta(days=passed)
        company.now = datetime.combine(today, LATER, UTC)
        for made in both:
            await company.calls(made.source)
        assert await collector.connections.start_rounds(company.now) == 2
        assert await collector.drive_all() >= 2
        for made in both:
            row = await collector.connection(made)
            assert row["state"] == "connected"
            assert row["flags"] == set()
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
