"""What a run that broke off leaves to the next one, and what rounds check."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from opseer_collector.domain.records import BalanceTransaction, Batch, Window
from opseer_simulator.faults import Fault

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany

    from opseer_collector.domain.work import Claim


async def claimed(collector: Collector) -> Claim:
    """Claim the run that waits, after whoever had it fell silent."""
    await collector.sealed.execute(
        "UPDATE collector.run SET leased_until = now() - interval '1 second'"
        " WHERE state = 'running'"
    )
    claim = await collector.claim()
    assert claim is not None
    return claim


async def test_the_next_one_is_told_what_was_stored(
    company: StripeCompany, collector: Collector
) -> None:
    """A window sinks as it is read; its newest ten minutes are to be read again."""
    await collector.connect()
    now = int(company.now.timestamp())
    first = await claimed(collector)
    for since in (now - 5000, now - 9000):
        await collector.rows.store(
            first, Batch(read=[Window("charges", since, now + 1)])
        )
    second = await claimed(collector)
    late = company.now - timedelta(minutes=10)
    assert await collector.runs.windows_read(second, late) == [
        Window("charges", now - 9000, now - 600)
    ]
    await collector.collecting.drive(second)
    assert await collector.sealed.fetch("SELECT FROM collector.read_window") == []


async def test_rows_of_the_broken_run_are_kept_where_they_were_read_whole(
    company: StripeCompany, collector: Collector
) -> None:
    """In a window that is known they stay; below it only what is read anew stays."""
    await collector.connect()
    now = int(company.now.timestamp())
    first = await claimed(collector)
    kept, gone = (
        BalanceTransaction(
            name, created, 1000, 0, 1000, "usd", None, "charge", "charge", "ch"
        )
        for name, created in (("txn_kept", now - 4000), ("txn_gone", now - 90_000))
    )
    window = Window("balance_transactions", now - 5000, now + 1)
    batch = Batch(transactions=[kept, gone], read=[window])
    await collector.rows.store(first, batch)
    await collector.collecting.drive(await claimed(collector))
    rows = await collector.sealed.fetch(
        "SELECT id FROM collector.balance_transaction WHERE id LIKE 'txn\\_____'"
    )
    assert [row["id"] for row in rows] == ["txn_kept"]


async def test_a_lowered_pace_is_remembered(
    company: StripeCompany, collector: Collector
) -> None:
    """Too many calls in one run slow down the next one."""
    company.account.faults.append(
        Fault(kind="rate_limited", endpoint="/v1/charges", reason="endpoint-rate")
    )
    made = await collector.collect()
    pace = msgspec.json.decode((await collector.connection(made))["pace"])
    assert set(pace) == {"charges"}
    assert 21_250 <= pace["charges"] < 25_000
    await collector.request(made, uuid4(), "refresh")
    found = await collector.runs.integration(await claimed(collector))
    assert found is not None
    assert found.pace == pace


async def test_permissions_are_shown_before_the_run_ends(collector: Collector) -> None:
    """What a run learns of them is in the connection's row at once."""
    made = await collector.connect()
    claim = await claimed(collector)
    await collector.rows.store(claim, Batch(permissions={"disputes": "missing"}))
    await collector.rows.store(claim, Batch(permissions={"events": "ok"}))
    row = await collector.connection(made)
    assert row["state"] == "collecting"
    assert msgspec.json.decode(row["permissions"]) == {
        "disputes": "missing",
        "events": "ok",
    }


async def test_a_day_that_changed_after_it_was_over_is_drift(
    company: StripeCompany, collector: Collector
) -> None:
    """The daily round flags it and has all read again; a later one that agrees ends it.

    It is as if the first reading had missed a movement of three days ago.
    """
    made = await collector.collect()
    await collector.sealed.execute(
        """
        UPDATE collector.revenue_daily_cache
        SET net_revenue_minor = net_revenue_minor - 100 WHERE day = $1
        """,
        (company.now - timedelta(days=3)).date(),
    )
    company.now = (await collector.connection(made))["next_run_at"]
    assert await collector.connections.start_rounds(company.now) == 1
    assert await collector.drive_all() == 2
    kinds = await collector.sealed.fetch("SELECT kind FROM collector.run")
    assert {row["kind"] for row in kinds} == {"first", "daily", "refresh"}
    assert (await collector.connection(made))["flags"] == ["drift"]
    assert await collector.figures(made) == company.truth()

    company.now = (await collector.connection(made))["next_run_at"]
    assert await collector.connections.start_rounds(company.now) == 1
    assert await collector.drive_all() == 1
    assert (await collector.connection(made))["flags"] == []
    assert await collector.figures(made) == company.truth()


async def test_what_is_older_than_the_window_is_pruned(
    company: StripeCompany, collector: Collector
) -> None:
    """A round leaves no row behind that no day could show any more."""
    made = await collector.collect()
    for _ in range(3):
        company.now = (await collector.connection(made))["next_run_at"]
        await collector.connections.start_rounds(company.now)
        await collector.drive_all()
    oldest = int((company.now - timedelta(days=94)).timestamp())
    for table in ("balance_transaction", "charge", "dispute"):
        rows = await collector.sealed.fetch(
            f"SELECT min(created) AS oldest FROM collector.{table}"  # noqa: S608
        )
        assert rows[0]["oldest"] is None or rows[0]["oldest"] >= oldest
