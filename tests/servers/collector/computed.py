"""What mrr makes of a collector's rows, beside what the company's ledger says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from opseer_common.database import Database
from opseer_common.testing.servers import FreshDatabase
from opseer_mrr.actions import COMPUTED_SOURCES
from opseer_mrr.domain.computation import ConnectionKey, Figures, compute
from opseer_mrr.store.figures import PostgresStore
from opseer_simulator.simulation import truth_of

if TYPE_CHECKING:
    from tests.servers.collector.conftest import StripeCompany

    from opseer_common.testing.sealed import SealedConnection

_NAMES = ("net", "new", "expansion", "contraction", "churned", "of_which_reactivation")


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
    """Return grain, day, reason, snapshot and movements of the newest closed days."""
    last = figures.days.last
    return [
        (grain, row.day, row.reason, row.snapshot, row.fx, *_moved(row))
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
            grain,
            day.date,
            None,
            day.mrr,
            day.fx,
            *_moved(getattr(day, f"grain_{grain}")),
        )
        for grain in ("subscription", "customer")
        for day in found.days
    ]


def _moved(row: object) -> Iterator[int]:
    return (getattr(row, name) for name in _NAMES)
