"""From revenue.collected over mrr.computed to report.built, on a real bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest

from opseer_common.contracts import (
    IntegrationDisconnected,
    Message,
    MrrComputed,
    ReportBuilt,
)
from opseer_common.run import Lifetime
from opseer_common.testing.pair import administrator
from opseer_common.testing.published import Connected, Publisher
from opseer_common.testing.servers import FreshBus, FreshDatabase
from opseer_mrr import app as mrr
from opseer_mrr.settings import Settings as MrrSettings
from opseer_notifier import app as notifier
from opseer_notifier.settings import Settings as NotifierSettings

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
YESTERDAY = date(2026, 11, 23)


@pytest.fixture
async def connected(world: Publisher) -> Connected:
    """Return a connection whose yesterday was published as revision 1."""
    found = await world.connect(uuid4())
    await world.daily(found, YESTERDAY, 500, 2)
    await world.publish(found, 1, NOW)
    return found


@pytest.fixture
async def services(
    database: FreshDatabase, bus: FreshBus
) -> AsyncIterator[AsyncExitStack]:
    """Return a place in which services run until the test ends."""
    async with AsyncExitStack() as stack:
        yield stack


async def start_mrr(
    database: FreshDatabase, bus: FreshBus, services: AsyncExitStack
) -> None:
    """Run the mrr service inside this process."""
    settings = MrrSettings(
        database_url=database.login_url("mrr"),
        nats_url=bus.url,
        nats_seed_file=bus.seed_file("mrr"),
    )
    await mrr.build(settings)(Lifetime(services, None))


async def start_notifier(
    database: FreshDatabase, bus: FreshBus, services: AsyncExitStack
) -> None:
    """Run the notifier inside this process, at a fixed instant."""
    settings = NotifierSettings(
        database_url=database.login_url("notifier"),
        nats_url=bus.url,
        nats_seed_file=bus.seed_file("notifier"),
    )
    await notifier.build(settings, lambda: NOW)(Lifetime(services, None))


async def put(bus: FreshBus, message: Message) -> None:
    """Put a message on the bus."""
    async with administrator(bus) as client:
        await client.jetstream().publish(
            message.subject,
            message.model_dump_json().encode(),
            headers={"Nats-Msg-Id": str(message.message_id)},
        )


async def heard(bus: FreshBus, subject: str) -> bytes:
    """Wait for the first message of a subject."""
    async with administrator(bus) as client:
        found = await client.jetstream().subscribe(subject)
        return (await found.next_msg(timeout=20)).data


async def nothing_behind(world: Publisher, table: str) -> None:
    """Wait until a table has no row."""
    for _ in range(200):
        if not await world.fetch(f"SELECT FROM {table}"):
            return
        await world.fetch("SELECT pg_sleep(0.05)")
    raise AssertionError(table)


async def test_collected_revenue_becomes_a_report(
    database: FreshDatabase,
    bus: FreshBus,
    services: AsyncExitStack,
    connected: Connected,
) -> None:
    """One message in, two out: of the same connection, revision and day."""
    await put(bus, connected.collected(1))
    await start_mrr(database, bus, services)
    await start_notifier(database, bus, services)
    computed = MrrComputed.model_validate_json(await heard(bus, "mrr.computed"))
    assert (computed.connection_id, computed.revision) == (connected.connection_id, 1)
    assert computed.last_day == NOW.date()
    built = ReportBuilt.model_validate_json(await heard(bus, "report.built"))
    assert (built.account_id, built.day) == (connected.account_id, YESTERDAY)


async def test_a_message_is_handled_without_the_sweep(
    world: Publisher,
    database: FreshDatabase,
    bus: FreshBus,
    services: AsyncExitStack,
) -> None:
    """What is published after the start is heard: the next sweep is a minute away."""
    await start_mrr(database, bus, services)
    await start_notifier(database, bus, services)
    later = await world.connect(uuid4())
    await world.daily(later, YESTERDAY, 500, 2)
    await world.publish(later, 1, NOW)
    await put(bus, later.collected(1))
    built = ReportBuilt.model_validate_json(await heard(bus, "report.built"))
    assert built.account_id == later.account_id


@pytest.mark.parametrize("subject", ["mrr.computed", "report.built"])
async def test_news_of_a_wiped_stream_is_found(
    database: FreshDatabase,
    bus: FreshBus,
    services: AsyncExitStack,
    connected: Connected,
    subject: str,
) -> None:
    """Nothing is on the bus: each service finds the rows all the same."""
    if subject == "mrr.computed":
        await start_mrr(database, bus, services)
    else:
        await start_notifier(database, bus, services)
    assert str(connected.account_id).encode() in await heard(bus, subject)


async def test_a_disconnect_empties_both(
    world: Publisher,
    database: FreshDatabase,
    bus: FreshBus,
    services: AsyncExitStack,
    connected: Connected,
) -> None:
    """integration.disconnected on the bus: no row of the connection is left."""
    await start_mrr(database, bus, services)
    await start_notifier(database, bus, services)
    await heard(bus, "mrr.computed")
    await heard(bus, "report.built")
    await world.disconnect(connected)
    await put(
        bus,
        IntegrationDisconnected.of(
            connected.account_id, connected.source, connected.connection_id
        ),
    )
    await nothing_behind(world, "mrr.computed")
    await nothing_behind(world, "notifier.built_from")
    for schema in ("mrr", "notifier"):
        assert await world.rows_of(schema, connected) == 0
