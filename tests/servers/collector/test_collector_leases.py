"""Who may write for a run, and what connects, ends and comes late."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from opseer_collector.domain.fetching import Overtaken
from opseer_collector.domain.records import BalanceTransaction, Batch
from opseer_collector.domain.windows import Span
from opseer_collector.domain.work import Claim, Reading
from opseer_collector.schedule import Runner

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany


async def let_lease_end(collector: Collector) -> None:
    """Make every lease a thing of the past, as 30 silent seconds do."""
    await collector.sealed.execute(
        "UPDATE collector.run SET leased_until = now() - interval '1 second'"
        " WHERE state = 'running'"
    )


async def finish(collector: Collector) -> None:
    """Let whoever comes next drive what was left, as often as it takes."""
    for _ in range(5):
        await let_lease_end(collector)
        await collector.drive_all()
        left = await collector.sealed.fetch(
            "SELECT run_id FROM collector.run WHERE state <> 'done'"
        )
        if not left:
            return


async def claimed(collector: Collector) -> Claim:
    """Claim the run that waits."""
    claim = await collector.claim()
    assert claim is not None
    return claim


async def test_a_stale_holder_is_refused_and_the_next_one_finishes(
    company: StripeCompany, collector: Collector
) -> None:
    """After the lease ended only the new fence writes: pages, progress and figures."""
    made = await collector.connect()
    stale = await claimed(collector)
    assert await collector.claim() is None
    await let_lease_end(collector)
    fresh = await claimed(collector)
    assert fresh.fence > stale.fence
    row = BalanceTransaction(
        "txn_stale", 1, 1, 0, 1, "usd", None, "charge", "charge", None
    )
    with pytest.raises(Overtaken):
        await collector.rows.store(stale, Batch(transactions=[row]))
    with pytest.raises(Overtaken):
        await collector.runs.renew(stale)
    with pytest.raises(Overtaken):
        await collector.publisher.publish(
            stale, company.now, Reading(company.now, Span(0, 1, 0)), None
        )
    await collector.collecting.drive(fresh)
    assert await collector.figures(made) == company.truth()


async def test_a_clean_stop_gives_the_lease_back(
    company: StripeCompany, collector: Collector
) -> None:
    """The next process goes on at once, where the stopped one was."""
    made = await collector.connect()
    company.account.latency_ms = 20
    runner = Runner(collector.runs, collector.collecting, company.clock)
    await runner.look()
    while company.account.calls.total() < 8:
        await asyncio.sleep(0.005)
    await runner.stop()
    assert (await collector.run(made))["state"] == "running"
    company.account.latency_ms = 0
    assert await collector.drive_all() == 1
    assert (await collector.run(made))["fence"] == 2
    assert await collector.figures(made) == company.truth()


@pytest.mark.parametrize("calls", [1, 4, 9, 13])
async def test_a_run_that_was_stopped_anywhere_ends_with_the_same_figures(
    company: StripeCompany, collector: Collector, calls: int
) -> None:
    """Whoever claims a left run goes on with it; nothing is counted twice."""
    made = await collector.connect()
    company.account.latency_ms = 5
    drive = asyncio.create_task(collector.collecting.drive(await claimed(collector)))
    while company.account.calls.total() < calls and not drive.done():
        await asyncio.sleep(0.001)
    drive.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await drive
    await finish(collector)
    assert await collector.figures(made) == company.truth()
    assert (await collector.connection(made))["revision"] == 1


async def test_one_run_of_a_connection_at_a_time(collector: Collector) -> None:
    """A second run waits until the first is over."""
    made = await collector.connect()
    await collector.request(made, uuid4(), "refresh")
    first = await claimed(collector)
    assert await collector.claim() is None
    await collector.collecting.drive(first)
    assert await collector.drive_all() == 1


@pytest.mark.parametrize("calls", [0, 3, 8, 12])
async def test_a_disconnect_in_mid_run_leaves_no_row(
    company: StripeCompany, collector: Collector, calls: int
) -> None:
    """Whatever the run was doing, nothing of the connection is left or comes back."""
    made = await collector.connect()
    company.account.latency_ms = 5
    drive = asyncio.create_task(collector.collecting.drive(await claimed(collector)))
    while company.account.calls.total() < calls and not drive.done():
        await asyncio.sleep(0.001)
    await collector.sealed.disconnect(made.account_id)
    await collector.connections.disconnected(made.ended())
    await drive
    assert await collector.sealed.rows_of(made) == 0
    assert await collector.said() in ([], ["revenue.collected"])


async def test_the_same_news_again_changes_nothing(
    company: StripeCompany, collector: Collector
) -> None:
    """A message that is delivered again starts no second run."""
    made = await collector.collect()
    before = await collector.connection(made)
    for _ in range(2):
        await collector.connections.connected(made.begun(), company.now)
    assert await collector.drive_all() == 0
    assert await collector.connection(made) == before


async def test_late_news_of_an_earlier_connection_is_no_news(
    company: StripeCompany, collector: Collector
) -> None:
    """After a reconnect the old connection's news starts and deletes nothing new."""
    old = await collector.sealed.connect(company.key)
    new = await collector.sealed.connect(company.key, old.account_id)
    await collector.connections.connected(new.begun(), company.now)
    await collector.connections.connected(old.begun(), company.now)
    await collector.connections.disconnected(old.ended())
    await collector.request(old, uuid4(), "refresh")
    assert await collector.drive_all() == 1
    assert await collector.figures(new) == company.truth()
    assert await collector.sealed.rows_of(old) == 0


async def test_a_reconnect_replaces_every_row(
    company: StripeCompany, collector: Collector
) -> None:
    """Rows of two connections never stand beside each other."""
    old = await collector.collect()
    new = await collector.sealed.connect(company.key, old.account_id)
    await collector.connections.connected(new.begun(), company.now)
    assert await collector.sealed.rows_of(old) == 0
    assert await collector.drive_all() == 1
    assert await collector.figures(new) == company.truth()


async def test_the_sweep_finds_what_the_bus_lost(
    company: StripeCompany, collector: Collector
) -> None:
    """A connect and a disconnect that nobody heard of are made up for."""
    made = await collector.sealed.connect(company.key)
    assert await collector.connections.sweep(company.now) == 1
    assert await collector.drive_all() == 1
    assert await collector.figures(made) == company.truth()
    await collector.sealed.disconnect(made.account_id)
    assert await collector.connections.sweep(company.now) == 1
    assert await collector.sealed.rows_of(made) == 0
    assert await collector.connections.sweep(company.now) == 0


async def test_a_key_that_does_not_open_is_refused_once(
    company: StripeCompany, collector: Collector
) -> None:
    """A record of another place or key ring ends as AUTH_FAILED, without a call."""
    made = await collector.connect()
    await collector.sealed.execute(
        "UPDATE gateway.opseer_user_integration SET key_version = key_version + 1"
    )
    assert await collector.drive_all() == 1
    assert (await collector.connection(made))["state"] == "auth_failed"
    assert company.account.calls.total() == 0


async def test_the_database_going_away_is_waited_out(
    company: StripeCompany, collector: Collector
) -> None:
    """A lost connection leaves the run to its lease; the next drive is right."""
    made = await collector.connect()
    company.account.latency_ms = 5
    drive = asyncio.create_task(collector.collecting.drive(await claimed(collector)))
    while company.account.calls.total() < 4:
        await asyncio.sleep(0.001)
    await collector.sealed.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'opseer_collector' AND datname = current_database()"
    )
    await drive
    await finish(collector)
    assert await collector.figures(made) == company.truth()
