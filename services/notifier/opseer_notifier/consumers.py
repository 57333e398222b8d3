"""What the notifier hears: reasons to build an account's reports anew."""

from __future__ import annotations

from opseer_common.bus import Bus
from opseer_common.contracts import (
    IntegrationDisconnected,
    MrrComputed,
    RevenueCollected,
)
from opseer_notifier.actions.building import Building


def listen(bus: Bus, building: Building) -> None:
    """Subscribe to everything this service hears."""

    async def on_revenue_collected(message: RevenueCollected) -> None:
        await building.build(message.account_id, message)

    async def on_mrr_computed(message: MrrComputed) -> None:
        await building.build(message.account_id, message)

    async def on_integration_disconnected(message: IntegrationDisconnected) -> None:
        await building.build(message.account_id, message)

    bus.hear(RevenueCollected, on_revenue_collected)
    bus.hear(MrrComputed, on_mrr_computed)
    bus.hear(IntegrationDisconnected, on_integration_disconnected)
