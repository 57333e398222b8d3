"""What is behind a figure re-adds to it: from the company's API to the gateway."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from opseer_common.database import Database
from opseer_common.testing.servers import FreshDatabase
from opseer_gateway.actions.details import Details
from opseer_gateway.domain.entries import DayEntries, Entry
from opseer_gateway.domain.figures import Grain
from opseer_gateway.store.details import DetailStore
from opseer_mrr.actions import COMPUTED_SOURCES, Computing
from opseer_mrr.domain.computation import ConnectionKey
from opseer_mrr.store.figures import PostgresStore
from opseer_simulator.full_company import FullCompany
from opseer_simulator.office import Office

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany

    from opseer_common.testing.sealed import SealedConnection

CATEGORIES = ("new", "expansion", "contraction", "churned")


def everything(epoch: date) -> Office:
    """Return the company with every story, of several currencies."""
    return FullCompany(1, epoch, 40).office


COMPANIES = pytest.mark.parametrize(
    "company",
    [{"seed": 5}, {"seed": 8}, {"script": everything}],
    indirect=True,
    ids=["small", "other", "everything"],
)


@pytest.fixture
async def details(
    database: FreshDatabase, company: StripeCompany
) -> AsyncIterator[Details]:
    """Return the gateway's reads, under its own login, in the company's time."""
    own = await Database.connect(database.login_url("gateway"), size=1)
    yield Details(DetailStore(own), company.clock)
    await own.close()


@pytest.fixture
async def made(database: FreshDatabase, collector: Collector) -> SealedConnection:
    """Return a connection that was collected and computed."""
    made = await collector.collect()
    own = await Database.connect(database.login_url("mrr"), size=1)
    key = ConnectionKey(made.account_id, "stripe", made.connection_id)
    await Computing(PostgresStore(own, COMPUTED_SOURCES)).compute(key)
    await own.close()
    return made


async def pages(
    details: Details, of: SealedConnection, day: date, limit: int
) -> tuple[DayEntries, list[Entry]]:
    """Return the first page and the entries of all."""
    first = page = await details.entries(
        of.account_id, "stripe", str(day), str(limit), None
    )
    found = list(page.entries)
    while page.next_cursor is not None:
        page = await details.entries(
            of.account_id, "stripe", str(day), str(limit), page.next_cursor
        )
        found += page.entries
    return first, found


def re_added(entries: list[Entry], currency: str | None) -> tuple[int, ...]:
    """Add up a day as its description says, by category."""
    amount: Counter[str] = Counter()
    number: Counter[str] = Counter()
    disputed = set()
    unpaid = 0
    for one in entries:
        if one.kind != "balance_transaction":
            unpaid += one.kind == "failed_charge" and one.counts_in != "none"
            continue
        same = one.currency == currency
        amount[one.category] += one.amount if same else one.converted_amount or 0
        number[one.category] += one.category != "charge" or one.amount > 0
        if one.category == "dispute":
            disputed.add(one.source_id)
    charges = sum(
        amount[name]
        for name in ("charge", "partial_capture_reversal", "charge_failure")
    )
    refunds = -(amount["refund"] + amount["refund_failure"])
    return (
        *(charges - refunds, number["charge"], charges, number["refund"], refunds),
        *(unpaid + number["charge_failure"], len(disputed)),
    )


FIELDS = (
    *("net_revenue", "charges_count", "charges_amount", "refunds_count"),
    *("refunds_amount", "failed_payments", "disputes"),
)


@COMPANIES
async def test_entries_are_the_days(
    company: StripeCompany, collector: Collector, made: SealedConnection,
    details: Details,
) -> None:  # fmt: skip
    """All 91 days: entries add up to the ledger's row, by hand and by `adds`."""
    truth = company.truth()
    assert await collector.figures(made) == truth
    seen = 0
    for day, *row in truth:
        page, entries = await pages(details, made, day, 100)
        assert re_added(entries, page.currency) == tuple(row), day
        adds: Counter[str] = Counter()
        for one in entries:
            adds.update(one.adds)
        assert [adds[field] for field in FIELDS] == row, day
        assert page.reason in (None, "ARRIVES_TOMORROW", "CRON_PENDING", "NO_RATE")
        seen += len(entries)
    assert seen > 200


async def test_pages_are_the_list(
    company: StripeCompany, made: SealedConnection, details: Details
) -> None:
    """Small pages hold what a large one does, in its order: newest first, all once."""
    day = company.now.date() - timedelta(days=2)
    page, whole = await pages(details, made, day, 100)
    _, parts = await pages(details, made, day, 3)
    assert parts == whole
    assert len(whole) == page.total
    assert page.next_cursor is None
    assert [one.created for one in whole] == sorted(
        (one.created for one in whole), reverse=True
    )
    assert len({(one.kind, one.id) for one in whole}) == len(whole)
    named = [one for one in whole if one.customer and one.customer.name]
    assert named
    assert {one.link for one in named if one.counts_in == "charges"} <= {
        f"https://dashboard.stripe.com/test/payments/{one.source_id}" for one in named
    }


async def movement_rows(
    collector: Collector, of: SealedConnection, grain: Grain
) -> dict[date, Any]:
    """Return the stored movement rows."""
    rows = await collector.sealed.fetch(
        "SELECT * FROM mrr.movement WHERE connection_id = $1 AND grain = $2",
        *(of.connection_id, grain),
    )
    return {row["day"]: row for row in rows}


@COMPANIES
@pytest.mark.parametrize("grain", ["subscription", "customer"])
async def test_changes_are_the_days(
    collector: Collector, made: SealedConnection, details: Details, grain: Grain
) -> None:
    """Every day and both grains: changes add up to the row, reactivations too."""
    rows = await movement_rows(collector, made, grain)
    assert len(rows) >= 30
    moved = 0
    for day, row in rows.items():
        found = await details.changes(made.account_id, "stripe", str(day), grain)
        sums: Counter[str] = Counter()
        for one in found.changes:
            sums[one.category] += one.amount or 0
            sums["back"] += (one.amount or 0) if one.reactivation else 0
            assert one.plan
            assert one.customer
        assert {name: sums[name] for name in CATEGORIES} == {
            name: row[f"{name}_minor"] for name in CATEGORIES
        }, day
        assert sums["back"] == row["of_which_reactivation_minor"], day
        assert (found.complete, found.reason) == (row["complete"], row["reason"])
        moved += len(found.changes)
    assert moved > 5


@COMPANIES
async def test_plans_are_mrr(
    collector: Collector, made: SealedConnection, details: Details
) -> None:
    """Plans add up to MRR, dearest first, and their shares to 10,000."""
    found = await details.plans(made.account_id, "stripe")
    [row] = await collector.sealed.fetch(
        "SELECT mrr_minor FROM mrr.snapshot ORDER BY day DESC LIMIT 1"
    )
    worth = [plan.mrr or 0 for plan in found.plans]
    assert sum(worth) == found.mrr == row["mrr_minor"]
    assert found.mrr > 0
    assert worth == sorted(worth, reverse=True)
    assert sum(plan.share or 0 for plan in found.plans) == 10_000
    assert all(plan.name != plan.price_id for plan in found.plans)


async def test_a_day_whose_rows_are_being_stored_says_so(
    collector: Collector, company: StripeCompany, made: SealedConnection,
    details: Details,
) -> None:  # fmt: skip
    """Entries that the row does not have yet make it incomplete, never wrong."""
    day = company.now.date() - timedelta(days=2)
    [one] = await collector.sealed.fetch(
        """
        DELETE FROM collector.balance_transaction WHERE category = 'charge'
          AND id = (SELECT max(id) FROM collector.balance_transaction
                    WHERE category = 'charge' AND to_timestamp(created)::date = $1)
        RETURNING id
        """,
        day,
    )
    page = await details.entries(made.account_id, "stripe", str(day), "100", None)
    assert one["id"] not in {entry.id for entry in page.entries}
    assert (page.complete, page.reason) == (False, "COLLECTING")


async def test_nobody_elses_rows(
    collector: Collector, company: StripeCompany, made: SealedConnection,
    details: Details,
) -> None:  # fmt: skip
    """Another account, and an ended connection, have no number in any answer."""
    day = str(company.now.date() - timedelta(days=2))
    stranger = await collector.sealed.connect(company.key)
    await collector.sealed.disconnect(made.account_id)
    for account in (stranger.account_id, made.account_id):
        entries = await details.entries(account, "stripe", day, None, None)
        changes = await details.changes(account, "stripe", day, "subscription")
        plans = await details.plans(account, "stripe")
        assert (entries.entries, changes.changes, plans.plans) == ((), (), ())
        for answer in (entries, changes, plans):
            values = msgspec.to_builtins(answer).values()
            assert [v for v in values if isinstance(v, int) and v is not False] == []
