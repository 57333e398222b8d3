"""Daily rounds read little, and leave the same rows as reading everything anew."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
import pytest

from opseer_collector.domain.balance import Checked
from opseer_simulator.full_company import FullCompany
from opseer_simulator.office import Office

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany

    from opseer_common.testing.sealed import SealedConnection

TABLES = {
    "balance_transaction": "created",
    "charge": "created",
    "dispute": "created",
    "refund": "created",
    "subscription": None,
    "ended_subscription": None,
    "subscription_change": "at",
    "fx_rate": "at",
    "revenue_daily_cache": None,
    "quarantine": None,
}
"""Every table that figures come from, and the instant of its rows."""
KEPT_DAYS = {"subscription_change": 30}
"""How far back a first collection reads; other lists: 92 days and two hours."""


def founded(epoch: date) -> Office:
    """Return the company that has everything."""
    return FullCompany(4, epoch, 40, frozenset({"never_paid_currency"})).office


def told(table: str, row: dict[str, Any], since: int) -> str:
    """Return a row without what tells no figure: when which usage was known.

    Usage counts where a subscription runs, or ended after `since` (unix seconds).
    """
    body = row.get("body", {})
    states = [body] if table == "ended_subscription" else []
    states += [body[side] or {} for side in ("before", "after") if side in body]
    for state in states:
        for item in state.get("items", ()):
            known = item["usage"] if body.get("kind") == "deleted" else ()
            item["usage"] = [charge for charge in known if charge["at"] > since]
            item["usage_amount"] = None
    return msgspec.json.encode(row, order="sorted").decode()


async def rows_of(
    collector: Collector, of: SealedConnection, table: str
) -> Counter[str]:
    """Return the rows of a connection that every reading of it knows."""
    at, days = TABLES[table], KEPT_DAYS.get(table, 92)
    now = int(collector.company.now.timestamp())
    young = "" if at is None else f"AND {at} > {now - days * 86_400 + 2}"
    rows = await collector.sealed.fetch(
        f"""
        SELECT to_jsonb(r) - '{{account_id,connection_id,fence,as_of}}'::text[] AS row
        FROM collector.{table} r WHERE connection_id = $1 {young}
        """,  # noqa: S608 - constants
        of.connection_id,
    )
    since = now - 30 * 86_400
    return Counter(told(table, msgspec.json.decode(row["row"]), since) for row in rows)


@pytest.mark.parametrize(
    ("company", "days", "most"),
    [
        ({}, 3, 14),
        pytest.param({"seed": 2}, 30, 14, marks=pytest.mark.deep),
        pytest.param({"script": founded}, 30, 60, marks=pytest.mark.deep),
    ],
    indirect=["company"],
)
@pytest.mark.timeout(900)
async def test_rounds_leave_the_rows_of_a_full_reading(
    company: StripeCompany, collector: Collector, days: int, most: int
) -> None:
    """In every table that figures come from, after rounds that read a little each.

    Anew by the same connection, and by one that knows nothing else; but for the company
    whose rate of a currency is older than any row. They show what the ledger says, the
    balance agrees each time, nothing is flagged on the way, and no round takes more
    than `most` calls.
    """
    made = await collector.collect()
    for _ in range(days):
        company.account.forget_calls()
        company.now = (await collector.connection(made))["next_run_at"]
        assert await collector.connections.start_rounds(company.now) == 1
        assert await collector.connections.start_rounds(company.now) == 0
        assert await collector.drive_all() == 1
        found = await collector.connection(made)
        checked = msgspec.json.decode(found["balance"], type=Checked)
        assert checked.agreed is not None
        assert checked.agreed.since == int(company.now.timestamp())
        assert found["flags"] == []
        assert company.account.calls.total() <= most, company.account.calls
    assert await collector.figures(made) == company.truth()
    assert all(row["complete"] for row in (await collector.daily(made))[:-1])
    known = {table: await rows_of(collector, made, table) for table in TABLES}
    await collector.request(made, uuid4(), "refresh")
    assert await collector.drive_all() == 1
    other = made if company.scripted else await collector.collect()
    for of in (made, other):
        for table, rows in known.items():
            fresh = await rows_of(collector, of, table)
            assert rows - fresh == fresh - rows == Counter(), table
