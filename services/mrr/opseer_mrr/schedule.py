"""The sweep: finds by itself what the bus may have lost."""

from __future__ import annotations

from typing import Protocol

import structlog

from opseer_common.run import every
from opseer_mrr.actions import Computing
from opseer_mrr.domain.computation import ConnectionKey

SWEEP_SECONDS = 60
_log = structlog.get_logger()


class Found(Protocol):
    """What a look over all accounts finds."""

    async def behind(self) -> list[ConnectionKey]:
        """Return connections with news that was not computed."""
        ...

    async def gone(self) -> list[ConnectionKey]:
        """Return connections that have figures and exist no more."""
        ...

    async def forget_handled(self) -> None:
        """Drop the ids of messages too old to come again."""
        ...


async def sweep(found: Found, computing: Computing) -> None:
    """Do once what no message asked for, by the code that a message runs."""
    for key in await found.gone():
        await computing.forget(key)
    for key in await found.behind():
        try:
            await computing.compute(key)
        except Exception:  # noqa: BLE001 - one account must not stop the others
            _log.exception("not computed", connection=str(key.connection_id))
    await found.forget_handled()


async def run(found: Found, computing: Computing) -> None:
    """Sweep again and again."""
    await every(SWEEP_SECONDS, lambda: sweep(found, computing))
