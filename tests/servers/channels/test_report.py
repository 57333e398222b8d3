"""From what the channels report to MRR, movements and the five metrics of a day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.servers.channels.conftest import KEYS

from opseer_common.contracts.daily_report import DailyReport
from opseer_common.database import Database
from opseer_common.rendering import report_text
from opseer_mrr.actions import Computing
from opseer_mrr.domain.computation import ConnectionKey
from opseer_mrr.store.figures import PostgresStore
from opseer_mrr.store.given import GivenStore
from opseer_notifier.actions.building import Building
from opseer_notifier.store.reports import PostgresStore as ReportStore

if TYPE_CHECKING:
    from tests.servers.channels.conftest import ChannelCollector, Company

    from opseer_common.testing.sealed import SealedConnection
    from opseer_common.testing.servers import FreshDatabase

pytestmark = pytest.mark.asyncio(loop_scope="module")

TODAY = date(2026, 11, 24)
YESTERDAY = TODAY - timedelta(days=1)
CLOSED = [TODAY - timedelta(days=back) for back in range(90, 0, -1)]


async def computed(
    database: FreshDatabase, collector: ChannelCollector, *made: SealedConnection
) -> None:
    """Let the mrr service and the notifier do their work."""
    mrr = await Database.connect(database.login_url("mrr"))
    notifier = await Database.connect(database.login_url("notifier"))
    computing = Computing(PostgresStore(mrr, frozenset()), None, GivenStore(mrr))
    for one in made:
        key = ConnectionKey(one.account_id, one.source, one.connection_id)
        await computing.compute(key)
    building = Building(ReportStore(notifier), collector.company.clock)
    await building.build(made[0].account_id)
    await mrr.close()
    await notifier.close()


async def rows(
    collector: ChannelCollector, table: str, made: SealedConnection
) -> dict[date, Any]:
    """Return the rows of a table by day."""
    found = await collector.sealed.fetch(
        f"SELECT * FROM mrr.{table} WHERE connection_id = $1",  # noqa: S608
        made.connection_id,
    )
    return {row["day"]: row for row in found}


async def test_both_channels_in_one_report(
    module_database: FreshDatabase, collector: ChannelCollector, company: Company
) -> None:
    """Rule: MRR, movements and report are what the channels' own ledgers say."""
    first = await collector.collect("revenuecat")
    second = await collector.collect("polar", account_id=first.account_id)
    await computed(module_database, collector, first, second)
    truths = {source: await company.truth(source) for source in KEYS}
    for made in (first, second):
        truth = truths[made.source]
        snapshot = (await rows(collector, "snapshot", made))[TODAY]
        live = (snapshot["mrr_minor"], snapshot["active_subscriptions"])
        assert live == (truth[TODAY]["mrr"], truth[TODAY]["active_subscriptions"])
        assert snapshot["complete"]
        movements = await rows(collector, "movement", made)
        for day in CLOSED[1:]:
            before = truth[day - timedelta(days=1)]
            assert moved(movements[day]) == expected(truth[day], before, made.source)
    report = await newest_report(collector, first)
    for channel in report.channels:
        theirs = truths[channel.source][YESTERDAY]
        found = {metric.key: metric.value for metric in channel.metrics}
        keys = ("mrr", "revenue", "orders", "new_subs", "churned")
        assert found == {key: theirs[key] for key in keys}
        assert {metric.status for metric in channel.metrics} == {"ok"}
    text = report_text(msgspec.to_builtins(report))
    assert "trials count, too (New Subs, Churned)" in text


def moved(row: Any) -> tuple[object, ...]:
    """Return what a row of movements says."""
    return (
        *(row["new_minor"], row["expansion_minor"], row["contraction_minor"]),
        *(row["churned_minor"], row["net_minor"], row["snapshot_minor"]),
        *(row["new_subs"], row["churned_subs"], row["complete"]),
    )


def expected(day: Any, before: Any, source: str) -> tuple[object, ...]:
    """Return what the ledger says of a day, as far as the channel tells it apart.

    RevenueCat's churn is net of who came back: where more came back, it is a gain.
    """
    new = churned = None
    if source == "revenuecat":
        new = day["mrr_new"] + max(-day["mrr_churned"], 0)
        churned = min(-day["mrr_churned"], 0)
    return (
        *(new, None, None, churned, day["mrr"] - before["mrr"], day["mrr"]),
        *(day["new_subs"], day["churned"], True),
    )


async def newest_report(
    collector: ChannelCollector, made: SealedConnection
) -> DailyReport:
    """Return the account's newest report."""
    [stored] = await collector.sealed.fetch(
        "SELECT body FROM notifier.report WHERE account_id = $1 ORDER BY day DESC"
        " LIMIT 1",
        made.account_id,
    )
    return msgspec.json.decode(stored["body"], type=DailyReport)


async def test_a_day_that_is_not_there_yet(
    module_database: FreshDatabase, collector: ChannelCollector, company: Company
) -> None:
    """Rule: what a channel does not tell is "—" with a reason, and so is its own day.

    In Seoul the 24th is over; in UTC, which RevenueCat's days are of, it is not.
    """
    await company.control(
        "revenuecat/permissions", {"missing": ["charts_metrics:charts:read"]}
    )
    made = await collector.collect("revenuecat", timezone="Asia/Seoul")
    await computed(module_database, collector, made)
    report = await newest_report(collector, made)
    assert report.date == TODAY
    [channel] = report.channels
    assert {metric.value for metric in channel.metrics} == {None}
    assert [metric.reason for metric in channel.metrics] == [
        "ARRIVES_TOMORROW",
        *["CHARTS_PERMISSION"] * 4,
    ]
    assert "RevenueCat  (UTC day)" in report_text(msgspec.to_builtins(report))
    snapshot = (await rows(collector, "snapshot", made))[TODAY]
    truth = await company.truth("revenuecat")
    assert snapshot["mrr_minor"] == truth[TODAY]["mrr"]
