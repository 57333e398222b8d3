"""The sweep: finds what the bus may have lost, and days that are over."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

import structlog

from opseer_common.clock import Clock
from opseer_common.run import every
from opseer_notifier.actions import Building

SWEEP_SECONDS = 60
_log = structlog.get_logger()


class Found(Protocol):
    """What a look over all accounts finds."""

    async def behind(self, now: datetime) -> list[UUID]:
        """Return accounts with news that is in no report, or with a new closed day."""
        ...

    async def forget_handled(self) -> None:
        """Drop the ids of messages too old to come again."""
        ...


async def sweep(found: Found, building: Building, clock: Clock) -> None:
    """Do once what no message asked for, by the code that a message runs."""
    for account_id in await found.behind(clock()):
        try:
            await building.build(account_id)
        except Exception:  # noqa: BLE001 - one account must not stop the others
            _log.exception("not built", account=str(account_id))
    await found.forget_handled()


async def run(found: Found, building: Building, clock: Clock) -> None:
    """Sweep again and again."""
    await every(SWEEP_SECONDS, lambda: sweep(found, building, clock))
