"""What the mrr service hears."""

from __future__ import annotations

from opseer_common.bus import Bus
from opseer_common.contracts import IntegrationDisconnected, RevenueCollected
from opseer_mrr.actions import Computing
from opseer_mrr.domain.computation import ConnectionKey


def listen(bus: Bus, computing: Computing) -> None:
    """Subscribe to everything this service hears."""

    async def on_revenue_collected(message: RevenueCollected) -> None:
        await computing.compute(_key(message), message.message_id)

    async def on_integration_disconnected(message: IntegrationDisconnected) -> None:
        await computing.forget(_key(message), message.message_id)

    bus.hear(RevenueCollected, on_revenue_collected)
    bus.hear(IntegrationDisconnected, on_integration_disconnected)


def _key(message: RevenueCollected | IntegrationDisconnected) -> ConnectionKey:
    return ConnectionKey(message.account_id, message.source, message.connection_id)
