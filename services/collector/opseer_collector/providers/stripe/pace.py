"""Evenly spaced calls: so many per second in all and per endpoint, without bursts."""

from __future__ import annotations

import asyncio
from typing import Final

PER_ENDPOINT: Final = 25
"""Stripe's limit for one endpoint (source: docs.stripe.com/rate-limits)."""
_MARGIN: Final = 1.05
"""Calls may arrive closer together than they were sent."""


class Pacer:
    """Gives each call its turn."""

    def __init__(self, rate: int) -> None:
        """Allow `rate` calls per second over all endpoints."""
        self._all = _Row(_MARGIN / rate)
        self._endpoint_gap = _MARGIN / min(rate, PER_ENDPOINT)
        self._endpoints: dict[str, _Row] = {}

    async def turn(self, endpoint: str) -> None:
        """Wait for the next free turn of `endpoint`.

        First among its own calls, then among all: who waits for a busy endpoint
        takes no turn from the others.
        """
        if endpoint not in self._endpoints:
            self._endpoints[endpoint] = _Row(self._endpoint_gap)
        await self._endpoints[endpoint].turn()
        await self._all.turn()


class _Row:
    """Turns with a gap between them."""

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._next = 0.0

    async def turn(self) -> None:
        now = asyncio.get_running_loop().time()
        slot = max(now, self._next)
        self._next = slot + self._gap
        if slot > now:
            await asyncio.sleep(slot - now)
