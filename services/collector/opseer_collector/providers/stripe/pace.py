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
        self._gap = _MARGIN / rate
        self._endpoint_gap = _MARGIN / min(rate, PER_ENDPOINT)
        self._next = 0.0
        self._next_at: dict[str, float] = {}

    async def turn(self, endpoint: str) -> None:
        """Wait for the next free turn of `endpoint`."""
        now = asyncio.get_running_loop().time()
        slot = max(now, self._next, self._next_at.get(endpoint, 0.0))
        self._next = slot + self._gap
        self._next_at[endpoint] = slot + self._endpoint_gap
        if slot > now:
            await asyncio.sleep(slot - now)
