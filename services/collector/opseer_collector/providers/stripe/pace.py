"""Evenly spaced calls: so many per second in all and per endpoint, without bursts.

What the provider refuses as too much lowers the rate at once; it grows back slowly.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Mapping
from typing import Final

PER_ENDPOINT: Final = 25
"""Stripe's limit for one endpoint (source: docs.stripe.com/rate-limits)."""
ALL: Final = ""
"""The name under which the rate over all endpoints is remembered."""
_MARGIN: Final = 1.02
"""Calls may arrive closer together than they were sent."""
_LOWERED: Final = 0.85
_LOWEST: Final = 1.0
_CALM_SECONDS: Final = 1.0
"""Refusals within it are of calls that were sent before the rate was lowered."""
_GROWTH: Final = 0.002
"""Part of the ceiling that a rate grows back in a second: all of it in minutes."""
_TIMER_SECONDS: Final = 0.01
_REMEMBERED: Final = 1000
_NEWEST: Final = 0.2
"""Weight of the newest answer in the average time of answers."""


class Pacer:
    """Gives each call its turn."""

    def __init__(self, rate: int, lowered: Mapping[str, int] | None = None) -> None:
        """Allow `rate` calls per second over all endpoints.

        `lowered` is what `lowered()` told at the end of an earlier run.
        """
        self._ceiling = rate
        self._lowered_before = dict(lowered or {})
        self._all = self._lane(ALL, rate)
        self._endpoints: dict[str, _Lane] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._given: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._answer_seconds: dict[str, float] = {}

    async def turn(self, endpoint: str) -> None:
        """Wait for the next turn that `endpoint` and the sum of all have free.

        Who waits for a busy endpoint takes no turn from the others.
        """
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(endpoint, deque()).append(turn)
        self._give_turn()
        try:
            await turn
        finally:
            if turn is self._given:
                # A page in work may have kept the call waiting since it was given.
                now, self._given = loop.time(), None
                self._all.sent(now)
                self._endpoint(endpoint).sent(now)
                self._give_turn()

    def answered(self, endpoint: str, seconds: float) -> None:
        """Note how long an answer took."""
        known = self._answer_seconds.get(endpoint, seconds)
        self._answer_seconds[endpoint] = known + _NEWEST * (seconds - known)

    def in_flight(self, endpoint: str) -> int:
        """Return how many calls at once use the rate of `endpoint` up (Little's law).

        One more, so that one is always ready to take the next turn.
        """
        rate = min(self._all.rate, self._endpoint(endpoint).rate)
        return math.ceil(rate * self._answer_seconds.get(endpoint, 0)) + 1

    def refused(self, endpoint: str, reason: str) -> bool:
        """Lower a rate: of all for Stripe's global reasons, else of the endpoint.

        `reason` is Stripe-Rate-Limited-Reason. Return whether a rate was lowered.
        """
        lane = self._all if reason.startswith("global") else self._endpoint(endpoint)
        return lane.slow_down(asyncio.get_running_loop().time())

    def lowered(self) -> dict[str, int]:
        """Return the rates below their ceilings, by endpoint or ALL, per 1,000 s."""
        lanes = {ALL: self._all, **self._endpoints}
        return {
            name: int(lane.rate * _REMEMBERED)
            for name, lane in lanes.items()
            if lane.rate < lane.ceiling
        }

    def _endpoint(self, name: str) -> _Lane:
        if name not in self._endpoints:
            ceiling = min(self._ceiling, PER_ENDPOINT)
            self._endpoints[name] = self._lane(name, ceiling)
        return self._endpoints[name]

    def _lane(self, name: str, ceiling: float) -> _Lane:
        before = self._lowered_before.get(name)
        return _Lane(ceiling, ceiling if before is None else before / _REMEMBERED)

    def _give_turn(self) -> None:
        """Give the next turn as soon as it is due and the one before was taken."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        found = self._next() if self._given is None else None
        if found is None:
            return
        at, endpoint = found
        loop = asyncio.get_running_loop()
        if at > loop.time():
            self._timer = loop.call_at(at, self._give_turn)
            return
        self._given = self._waiting[endpoint].popleft()
        self._given.set_result(None)

    def _next(self) -> tuple[float, str] | None:
        """Return who is next and when; None where nobody waits."""
        due: list[tuple[float, str]] = []
        for endpoint, waiting in self._waiting.items():
            while waiting and waiting[0].done():  # cancelled
                waiting.popleft()
            if waiting:
                due.append((self._endpoint(endpoint).free_at(), endpoint))
        if not due:
            return None
        at, endpoint = min(due)
        return max(at, self._all.free_at()), endpoint


class _Lane:
    """Calls with a gap between them, and never more than the rate in a second."""

    def __init__(self, ceiling: float, rate: float) -> None:
        self.ceiling = ceiling
        self.rate = max(_LOWEST, min(rate, ceiling))
        self._next = 0.0
        self._sent: deque[float] = deque(maxlen=max(1, int(ceiling)))
        self._lowered_at = 0.0

    def free_at(self) -> float:
        """Return the loop's time from which on the next call may go."""
        most = max(1, int(self.rate))
        if len(self._sent) < most:
            return self._next
        return max(self._next, self._sent[-most] + _MARGIN)

    def sent(self, now: float) -> None:
        """Note a call. The next one keeps its distance from when it really went.

        But for what a timer and a page in work are always late by.
        """
        if self._sent and self.rate < self.ceiling:
            grown = self.rate + self.ceiling * _GROWTH * (now - self._sent[-1])
            self.rate = min(self.ceiling, grown)
        forgiven = min(now - self._next, _TIMER_SECONDS) if self._next else 0
        self._next = now - forgiven + _MARGIN / self.rate
        self._sent.append(now)

    def slow_down(self, now: float) -> bool:
        """Lower the rate, once for all calls that were on their way."""
        if self._lowered_at and now - self._lowered_at < _CALM_SECONDS:
            return False
        self._lowered_at = now
        self.rate = max(_LOWEST, self.rate * _LOWERED)
        return True
