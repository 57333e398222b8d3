"""A fourth channel: a class that fits the provider's port is all that it takes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from opseer_collector.domain.fetching import Intake, Request
from opseer_collector.domain.records import (
    Batch,
    Fetched,
    ProjectMetric,
    Reported,
    Told,
)

if TYPE_CHECKING:
    from tests.servers.channels.conftest import ChannelCollector

pytestmark = pytest.mark.asyncio(loop_scope="module")

TODAY = date(2026, 11, 24)


class ToyProvider:
    """A channel that takes ten kroner a day for one order."""

    reports = True

    async def fetch(self, request: Request, intake: Intake) -> Fetched:
        """Tell every day of the window."""
        first, last = TODAY - timedelta(days=95), request.now.date()
        rows = []
        for back in range((last - first).days + 1):
            day = last - timedelta(days=back)
            partial = day == last
            rows += [
                ProjectMetric("shop", day, "net_revenue", "sek", 1000, partial),
                ProjectMetric("shop", day, "orders", "", 1, partial),
                ProjectMetric("shop", day, "mrr", "sek", 30_000, partial),
            ]
        await intake.progress({"charts": 50}, 100)
        await intake.store(Batch(metrics=rows, permissions={"books": "ok"}))
        names = ("net_revenue", "orders", "mrr")
        return Fetched(
            permissions={"books": "ok"},
            live_lists=frozenset({"books"}),
            reported=Reported(
                names={name: Told("books", "books") for name in names},
                projects=("shop",),
                timezone="Europe/Stockholm",
                currency="sek",
            ),
        )


async def test_a_toy_channel(collector: ChannelCollector) -> None:
    """Rule: collecting, publishing and daily rows know nothing of the channel."""
    known = collector.providers["polar"]
    collector.providers["polar"] = ToyProvider()
    try:
        made = await collector.collect("polar")
    finally:
        collector.providers["polar"] = known
    row = await collector.connection(made)
    assert (row["state"], row["settlement_currency"]) == ("connected", "sek")
    daily = await collector.sealed.fetch(
        """
        SELECT day, net_revenue_minor, charges_count, currency, timezone, reason
        FROM collector.revenue_daily_cache WHERE connection_id = $1 ORDER BY day
        """,
        made.connection_id,
    )
    assert len(daily) == 91
    assert tuple(daily[0])[1:] == (1000, 1, "sek", "Europe/Stockholm", None)
    assert tuple(daily[-1])[1:] == (
        1000,
        1,
        "sek",
        "Europe/Stockholm",
        "ARRIVES_TOMORROW",
    )
    figures = await collector.figures(made)
    assert figures[TODAY - timedelta(days=1)]["mrr"]["value"] == 30_000
