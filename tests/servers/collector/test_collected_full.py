"""The company that has everything, through the rows of both services, day by day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from tests.servers.collector.computed import computed, rows_of, truth

from opseer_common.testing.servers import FreshDatabase
from opseer_simulator.full_company import FullCompany
from opseer_simulator.office import Office

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany


NO_RATE = frozenset({"never_paid_currency"})
"""Left out so that every day is complete."""


def founded(epoch: date) -> Office:
    """Return the company without what is not compared."""
    return FullCompany(4, epoch, 10, NO_RATE).office


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
