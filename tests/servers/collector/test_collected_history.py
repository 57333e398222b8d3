"""Older history from the company's invoices: read, estimated against its ledger, gone.

The company is 130 days old: twelve months would be the same with more of them.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from opseer_common.database import Database
from opseer_common.testing.servers import FreshDatabase
from opseer_mrr.domain.computation import ConnectionKey
from opseer_mrr.store.estimates import Estimates
from opseer_simulator.full_company import FullCompany
from opseer_simulator.office import Office
from opseer_simulator.simulation import truth_of
from opseer_simulator.subscriptions import Offer
from opseer_simulator.timeline import DAY

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany

    from opseer_common.testing.sealed import SealedConnection

Row = tuple[int, ...]


def plain(epoch: date) -> Office:
    """Return a company of plans that are billed whole: nothing is prorated."""
    office = Office(7, epoch, {0: 1})
    catalogue = office.books.catalogue
    for name, plan, begun, ended, terms in (
        ("Month", "monthly", 3, None, {}),
        ("Month And Gone", "monthly", 5, 62, {}),
        ("Loyal", "monthly", 9, None, {"coupon": catalogue.loyal}),
        ("Welcome", "monthly", 12, None, {"coupon": catalogue.welcome}),
        ("Year", "yearly", 4, None, {}),
        ("Year And Gone", "yearly", 20, 90, {}),
        ("Quarter", "quarterly", 6, None, {}),
        ("Week", "weekly", 30, 100, {}),
        ("Seats", "seats", 40, None, {"seats": 7}),
        ("Tried", "monthly", 45, None, {"trial_days": 14}),
        ("Only Tried", "yearly", 45, 50, {"trial_days": 14}),
        ("Once More", "monthly", 5, 40, {}),
        ("Once More", "seats", 70, None, {"seats": 2}),
    ):
        offer = Offer(plan=catalogue.plans[plan], **terms)
        _live(office, name, (begun, ended), offer)
    return office


def _live(
    office: Office, name: str, days: tuple[int, int | None], offer: Offer
) -> None:
    """Let a customer subscribe, and leave at once, at nine on these days."""
    begun, ended = (None if n is None else n * DAY + 9 * 3600 for n in days)

    def begin(now: int) -> None:
        customer = office.register(now, name).id
        subscription = office.subscriptions.begin(now, customer, offer)
        if ended is not None:
            office.plan(
                office.opened + ended,
                lambda t: office.subscriptions.cancel(t, subscription),
            )

    office.plan(office.opened + (begun or 0), begin)


def everything(epoch: date) -> Office:
    """Return the company that has everything but a currency without a rate."""
    return FullCompany(4, epoch, 10, frozenset({"never_paid_currency"})).office


async def read_history(collector: Collector) -> SealedConnection:
    """Connect, collect, and read older history."""
    made = await collector.collect()
    await collector.request(made, uuid4(), "history")
    assert await collector.drive_all() == 1
    assert (await collector.run(made))["state"] == "done"
    return made


async def estimated(
    database: FreshDatabase, collector: Collector, of: SealedConnection
) -> dict[date, Row]:
    """Return the estimate that mrr makes under its own login, by day."""
    own = await Database.connect(database.login_url("mrr"), size=1)
    key = ConnectionKey(of.account_id, "stripe", of.connection_id)
    await Estimates(own).bring_up_to_date(key)
    await own.close()
    rows = await collector.sealed.fetch(
        """
        SELECT day, snapshot_minor, subscriptions, new_minor, expansion_minor,
               contraction_minor, churned_minor, fx_minor FROM mrr.estimate
        """
    )
    return {row["day"]: tuple(row)[1:] for row in rows}


def truth(company: StripeCompany) -> dict[date, Row]:
    """Return the same of every day that is over, from the ledger."""
    last = company.now.date() - timedelta(days=1)
    days = truth_of(company.simulation, "UTC", company.simulation.epoch, last).days
    return {
        day.date: (
            *(day.mrr, day.active_subscriptions, moved.new, moved.expansion),
            *(moved.contraction, moved.churned, day.fx),
        )
        for day in days
        for moved in [day.grain_subscription]
        if day.mrr or day.date > company.simulation.epoch + timedelta(days=9)
    }


@pytest.mark.parametrize("company", [{"script": plain}], indirect=True)
async def test_whole_periods_are_the_ledgers(
    database: FreshDatabase, company: StripeCompany, collector: Collector
) -> None:
    """Every day's MRR and movements, to the cent, where nothing is prorated.

    What is asked for again, and what settings have changed, replaces it.
    """
    made = await read_history(collector)
    expected = truth(company)
    assert await estimated(database, collector, made) == expected
    await collector.request(made, uuid4(), "history")
    assert await collector.drive_all() == 1
    assert await estimated(database, collector, made) == expected
    [lines] = await collector.sealed.fetch(
        "SELECT count(DISTINCT run_id) AS runs FROM collector.invoice_line"
    )
    assert lines["runs"] == 1
    await collector.sealed.execute(
        """
        UPDATE gateway.opseer_user_integration SET settings_revision = 2,
            policy = '{"preset": "stripe_all_discounts", "version": 1}'
        """
    )
    changed = await estimated(database, collector, made)
    twelfth = company.simulation.epoch + timedelta(days=12)
    # 29.00 less 30 % in the first month alone: 8.70 less, and an expansion later.
    assert changed[twelfth][2] == expected[twelfth][2] - 870
    assert changed[twelfth + timedelta(days=31)][3] == 870


def furthest(found: dict[date, Row], expected: dict[date, Row]) -> int:
    """Return how far MRR is off at most, in parts per thousand."""
    return max(
        abs(found[day][0] - row[0]) * 1000 // row[0]
        for day, row in expected.items()
        if day in found
    )


@pytest.mark.deep
@pytest.mark.parametrize(
    ("company", "most"),
    [
        ({"script": everything}, 20),
        *(({"seed": seed}, 95) for seed in (1, 2, 3, 8, 22)),
    ],
    indirect=["company"],
)
async def test_any_company_is_nearly_the_ledgers(
    database: FreshDatabase, company: StripeCompany, collector: Collector, most: int
) -> None:
    """Downgrades that nothing was billed for show with the next period, and no more.

    In the plain companies every customer who comes or goes does so on the ledger's
    day; discounts of a fraction of a cent make a few cents.
    """
    made = await read_history(collector)
    found, expected = await estimated(database, collector, made), truth(company)
    assert furthest(found, expected) <= most
    if most > 20:
        assert [row[1] for row in found.values()] == [expected[day][1] for day in found]
        for column in (2, 5):
            off = [
                abs(row[column] - expected[day][column]) for day, row in found.items()
            ]
            assert max(off) < 10


@pytest.mark.parametrize("company", [{"script": plain}], indirect=True)
async def test_a_key_that_may_not(
    database: FreshDatabase, company: StripeCompany, collector: Collector
) -> None:
    """Without the right to invoices nothing is estimated, and the reason is kept."""
    company.account.missing = {"invoices"}
    made = await read_history(collector)
    assert await estimated(database, collector, made) == {}
    [row] = await collector.sealed.fetch("SELECT reason FROM mrr.estimated")
    assert row["reason"] == "INVOICES_PERMISSION"


async def test_it_waits_for_what_is_more_urgent(
    company: StripeCompany, collector: Collector
) -> None:
    """A run that waits goes first; then reading goes on, and a disconnect ends all.

    It goes on from the windows that were read before.
    """
    made = await collector.collect()
    asked = uuid4()
    await collector.request(made, asked, "history")
    company.now += timedelta(seconds=1)
    await collector.request(made, uuid4(), "refresh")
    assert await collector.drive_all() == 2
    [row] = await collector.sealed.fetch(
        "SELECT state, fence FROM collector.run WHERE run_id = $1", asked
    )
    assert (row["state"], row["fence"]) == ("queued", 2)
    assert await collector.sealed.fetch(
        "SELECT FROM collector.read_window WHERE run_id = $1", asked
    )
    company.now += timedelta(seconds=10)
    assert await collector.drive_all() == 1
    billed = {
        line.id
        for invoice in company.simulation.books().invoices.all()
        for line in invoice.lines
        if invoice.status in ("paid", "open", "uncollectible")
    }
    rows = await collector.sealed.fetch("SELECT id FROM collector.v1_invoice_line")
    assert {row["id"] for row in rows} == billed
    await collector.sealed.disconnect(made.account_id)
    await collector.connections.disconnected(made.ended())
    assert await collector.sealed.rows_of(made) == 0
