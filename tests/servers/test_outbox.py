"""The outbox on real servers: said with its transaction, carried once."""

from __future__ import annotations

import asyncio

import pytest

from opseer_common import outbox
from opseer_common.contracts import IntegrationConnected
from opseer_common.database import Database
from opseer_common.errors import TryLaterError
from opseer_common.outbox import Relay, say
from opseer_common.testing.pair import Pair, administrator, connected, until
from opseer_common.testing.servers import FreshBus


async def test_what_was_said_reaches_the_bus_once(pair: Pair, bus: FreshBus) -> None:
    """Rule: a relay that dies between publish and delete says nothing twice."""

    async def handle(_: IntegrationConnected) -> None:
        return

    await pair.hear(handle)
    gateway = pair.databases["gateway"]
    async with gateway.transaction() as connection:
        for _ in range(50):
            await say(connection, "gateway", connected())

    calls = 0

    async def dies(subject: str, payload: bytes, message_id: str) -> None:
        nonlocal calls
        calls += 1
        if calls == 30:
            raise TryLaterError("the process died")
        await pair.gateway.publish(subject, payload, message_id)

    with pytest.raises(TryLaterError):
        await Relay(gateway, "gateway", dies).carry()
    assert await Relay(gateway, "gateway", pair.gateway.publish).carry() == 50
    async with administrator(bus) as admin:
        state = (await admin.jetstream().stream_info("INTEGRATION")).state
    assert state.messages == 50


async def test_what_is_rolled_back_is_not_said(pair: Pair) -> None:
    """Rule: a message belongs to its transaction."""
    gateway = pair.databases["gateway"]

    async def fails() -> None:
        async with gateway.transaction() as connection:
            await say(connection, "gateway", connected())
            raise ValueError("rolled back")

    with pytest.raises(ValueError, match="rolled back"):
        await fails()
    await pair.gateway.start()
    assert await Relay(gateway, "gateway", pair.gateway.publish).carry() == 0


async def listens(database: Database) -> bool:
    """Return whether a relay's connection listens."""
    async with database.transaction() as connection:
        found = await connection.fetch(
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN %'"
            " AND datname = current_database()"
        )
    return len(found) == 1


async def test_a_commit_wakes_the_relay(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule: news is on the bus well before the next poll."""
    monkeypatch.setattr(outbox, "_POLL_SECONDS", 60)
    heard: list[IntegrationConnected] = []

    async def handle(message: IntegrationConnected) -> None:
        heard.append(message)

    await pair.hear(handle)
    gateway = pair.databases["gateway"]
    relay = asyncio.create_task(Relay(gateway, "gateway", pair.gateway.publish).run())
    async with asyncio.timeout(10):
        while not await listens(gateway):
            await asyncio.sleep(0.02)
    for _ in range(3):
        async with gateway.transaction() as connection:
            await say(connection, "gateway", connected())
    await until(lambda: len(heard) == 3)
    relay.cancel()
