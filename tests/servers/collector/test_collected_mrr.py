"""From the company's API through the collector's rows to mrr's: against its ledger."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.servers.collector.computed import computed, rows_of, truth

from opseer_common.testing.servers import FreshDatabase
from opseer_simulator.office import Office
from opseer_simulator.simulation import truth_of
from opseer_simulator.subscriptions import Offer
from opseer_simulator.timeline import DAY

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany


@pytest.mark.parametrize(
    "company", [{"seed": seed} for seed in (1, 3, 8, 22, 31, 37)], indirect=True
)
async def test_any_company_is_the_ledgers(
    database: FreshDatabase, company: StripeCompany, collector: Collector
) -> None:
    """29 closed days are complete and the ledger's, reactivation and discounts too."""
    made = await collector.collect()
    figures = await computed(database, made)
    assert rows_of(figures, 29) == truth(company, 29)
    last = company.now.date()
    days = truth_of(company.simulation, "UTC", last - timedelta(days=29), last).days
    paying = {one.day: one.subscriptions.at_end for one in figures.basis}
    assert [paying[day.date] for day in days] == [
        day.active_subscriptions for day in days
    ]


def founded(epoch: date) -> Office:
    """Return a company of customers who come back, or leave with a discount.

    Events are told from the morning of day 100 on at the first collection (day 130).
    """
    office = Office(7, epoch, {0: 1})
    for name, begun, ended, again, terms in (
        ("Stays", 3, None, None, {}),
        ("Back Again", 5, 40, 115, {}),
        ("Back Between", 30, 100, 117, {}),
        ("Back Later", 6, 41, 136, {}),
        ("Only Tried", 10, 15, 116, {"trial_days": 14}),
        ("Loyal Gone", 20, 120, None, {"coupon": office.books.catalogue.loyal}),
        ("Loyal Later", 21, 134, 137, {"coupon": office.books.catalogue.loyal}),
        ("Welcome Gone", 95, 110, None, {"coupon": office.books.catalogue.welcome}),
    ):
        _live(office, name, (begun, ended, again), terms)
    return office


def _live(
    office: Office,
    name: str,
    days: tuple[int, int | None, int | None],
    terms: dict[str, Any],
) -> None:
    """Let a customer subscribe, leave and subscribe anew at nine on these days."""
    plan = office.books.catalogue.plans["monthly"]
    at, end, again = (None if n is None else n * DAY + 9 * 3600 for n in days)

    def begin(now: int) -> None:
        customer = office.register(now, name).id
        first = office.subscriptions.begin(now, customer, Offer(plan=plan, **terms))
        if end is not None:
            office.plan(
                office.opened + end, lambda t: office.subscriptions.cancel(t, first)
            )
        if again is not None:
            office.plan(
                office.opened + again,
                lambda t: office.subscriptions.begin(t, customer, Offer(plan=plan)),
            )

    office.plan(office.opened + (at or 0), begin)


def back(company: StripeCompany) -> list[int]:
    """Return the days of the company on which the ledger says somebody came back."""
    epoch = company.simulation.epoch
    return [
        (row[1] - epoch).days
        for row in truth(company, 29)
        if row[0] == "subscription" and row[-1] > 0
    ]


@pytest.mark.parametrize("company", [{"script": founded}], indirect=True)
async def test_a_first_collection_knows_who_is_back_and_what_discounts_were(
    database: FreshDatabase, company: StripeCompany, collector: Collector
) -> None:
    """Ends and discounts from before the events; a trial is no payment."""
    made = await collector.collect()
    assert back(company) == [115, 117]
    assert rows_of(await computed(database, made), 29) == truth(company, 29)


@pytest.mark.parametrize("company", [{"script": founded}], indirect=True)
async def test_daily_rounds_know_it_as_well(
    database: FreshDatabase, company: StripeCompany, collector: Collector
) -> None:
    """Ten rounds on, each with a week of events alone: still every day's truth."""
    made = await collector.collect()
    figures = await computed(database, made)
    for _ in range(10):
        company.now = (await collector.connection(made))["next_run_at"]
        assert await collector.connections.start_rounds(company.now) == 1
        assert await collector.drive_all() == 1
        figures = await computed(database, made)
    assert back(company) == [115, 117, 136, 137]
    assert rows_of(figures, 29) == truth(company, 29)
