"""The company that has everything, through the rows of both services, day by day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from opseer_common.database import Database
from opseer_common.testing.servers import FreshDatabase
from opseer_mrr.actions import COMPUTED_SOURCES
from opseer_mrr.domain.computation import ConnectionKey, Figures, compute
from opseer_mrr.store.figures import PostgresStore
from opseer_simulator.full_company import FullCompany
from opseer_simulator.office import Office
from opseer_simulator.simulation import truth_of

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany

    from opseer_common.testing.sealed import SealedConnection

NO_RATE = frozenset({"never_paid_currency"})
"""Left out so that every day is complete."""


def founded(epoch: date) -> Office:
    """Return the company without what is not compared."""
    return FullCompany(4, epoch, 10, NO_RATE).office


async def computed(database: FreshDatabase, of: SealedConnection) -> Figures:
    """Return what mrr makes of the published rows, under its own login, and keep it."""
    own = await Database.connect(database.login_url("mrr"), size=1)
    store = PostgresStore(own, COMPUTED_SOURCES)
    inputs = await store.read(ConnectionKey(of.account_id, "stripe", of.connection_id))
    assert inputs is not None
    figures = compute(inputs)
    assert figures is not None
    await store.write(inputs, figures, None)
    await own.close()
    return figures


def rows_of(figures: Figures, days: int) -> list[tuple[Any, ...]]:
    """Return the movements of the newest closed days."""
    last = figures.days.last
    return [
        (
            *(grain, row.day, row.reason, row.snapshot, row.fx, row.net),
            *(row.new, row.churned, row.of_which_reactivation),
        )
        for grain, row in figures.movements
        if last - timedelta(days=days) <= row.day < last
    ]


def truth(company: StripeCompany, days: int) -> list[tuple[Any, ...]]:
    """Return the same from the ledger, complete."""
    last = company.now.date()
    found = truth_of(
        company.simulation, "UTC", last - timedelta(days=days), last - timedelta(days=1)
    )
    return [
        (
            *(grain, day.date, None, day.mrr, day.fx, moved.net),
            *(moved.new, moved.churned, moved.of_which_reactivation),
        )
        for grain in ("subscription", "customer")
        for day in found.days
        for moved in [getattr(day, f"grain_{grain}")]
    ]


@pytest.mark.parametrize("company", [{"script": founded}], indirect=True)
@pytest.mark.parametrize("rounds", [2, pytest.param(9, marks=pytest.mark.deep)])
async def test_daily_rounds_are_the_ledgers(
    database: FreshDatabase, company: StripeCompany, collector: Collector, rounds: int
) -> None:
    """A first collection and its rounds: revenue and movements of every closed day."""
    made = await collector.collect()
    assert await collector.figures(made) == company.truth()
    assert rows_of(await computed(database, made), 29) == truth(company, 29)
    for _ in range(rounds):
        company.now = (await collector.connection(made))["next_run_at"]
        assert await collector.connections.start_rounds(company.now) == 1
        assert await collector.drive_all() == 1
        figures = await computed(database, made)
        assert rows_of(figures, 29) == truth(company, 29), company.now
    assert await collector.figures(made) == company.truth()
