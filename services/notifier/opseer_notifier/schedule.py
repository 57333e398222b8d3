"""What nobody's message starts: the sweep, reports that are due, and troubles.

The sweep finds what the bus may have lost, and days that are over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import structlog

from opseer_common.clock import Clock
from opseer_common.database import LATER
from opseer_common.run import every
from opseer_notifier.actions.building import Building
from opseer_notifier.store.notices import Trouble

SWEEP_SECONDS = 60
POLL_SECONDS: Final = 1.0
TROUBLE_SECONDS: Final = 5.0
_log = structlog.get_logger()


class Found(Protocol):
    """What a look over all accounts finds."""

    async def behind(self, now: datetime) -> list[UUID]:
        """Return accounts with news that is in no report, or with a new closed day."""
        ...

    async def forget_handled(self) -> None:
        """Drop the ids of messages too old to come again."""
        ...


class Troubles(Protocol):
    """Connections that need somebody."""

    async def troubles(self, now: datetime) -> list[Trouble]:
        """Return what has not been told yet."""
        ...

    async def tell(self, trouble: Trouble, now: datetime) -> None:
        """Make deliveries of it, once."""
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


async def tell(troubles: Troubles, clock: Clock) -> None:
    """Tell every trouble that was not told."""
    for trouble in await troubles.troubles(clock()):
        try:
            await troubles.tell(trouble, clock())
        except LATER:
            raise
        except Exception:  # noqa: BLE001 - one account must not stop the others
            _log.exception("not told", account=str(trouble.account_id))


async def drain(work: Callable[[], Awaitable[int]]) -> None:
    """Do `work` again and again: at once while there is some, else each second."""
    while True:
        done = 0
        try:
            done = await work()
        except LATER as error:
            _log.warning("tried later", error=type(error).__name__)
        if not done:
            await asyncio.sleep(POLL_SECONDS)
