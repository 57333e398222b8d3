"""What the collector publishes to the gateway besides its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opseer_common.database import Database
from opseer_common.testing.servers import FreshDatabase

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany


async def test_the_gateway_reads_what_stands_behind_a_day(
    database: FreshDatabase, company: StripeCompany, collector: Collector
) -> None:
    """The movements, failed charges and disputes on record, under its own login."""
    made = await collector.collect()
    gateway = await Database.connect(database.login_url("gateway"), size=1)
    async with gateway.snapshot(made.account_id) as connection:
        rows = await connection.fetch("SELECT kind, id FROM collector.v1_entry")
        names = await connection.fetch("SELECT id FROM collector.v1_name")
    await gateway.close()
    books = company.simulation.books()
    oldest = int(company.now.timestamp()) - 92 * 86_400 - 7200
    failed = [one for one in books.charges.all() if one.status == "failed"]
    expected = {
        *(("balance_transaction", one.id) for one in books.transactions.all()),
        *(("failed_charge", one.id) for one in failed),
        *(("dispute", one.id) for one in books.disputes.all()),
    }
    recent = {
        one.id
        for shelf in (books.transactions, books.charges, books.disputes)
        for one in shelf.all()
        if one.created >= oldest
    }
    assert {tuple(row) for row in rows} == {one for one in expected if one[1] in recent}
    assert names
