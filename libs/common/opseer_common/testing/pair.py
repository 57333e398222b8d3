"""A gateway that says and a collector that hears, for tests of the bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import nats
from nats.aio.client import Client

from opseer_common import rights
from opseer_common.attempts import StoredAttempts
from opseer_common.bus import Bus
from opseer_common.contracts import IntegrationConnected
from opseer_common.database import Database
from opseer_common.testing.servers import FreshBus

QUICK = (0, 0, 0, 0, 0)
Handler = Callable[[IntegrationConnected], Awaitable[None]]


def connected(version: int = 1) -> IntegrationConnected:
    """Return a message about a fresh connection."""
    return IntegrationConnected.of(uuid4(), "stripe", uuid4(), version, uuid4())


async def until(true: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


class Pair:
    """A gateway that says and a collector that hears."""

    def __init__(self, databases: dict[str, Database], fresh: FreshBus) -> None:
        """Connect nothing yet."""
        self.databases = databases
        self.gateway = Bus(
            "gateway",
            fresh.url,
            fresh.seed_file("gateway"),
            StoredAttempts(databases["gateway"], "gateway"),
        )
        self.collector = Bus(
            "collector",
            fresh.url,
            fresh.seed_file("collector"),
            StoredAttempts(databases["collector"], "collector"),
            backoff=QUICK,
        )

    async def hear(self, handle: Handler) -> None:
        """Start both; the collector hears with `handle`."""
        self.collector.hear(IntegrationConnected, handle)
        await self.gateway.start()
        await self.collector.start()

    async def publish(self, message: IntegrationConnected) -> None:
        """Publish as the relay does."""
        await self.gateway.publish(
            message.subject,
            message.model_dump_json().encode(),
            str(message.message_id),
        )

    async def dead(self) -> list[tuple[int, str]]:
        """Return (attempts, error) of each dead letter of the collector."""
        async with self.databases["collector"].transaction() as connection:
            rows = await connection.fetch(
                "SELECT attempts, error FROM collector.dead_letter"
            )
        return [(row["attempts"], row["error"]) for row in rows]


@asynccontextmanager
async def administrator(bus: FreshBus) -> AsyncIterator[Client]:
    """Connect as the one who may change streams."""
    seed = bus.seed_file(rights.ADMIN)
    client = await nats.connect(
        bus.url,
        nkeys_seed=str(seed) if seed else None,
        inbox_prefix=rights.inbox_prefix(rights.ADMIN).encode(),
    )
    try:
        yield client
    finally:
        await client.close()
