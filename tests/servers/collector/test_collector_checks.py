"""The stored rows against the balance, over rounds of the made-up company."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
import pytest

from opseer_collector.domain.balance import Checked

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany

    from opseer_common.testing.sealed import SealedConnection


def go_on(company: StripeCompany, days: int, *, quiet: bool) -> None:
    """Let days pass, and minutes until rows came in lately, or none did."""
    company.now += timedelta(days=days)
    while quiet == any(
        row.created > int(company.now.timestamp()) - 900
        for row in company.simulation.books().transactions.all()
    ):
        company.now += timedelta(minutes=5)


async def checked(collector: Collector, of: SealedConnection) -> Checked:
    """Return how far the balance of a connection is checked."""
    row = await collector.connection(of)
    return msgspec.json.decode(row["balance"], type=Checked)


async def lose_a_row(collector: Collector) -> None:
    """Make the check begin at 1.00 less: as if a row of 1.00 were never told of."""
    await collector.sealed.execute(
        """
        UPDATE collector.connection
        SET balance = jsonb_set(balance, '{agreed,totals,usd}',
            to_jsonb((balance #>> '{agreed,totals,usd}')::bigint - 100))
        """
    )


async def test_what_no_row_explains_is_drift_once_all_rows_are_visible(
    company: StripeCompany, collector: Collector
) -> None:
    """All is read again twelve minutes later; then it is told, until a round agrees."""
    go_on(company, 0, quiet=True)
    made = await collector.collect()
    await lose_a_row(collector)
    go_on(company, 1, quiet=True)
    assert await collector.connections.start_rounds(company.now) == 1
    assert await collector.drive_all() == 1
    assert (await collector.connection(made))["flags"] == []
    company.now += timedelta(minutes=11, seconds=59)
    assert await collector.drive_all() == 0
    company.now += timedelta(seconds=1)
    assert await collector.drive_all() == 1
    assert (await collector.run(made))["kind"] == "refresh"
    assert (await collector.connection(made))["flags"] == ["drift"]
    assert (await checked(collector, made)).apart == {"usd": 100}

    company.now += timedelta(days=1)
    assert await collector.connections.start_rounds(company.now) == 1
    assert await collector.drive_all() == 1
    assert (await collector.connection(made))["flags"] == []
    assert (await checked(collector, made)).apart == {}


@pytest.mark.deep
async def test_while_rows_come_in_the_next_round_judges(
    company: StripeCompany, collector: Collector
) -> None:
    """A row close to a reading may be in it or not: nothing is read again for that."""
    made = await collector.collect()
    await lose_a_row(collector)
    go_on(company, 1, quiet=False)
    await collector.connections.start_rounds(company.now)
    assert await collector.drive_all() == 1
    assert (await checked(collector, made)).waiting is not None
    company.now += timedelta(minutes=20)
    assert await collector.drive_all() == 0
    company.now += timedelta(days=1)
    await collector.connections.start_rounds(company.now)
    await collector.drive_all()
    assert (await collector.connection(made))["flags"] == ["drift"]


async def test_nothing_is_judged_by_rows_that_may_not_be_read(
    company: StripeCompany, collector: Collector
) -> None:
    """Without the permission there are no rows to compare; the check waits."""
    made = await collector.collect()
    before = await checked(collector, made)
    company.account.missing = {"balance_transaction_source"}
    company.now += timedelta(days=1)
    await collector.request(made, uuid4(), "refresh")
    assert await collector.drive_all() == 1
    assert await checked(collector, made) == before
    company.account.missing = set()
    company.now += timedelta(days=1)
    await collector.request(made, uuid4(), "refresh")
    assert await collector.drive_all() == 1
    assert (await collector.connection(made))["flags"] == []
    assert (await checked(collector, made)).agreed != before.agreed
