"""Messages that none of ours said: they are pointers, so nothing follows from them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from opseer_collector.store.connections import Connections
from opseer_common.contracts import IntegrationDisconnected
from opseer_common.database import Database
from opseer_common.testing.company import CHANGES, NEW, NOW, OLD
from opseer_common.testing.published import Connected, Publisher
from opseer_common.testing.servers import FreshDatabase
from opseer_mrr.actions import COMPUTED_SOURCES, Computing
from opseer_mrr.domain.computation import ConnectionKey
from opseer_mrr.store.figures import PostgresStore

FORGED = 50


@pytest.fixture
async def computing(database: FreshDatabase) -> AsyncIterator[Computing]:
    """Return the computation with the service's own login."""
    own = await Database.connect(database.login_url("mrr"), size=2)
    yield Computing(PostgresStore(own, COMPUTED_SOURCES))
    await own.close()


@pytest.fixture
async def computed(world: Publisher, computing: Computing) -> Connected:
    """Return a connection whose figures are there."""
    found = await world.connect(uuid4())
    await world.subscriptions(found, [OLD, NEW])
    await world.changes(found, CHANGES)
    await world.publish(found, 1, NOW)
    await computing.compute(key_of(found))
    return found


def key_of(of: Connected) -> ConnectionKey:
    """Return the connection as the service names it."""
    return ConnectionKey(of.account_id, of.source, of.connection_id)


async def figures(world: Publisher) -> list[str]:
    """Return every row of snapshots and movements, as text."""
    rows = await world.fetch(
        """
        SELECT s::text AS row FROM mrr.snapshot s
        UNION ALL SELECT m::text FROM mrr.movement m ORDER BY 1
        """
    )
    return [row["row"] for row in rows]


async def test_forged_news_changes_no_figure(
    world: Publisher, computing: Computing, computed: Connected
) -> None:
    """Rule: news of accounts, sources and connections that are not leads to no row."""
    before = await figures(world)
    assert len(before) > 60
    account, connection = computed.account_id, computed.connection_id
    for _ in range(FORGED):
        for key in (
            ConnectionKey(uuid4(), "stripe", uuid4()),
            ConnectionKey(account, "stripe", uuid4()),
            ConnectionKey(uuid4(), "stripe", connection),
            ConnectionKey(account, "polar", connection),
        ):
            await computing.compute(key)
    assert await figures(world) == before


async def test_a_forged_end_deletes_nothing(
    world: Publisher, computing: Computing, computed: Connected
) -> None:
    """Rule: that a connection ended is believed when its row is gone."""
    before = await figures(world)
    await computing.forget(key_of(computed), uuid4())
    assert await figures(world) == before


async def test_a_forged_end_stops_no_collecting(
    database: FreshDatabase, world: Publisher, computed: Connected
) -> None:
    """Rule: the collector, too, keeps what belongs to a connection that is there."""
    before = await world.rows_of("collector", computed)
    own = await Database.connect(database.login_url("collector"), size=1)
    message = IntegrationDisconnected.of(
        computed.account_id, computed.source, computed.connection_id
    )
    await Connections(own).disconnected(message)
    assert await world.rows_of("collector", computed) == before > 0
    await world.disconnect(computed)
    again = IntegrationDisconnected.of(
        computed.account_id, computed.source, computed.connection_id
    )
    await Connections(own).disconnected(again)
    await own.close()
    assert await world.rows_of("collector", computed) == 0
