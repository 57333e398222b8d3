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
    """The movements, failed charges and disputes on record, under its own login.

    A refund is its charge's customer's, where the charge is not older than the rows.
    """
    made = await collector.collect()
    gateway = await Database.connect(database.login_url("gateway"), size=1)
    async with gateway.snapshot(made.account_id) as connection:
        rows = await connection.fetch("SELECT kind, id FROM collector.v1_entry")
        refunds = await connection.fetch(
            """
            SELECT object_id, customer, original_minor FROM collector.v1_entry
            WHERE category IN ('refund', 'refund_failure')
            """
        )
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
    assert {row["object_id"]: row["customer"] for row in refunds} == {
        one.id: charge.customer.id if charge.created >= oldest else None
        for one in books.refunds.all()
        for charge in [books.charges[one.charge]]
        if one.created >= oldest
    }
    assert {row["original_minor"] for row in refunds} == {
        one.amount for one in books.refunds.all() if one.created >= oldest
    }
