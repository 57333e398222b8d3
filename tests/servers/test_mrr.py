"""The mrr service on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from itertools import pairwise
from uuid import uuid4

import msgspec
import pytest

from opseer_common.contracts import IntegrationDisconnected, MrrComputed
from opseer_common.database import Database
from opseer_common.testing.company import (
    CHANGES,
    NEW,
    NOW,
    OLD,
    change,
    subscription,
)
from opseer_common.testing.published import Connected, Publisher
from opseer_common.testing.servers import FreshDatabase
from opseer_mrr import schedule
from opseer_mrr.actions import COMPUTED_SOURCES, Computing
from opseer_mrr.domain.computation import ConnectionKey, compute
from opseer_mrr.store.figures import PostgresStore

TODAY = date(2026, 11, 24)


@pytest.fixture
async def store(database: FreshDatabase) -> AsyncIterator[PostgresStore]:
    """Return the store with the service's own login."""
    own = await Database.connect(database.login_url("mrr"), size=2)
    yield PostgresStore(own, COMPUTED_SOURCES)
    await own.close()


@pytest.fixture
async def connected(world: Publisher) -> Connected:
    """Return a connection of which the first collection was published."""
    found = await world.connect(uuid4())
    await collect(world, found)
    return found


async def collect(world: Publisher, of: Connected) -> None:
    """Publish the three subscriptions and their events as revision 1."""
    await world.subscriptions(of, [OLD, NEW])
    await world.changes(of, CHANGES)
    await world.publish(of, 1, NOW)


def key_of(of: Connected) -> ConnectionKey:
    """Return the connection as the service names it."""
    return ConnectionKey(of.account_id, of.source, of.connection_id)


async def said(world: Publisher) -> list[MrrComputed]:
    """Return what waits to be carried to the bus."""
    rows = await world.fetch("SELECT payload FROM mrr.outbox ORDER BY id")
    return [MrrComputed.model_validate_json(row["payload"]) for row in rows]


async def movements(world: Publisher) -> dict[date, dict[str, object]]:
    """Return the rows per subscription by day, ascending."""
    rows = await world.fetch(
        "SELECT * FROM mrr.movement WHERE grain = 'subscription' ORDER BY day"
    )
    return {row["day"]: dict(row) for row in rows}


def identity_holds(rows: dict[date, dict[str, object]]) -> bool:
    """Tell whether each day follows from the day before it."""
    days = list(rows.values())
    return all(
        day["snapshot_minor"]
        == before["snapshot_minor"] + day["net_minor"] + day["fx_minor"]  # type: ignore[operator]
        for before, day in pairwise(days)
    )


async def test_figures_are_those_of_hand_arithmetic(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """100 + 50 today; +50 five days ago, -20 three days ago, 120 before."""
    await Computing(store).compute(key_of(connected))
    [snapshot] = await world.fetch("SELECT * FROM mrr.snapshot")
    assert (snapshot["day"], snapshot["mrr_minor"]) == (TODAY, 15_000)
    assert (snapshot["active_subscriptions"], snapshot["complete"]) == (2, True)
    rows = await movements(world)
    moved = {day: row["net_minor"] for day, row in rows.items() if row["net_minor"]}
    assert moved == {
        TODAY - timedelta(days=5): 5_000,
        TODAY - timedelta(days=3): -2_000,
    }
    new, left = (rows[TODAY - timedelta(days=back)] for back in (5, 3))
    assert (new["new_minor"], new["new_subs"], new["churned_subs"]) == (5_000, 1, 0)
    assert (left["churned_minor"], left["new_subs"], left["churned_subs"]) == (
        -2_000,
        0,
        1,
    )
    assert rows[TODAY - timedelta(days=6)]["snapshot_minor"] == 12_000
    assert rows[TODAY]["snapshot_minor"] == 15_000
    assert identity_holds(rows)


async def test_the_subscriptions_behind_a_day_are_kept(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """Each change names its subscription, customer, event and arithmetic."""
    await Computing(store).compute(key_of(connected))
    rows = await world.fetch("SELECT * FROM mrr.movement_change ORDER BY day")
    assert [
        (row["subscription_id"], row["customer_id"], row["event_ids"], row["category"])
        for row in rows
    ] == [
        ("sub_new", "cus_new", ["evt_sub_new_created"], "new"),
        ("sub_left", "cus_left", ["evt_sub_left_deleted"], "churned"),
    ]
    words = msgspec.json.decode(rows[0]["arithmetic"], type=dict[str, list[str]])
    assert any("50.00 USD" in line for line in words["after"])


async def test_plans_are_those_of_today(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """Each price with what it adds; a later round replaces them."""
    computing = Computing(store)
    await computing.compute(key_of(connected))
    await world.subscriptions(connected, [OLD])
    await world.publish(connected, 2, NOW)
    await computing.compute(key_of(connected))
    rows = await world.fetch("SELECT * FROM mrr.plan")
    assert [(row["price_id"], row["settlement_minor"]) for row in rows] == [
        ("price_old", 10_000)
    ]


async def test_closed_days_are_complete(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """29 closed days are complete; the 30th may lack events, today goes on."""
    await Computing(store).compute(key_of(connected))
    rows = list((await movements(world)).values())
    assert [row["complete"] for row in rows] == [False, *[True] * 29, False]
    assert (rows[0]["day"], rows[0]["reason"]) == (
        TODAY - timedelta(days=30),
        "BEFORE_HISTORY",
    )
    assert (rows[-1]["day"], rows[-1]["reason"]) == (TODAY, "CRON_PENDING")


async def test_both_grains_are_stored(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """Every day has a row per subscription and one per customer, with one snapshot."""
    await Computing(store).compute(key_of(connected))
    rows = await world.fetch(
        """
        SELECT count(*) AS grains, count(DISTINCT snapshot_minor) AS snapshots
        FROM mrr.movement GROUP BY day
        """
    )
    assert [tuple(row) for row in rows] == [(2, 1)] * 31


async def test_a_message_twice_has_one_effect(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """The second delivery changes nothing and says nothing."""
    computing = Computing(store)
    message = connected.collected(1)
    await computing.compute(key_of(connected), message.message_id)
    before = await world.fetch("SELECT xmin, * FROM mrr.movement ORDER BY day, grain")
    await computing.compute(key_of(connected), message.message_id)
    after = await world.fetch("SELECT xmin, * FROM mrr.movement ORDER BY day, grain")
    assert before == after
    assert [message.revision for message in await said(world)] == [1]


async def test_the_newer_revision_wins(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """Figures computed from an older reading are not written over newer ones."""
    slow = await store.read(key_of(connected))
    assert slow is not None
    await world.subscriptions(connected, [OLD])
    await world.changes(
        connected,
        [change("deleted", 0, NEW, msgspec.structs.replace(NEW, status="canceled"))],
    )
    await world.publish(connected, 2, NOW + timedelta(hours=1))
    await Computing(store).compute(key_of(connected))
    assert not await store.write(slow, compute(slow), None)
    [snapshot] = await world.fetch("SELECT mrr_minor FROM mrr.snapshot")
    assert snapshot["mrr_minor"] == 10_000
    assert [message.revision for message in await said(world)] == [2]


async def test_other_settings_are_computed_at_the_same_revision(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """A changed policy gives figures under it; every day within events stays whole."""
    ending = msgspec.structs.replace(OLD, cancel_at_period_end=True)
    await world.subscriptions(connected, [ending, NEW])
    computing = Computing(store)
    await computing.compute(key_of(connected))
    await world.set_policy(connected, "committed")
    await computing.compute(key_of(connected))
    [snapshot] = await world.fetch("SELECT mrr_minor, policy FROM mrr.snapshot")
    assert snapshot["mrr_minor"] == 5_000
    assert msgspec.json.decode(snapshot["policy"])["preset"] == "committed"
    rows = list((await movements(world)).values())
    assert [row["complete"] for row in rows[1:-1]] == [True] * 29
    assert rows[0]["reason"] == "BEFORE_HISTORY"


async def test_without_subscriptions_mrr_is_unknown(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """Null with a reason, not 0, and no movement rows (docs/decisions)."""
    await world.publish(
        connected, 1, NOW, permissions={"subscriptions": "missing", "events": "ok"}
    )
    await Computing(store).compute(key_of(connected))
    [snapshot] = await world.fetch("SELECT * FROM mrr.snapshot")
    figures = {k: v for k, v in snapshot.items() if k.endswith("_minor")}
    assert len(figures) == 6
    assert set(figures.values()) == {None}
    assert snapshot["active_subscriptions"] is None
    assert snapshot["reason"] == "SUBSCRIPTIONS_PERMISSION"
    assert await movements(world) == {}


async def test_an_unreadable_subscription_is_no_silent_lower_number(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """What could be read is shown; the snapshot and every day say QUARANTINE."""
    await world.publish(connected, 1, NOW, subscriptions_unread=True)
    await Computing(store).compute(key_of(connected))
    [snapshot] = await world.fetch("SELECT mrr_minor, reason FROM mrr.snapshot")
    assert tuple(snapshot) == (15_000, "QUARANTINE")
    reasons = {row["reason"] for row in (await movements(world)).values()}
    assert reasons == {"QUARANTINE"}


async def test_without_events_only_todays_snapshot_is_known(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """The snapshot is complete; what moved it is null with a reason."""
    await world.publish(
        connected, 1, NOW, permissions={"subscriptions": "ok", "events": "missing"}
    )
    await Computing(store).compute(key_of(connected))
    [snapshot] = await world.fetch("SELECT mrr_minor, complete FROM mrr.snapshot")
    assert tuple(snapshot) == (15_000, True)
    rows = await movements(world)
    assert list(rows) == [TODAY]
    assert rows[TODAY]["snapshot_minor"] == 15_000
    assert rows[TODAY]["net_minor"] is None
    assert rows[TODAY]["new_subs"] is None
    assert rows[TODAY]["reason"] == "EVENTS_PERMISSION"


async def test_history_is_kept_beyond_the_events(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """A later round completes its days, keeps older rows, and joins them exactly."""
    computing = Computing(store)
    await computing.compute(key_of(connected))
    before = await movements(world)
    await world.publish(connected, 2, NOW + timedelta(days=3))
    await computing.compute(key_of(connected))
    rows = await movements(world)
    days = list(rows)
    assert days[0] == TODAY - timedelta(days=30)
    assert days[-1] == TODAY + timedelta(days=3)
    assert len(rows) == 34
    # The oldest is history by now and stays as it was; the rest of it is whole.
    for back in (30, 29, 28, 27):
        day = TODAY - timedelta(days=back)
        assert rows[day] == before[day]
    assert [row["complete"] for row in rows.values()] == [False, *[True] * 32, False]
    assert identity_holds(rows)
    assert len(await world.fetch("SELECT FROM mrr.snapshot")) == 2


async def test_a_break_with_history_is_shown(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """Where the kept day does not lead to the next, the seam is marked."""
    computing = Computing(store)
    await computing.compute(key_of(connected))
    # A subscription of 70.00 that no event told of.
    await world.subscriptions(connected, [OLD, NEW, subscription("unseen", 7_000)])
    await world.publish(connected, 2, NOW + timedelta(days=1))
    await computing.compute(key_of(connected))
    rows = await movements(world)
    kept, seam = list(rows.values())[:2]
    assert (kept["snapshot_minor"], seam["snapshot_minor"]) == (12_000, 19_000)
    assert (seam["complete"], seam["reason"]) == (False, "MISSED_EVENT")
    [round_two] = await world.fetch("SELECT * FROM mrr.reconciliation")
    assert (round_two["revision"], round_two["difference_minor"]) == (2, 7_000)
    assert round_two["carried_minor"] == 15_000
    assert round_two["recomputed_minor"] == 22_000
    assert round_two["cause"] == "missed_event"
    assert '"sub_unseen"' in round_two["parts"]
    assert identity_holds(dict(list(rows.items())[1:]))


async def test_a_disconnect_deletes_every_row_of_that_connection_alone(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """Every table with a connection is empty of it; another account keeps its rows."""
    other = await world.connect(uuid4())
    await collect(world, other)
    computing = Computing(store)
    for one in (connected, other):
        await computing.compute(key_of(one))
    before = await world.rows_of("mrr", other)
    assert before == await world.rows_of("mrr", connected) > 60
    await world.disconnect(connected)
    message = IntegrationDisconnected.of(
        connected.account_id, connected.source, connected.connection_id
    )
    await computing.forget(key_of(connected), message.message_id)
    assert await world.rows_of("mrr", connected) == 0
    assert await world.rows_of("mrr", other) == before


async def test_a_late_computation_of_a_gone_connection_writes_nothing(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """Numbers do not come back after a disconnect."""
    inputs = await store.read(key_of(connected))
    assert inputs is not None
    await world.disconnect(connected)
    assert not await store.write(inputs, compute(inputs), None)
    assert await world.rows_of("mrr", connected) == 0


async def test_nothing_is_read_where_nothing_is_to_be_done(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """A connection that is computed, or gone, costs one look and no computation."""
    await Computing(store).compute(key_of(connected))
    assert await store.read(key_of(connected)) is None
    await world.publish(connected, 2, NOW)
    assert await store.read(key_of(connected)) is not None
    await world.disconnect(connected)
    assert await store.read(key_of(connected)) is None


async def test_a_new_connection_replaces_the_rows_of_the_old(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """Rows of two keys never stand beside each other, heard or not."""
    computing = Computing(store)
    await computing.compute(key_of(connected))
    again = await world.connect(connected.account_id)
    await collect(world, again)
    await computing.compute(key_of(again))
    assert await world.rows_of("mrr", connected) == 0
    assert await world.rows_of("mrr", again) > 60


async def test_the_sweep_finds_what_no_message_told(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """Lost news is computed; a second look finds nothing; a lost end is forgotten."""
    computing = Computing(store)
    await schedule.sweep(store, computing)
    assert [message.revision for message in await said(world)] == [1]
    assert await store.behind() == []
    await world.disconnect(connected)
    await schedule.sweep(store, computing)
    assert await world.rows_of("mrr", connected) == 0


async def test_other_sources_are_not_computed(
    world: Publisher, store: PostgresStore
) -> None:
    """A source without subscriptions of ours has no MRR here, not an MRR of 0."""
    polar = await world.connect(uuid4(), "polar")
    await world.publish(polar, 1, NOW)
    await schedule.sweep(store, Computing(store))
    await Computing(store).compute(key_of(polar))
    assert await world.rows_of("mrr", polar) == 0
