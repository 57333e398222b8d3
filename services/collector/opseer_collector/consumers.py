"""What the collector hears. Handlers only write down what to do, and ack."""

from __future__ import annotations

from opseer_collector.store.connections import Connections
from opseer_common.bus import Bus
from opseer_common.clock import Clock
from opseer_common.contracts import (
    CollectionRequested,
    IntegrationConnected,
    IntegrationDisconnected,
)


def subscribe(bus: Bus, connections: Connections, clock: Clock) -> None:
    """Hear connects, disconnects and requests."""

    async def connected(message: IntegrationConnected) -> None:
        await connections.connected(message, clock())

    async def disconnected(message: IntegrationDisconnected) -> None:
        await connections.disconnected(message)

    async def requested(message: CollectionRequested) -> None:
        await connections.requested(message, clock())

    bus.hear(IntegrationConnected, connected)
    bus.hear(IntegrationDisconnected, disconnected)
    bus.hear(CollectionRequested, requested)
