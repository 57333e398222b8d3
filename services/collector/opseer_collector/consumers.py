"""What the collector hears. Handlers only write down what to do, and ack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from opseer_collector.store.connections import Connections
from opseer_common.bus import Bus
from opseer_common.clock import Clock
from opseer_common.contracts import (
    CollectionRequested,
    IntegrationConnected,
    IntegrationDisconnected,
)


def subscribe(
    bus: Bus,
    connections: Connections,
    clock: Clock,
    look: Callable[[], Awaitable[None]],
) -> None:
    """Hear connects, disconnects and requests; `look` claims what came in line."""

    async def connected(message: IntegrationConnected) -> None:
        await connections.connected(message, clock())
        await look()

    async def disconnected(message: IntegrationDisconnected) -> None:
        await connections.disconnected(message)

    async def requested(message: CollectionRequested) -> None:
        await connections.requested(message, clock())
        await look()

    bus.hear(IntegrationConnected, connected)
    bus.hear(IntegrationDisconnected, disconnected)
    bus.hear(CollectionRequested, requested)
