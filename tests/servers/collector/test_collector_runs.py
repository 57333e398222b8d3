"""Runs of the collector on a real database, against the made-up company."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
import pytest

from opseer_collector.domain.records import BalanceTransaction, Batch
from opseer_collector.domain.work import Covered
from opseer_common.contracts.subscription import Subscription
from opseer_simulator.faults import Fault

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
async def test_a_first_run_shows_what_the_ledger_says(
    company: StripeCompany, collector: Collector, zone: str
) -> None:
    """All 91 days equal the company's ledger, and every closed one is complete."""
    made = await collector.collect(zone)
    assert await collector.figures(made) == company.truth(zone)
    rows = await collector.daily(made)
    assert [row["complete"] for row in rows] == [True] * 90 + [False]
    assert rows[-1]["reason"] == "ARRIVES_TOMORROW"
    assert {row["currency"] for row in rows} == {"usd"}
    found = await collector.connection(made)
    assert (found["state"], found["flags"], found["revision"]) == ("connected", [], 1)
    assert found["last_collected_at"] == company.now
    assert await collector.said() == ["revenue.collected"]


async def test_every_permission_is_known_after_a_first_run(
    collector: Collector,
) -> None:
    """The twelve permissions of the API are all told, each ok."""
    made = await collector.collect()
    permissions = msgspec.json.decode((await collector.connection(made))["permissions"])
    assert permissions == dict.fromkeys(
        (
            *("balance", "balance_transaction_source", "charges_and_refunds"),
            *("customers", "disputes", "events", "payment_intents", "payouts"),
            *("products", "invoices", "prices", "subscriptions"),
        ),
        "ok",
    )


async def test_live_subscriptions_are_stored_as_they_are(
    company: StripeCompany, collector: Collector
) -> None:
    """Each subscription that is not cancelled is stored, and no other."""
    made = await collector.collect()
    rows = await collector.sealed.fetch("SELECT body FROM collector.subscription")
    stored = [msgspec.json.decode(row["body"], type=Subscription) for row in rows]
    on_record = company.simulation.books().subscriptions.all()
    assert {one.id: one.status for one in stored} == {
        one.id: one.status for one in on_record if one.status != "canceled"
    }
    changes = await collector.sealed.fetch(
        "SELECT count(*) FROM collector.subscription_change WHERE connection_id = $1",
        made.connection_id,
    )
    assert changes[0]["count"] > 0


async def test_customers_behind_changes_and_their_products_have_names(
    company: StripeCompany, collector: Collector
) -> None:
    """Every product sold, and every customer whose subscription changed of late."""
    made = await collector.collect()
    rows = await collector.sealed.fetch(
        "SELECT kind, id, name, email FROM collector.name WHERE connection_id = $1",
        made.connection_id,
    )
    books = company.simulation.books()
    assert {row["id"]: row["name"] for row in rows if row["kind"] == "product"} == {
        one.id: one.name
        for one in books.products.all()
        if one.name != "Onboarding workshop"
    }
    changed = await collector.sealed.fetch(
        "SELECT DISTINCT body #>> '{after,customer}' AS id"
        " FROM collector.subscription_change"
    )
    assert {row["id"]: row["email"] for row in rows if row["kind"] == "customer"} == {
        row["id"]: books.customers[row["id"]].email for row in changed
    }


async def test_progress_only_grows_and_ends(collector: Collector) -> None:
    """What is told grows up to its total, and the last that is told is the end."""
    made = await collector.collect()
    last = collector.told[-1]
    assert (last.stage, last.done) == ("done", last.total)
    done = [message.done for message in collector.told]
    assert done == sorted(done)
    assert all(message.done <= message.total for message in collector.told)
    run = await collector.run(made)
    assert (run["state"], run["stage"]) == ("done", "done")
    assert run["done"] == run["total"] > 0


async def test_yesterday_is_shown_while_the_rest_is_read(
    company: StripeCompany, collector: Collector
) -> None:
    """Covered days have figures; the others are null and still being collected."""
    made = await collector.connect()
    claim = await collector.claim()
    assert claim is not None
    at = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp())
    row = BalanceTransaction(
        "txn_1", at, 1000, 59, 941, "usd", None, "charge", "charge", "ch_1"
    )
    await collector.rows.store(claim, Batch(transactions=[row]))
    since = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp())
    await collector.publisher.preview(claim, company.now, Covered(since, "usd"))
    rows = await collector.daily(made)
    assert [(row["net_revenue_minor"], row["reason"]) for row in rows] == [
        *[(None, "COLLECTING")] * 89,
        (1000, None),
        (0, "ARRIVES_TOMORROW"),
    ]
    assert await collector.said() == []


async def test_another_zone_is_computed_without_a_call(
    company: StripeCompany, collector: Collector
) -> None:
    """Changed settings that the bus lost are found, and stored rows are enough."""
    made = await collector.collect()
    company.account.calls.clear()
    await collector.sealed.set_timezone(made, "Asia/Kathmandu")
    assert await collector.connections.sweep(company.now) == 1
    assert await collector.drive_all() == 1
    assert company.account.calls == {}
    assert await collector.figures(made) == company.truth("Asia/Kathmandu")
    assert all(row["complete"] for row in (await collector.daily(made))[:-1])
    assert await collector.connections.sweep(company.now) == 0


async def test_a_day_that_is_just_over_waits_for_the_next_round(
    company: StripeCompany, collector: Collector
) -> None:
    """Within ten minutes after midnight yesterday is not complete yet."""
    company.now = datetime(2026, 11, 24, 0, 9, 59, tzinfo=UTC)
    made = await collector.collect()
    rows = await collector.daily(made)
    assert [row["reason"] for row in rows[-3:]] == [
        None,
        "CRON_PENDING",
        "ARRIVES_TOMORROW",
    ]


async def test_what_is_gone_at_the_provider_is_gone_after_a_refresh(
    company: StripeCompany, collector: Collector
) -> None:
    """Rows that a whole reading no longer finds are deleted."""
    made = await collector.collect()
    await collector.sealed.execute(
        """
        INSERT INTO collector.balance_transaction
        SELECT account_id, source, connection_id, 'txn_gone', created, amount_minor,
               fee_minor, net_minor, currency, exchange_rate, category, type, source_id,
               fence
        FROM collector.balance_transaction LIMIT 1
        """
    )
    await collector.request(made, uuid4(), "refresh")
    assert await collector.drive_all() == 1
    assert await collector.figures(made) == company.truth()
    gone = await collector.sealed.fetch(
        "SELECT id FROM collector.balance_transaction WHERE id = 'txn_gone'"
    )
    assert gone == []


@pytest.mark.parametrize("wording", ["old", "new"])
async def test_a_missing_permission_is_named_and_the_rest_goes_on(
    company: StripeCompany, collector: Collector, wording: str
) -> None:
    """Without charges failed payments are null and every day says why."""
    company.account.wording = wording
    company.account.missing = {"charges_and_refunds", "events"}
    made = await collector.collect()
    rows = await collector.daily(made)
    assert {row["reason"] for row in rows} == {"CHARGES_AND_REFUNDS_PERMISSION"}
    assert {row["failed_payments"] for row in rows} == {None}
    assert [row[:6] for row in await collector.figures(made)] == [
        row[:6] for row in company.truth()
    ]
    found = await collector.connection(made)
    missing = msgspec.json.decode(found["permissions"])
    assert {name for name, word in missing.items() if word == "missing"} == {
        "charges_and_refunds",
        "events",
    }
    assert (found["state"], found["flags"]) == ("connected", ["permission"])


async def test_without_transactions_no_number_is_shown(
    company: StripeCompany, collector: Collector
) -> None:
    """What cannot be read is null, never 0."""
    company.account.missing = {"balance_transaction_source"}
    made = await collector.collect()
    rows = await collector.daily(made)
    assert {row["net_revenue_minor"] for row in rows} == {None}
    assert {row["reason"] for row in rows} == {"BALANCE_TRANSACTION_SOURCE_PERMISSION"}


async def test_a_permission_given_later_heals_the_whole_window(
    company: StripeCompany, collector: Collector
) -> None:
    """A daily round reads everything where the last collection left something out."""
    company.account.missing = {"charges_and_refunds"}
    made = await collector.collect()
    company.account.missing = set()
    company.now = (await collector.connection(made))["next_run_at"]
    await collector.connections.start_rounds(company.now)
    assert await collector.drive_all() == 1
    assert await collector.figures(made) == company.truth()
    assert (await collector.connection(made))["flags"] == []


@pytest.mark.parametrize("key_state", ["revoked", "expired"])
async def test_a_refused_key_stops_everything_but_the_figures(
    company: StripeCompany, collector: Collector, key_state: str
) -> None:
    """AUTH_FAILED, the last good rows stay, and no call until a connect.

    Only the three that a run begins with may have been on their way.
    """
    made = await collector.collect()
    before = await collector.figures(made)
    company.account.key_state = key_state
    company.account.calls.clear()
    await collector.request(made, uuid4(), "refresh")
    assert await collector.drive_all() == 1
    calls = company.account.calls.total()
    assert calls <= 3
    found = await collector.connection(made)
    assert (found["state"], found["last_error_code"]) == ("auth_failed", "AUTH_FAILED")
    assert found["next_run_at"] is None
    assert await collector.figures(made) == before
    assert await collector.said() == ["revenue.collected", "collection.failed"]
    await collector.request(made, uuid4(), "refresh")
    company.now += timedelta(days=2)
    assert await collector.connections.start_rounds(company.now) == 0
    assert await collector.drive_all() == 0
    assert (await collector.run(made))["state"] == "failed"
    assert company.account.calls.total() == calls


async def test_a_key_that_is_revoked_in_mid_run_ends_it(
    company: StripeCompany, collector: Collector
) -> None:
    """Within 5 seconds, whatever waits for its next try; nothing is called after it."""
    made = await collector.collect()
    before = await collector.figures(made)
    company.account.latency_ms = 30
    company.account.calls.clear()
    company.account.faults = [Fault(kind="hang", count=1, endpoint="/v1/charges")]
    await collector.request(made, uuid4(), "refresh")
    claim = await collector.claim()
    assert claim is not None
    drive = asyncio.create_task(collector.collecting.drive(claim))
    while company.account.calls.total() < 3:
        await asyncio.sleep(0.005)
    company.account.key_state = "revoked"
    async with asyncio.timeout(5):
        await drive
    found = await collector.connection(made)
    assert (found["state"], found["last_error_code"]) == ("auth_failed", "AUTH_FAILED")
    assert await collector.figures(made) == before
    calls = company.account.calls.total()
    company.now += timedelta(days=2)
    assert await collector.drive_all() == 0
    assert company.account.calls.total() == calls


async def test_passing_trouble_changes_no_figure(
    company: StripeCompany, collector: Collector
) -> None:
    """Limits, locks, errors, broken bodies and a maintenance page are outlasted."""
    company.account.faults = [
        Fault(kind="rate_limited", count=3, endpoint="/v1/balance"),
        Fault(kind="truncated", count=2, endpoint="/v1/charges"),
        Fault(kind="html", count=2, endpoint="/v1/balance_transactions"),
        Fault(kind="lock_timeout", count=2, endpoint="/v1/disputes"),
        Fault(kind="server_error", count=2, status=503, endpoint="/v1/events"),
    ]
    made = await collector.collect()
    assert await collector.figures(made) == company.truth()
    assert (await collector.connection(made))["flags"] == []


async def test_a_provider_that_is_away_is_tried_later(
    company: StripeCompany, collector: Collector
) -> None:
    """The run goes back in line for a minute, the state stays, then it succeeds."""
    company.account.faults = [Fault(kind="server_error", count=1000)]
    made = await collector.collect()
    found = await collector.connection(made)
    assert found["state"] == "collecting"
    assert found["last_error_code"] == "PROVIDER_UNAVAILABLE"
    run = await collector.run(made)
    assert (run["state"], run["not_before"]) == (
        "queued",
        company.now + timedelta(minutes=1),
    )
    company.account.faults = []
    assert await collector.drive_all() == 0
    company.now += timedelta(minutes=1)
    assert await collector.drive_all() == 1
    assert await collector.figures(made) == company.truth()
    assert (await collector.connection(made))["last_error_code"] is None


async def test_pages_that_stay_unreadable_mark_their_days(
    company: StripeCompany, collector: Collector
) -> None:
    """Half a list is never a silent lower number: the unread days say QUARANTINE."""
    company.account.faults = [
        Fault(kind="truncated", count=1000, endpoint="/v1/balance_transactions")
    ]
    made = await collector.collect()
    rows = await collector.daily(made)
    assert {row["reason"] for row in rows} == {"QUARANTINE"}
    assert (await collector.connection(made))["flags"] == ["partial", "quarantine"]


async def test_figures_that_grow_old_are_flagged_until_they_are_new(
    company: StripeCompany, collector: Collector
) -> None:
    """28 hours without a collection are stale; the state stays; a round heals it."""
    made = await collector.collect()
    assert await collector.connections.mark_stale(company.now) == 0
    company.now += timedelta(hours=29)
    assert await collector.connections.mark_stale(company.now) == 1
    assert await collector.connections.mark_stale(company.now) == 0
    found = await collector.connection(made)
    assert (found["state"], found["flags"]) == ("connected", ["stale"])
    await collector.connections.start_rounds(company.now)
    assert await collector.drive_all() == 1
    assert (await collector.connection(made))["flags"] == []
