"""Counting attempts in a sliding window, in memory."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from opseer_gateway.domain.refusals import WaitError

_MOST_KEYS = 20_000


class Window:
    """At most `limit` counted attempts per key within `span`.

    Keys are kept in the order of their last attempt; where there are too many, the
    oldest go first.
    """

    def __init__(self, limit: int, span: timedelta) -> None:
        """Count nothing yet."""
        self._limit = limit
        self._span = span
        self._seen: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._open: Counter[str] = Counter()

    @contextmanager
    def attempt(self, key: str, now: datetime) -> Iterator[None]:
        """Make an attempt of `key` that may turn out to count.

        Raises WaitError: RATE_LIMITED as `check` does, BUSY where the attempts that
        are open now could use up what is left.
        """
        self.check(key, now)
        if len(self._seen.get(key, ())) + self._open[key] >= self._limit:
            raise WaitError("BUSY", "Too many attempts at once. Try again.", 1)
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    def check(self, key: str, now: datetime) -> None:
        """Raise WaitError(RATE_LIMITED) where `key` has used its attempts."""
        times = self._seen.get(key)
        if times is None:
            return
        while times and times[0] <= now - self._span:
            times.popleft()
        if len(times) >= self._limit:
            wait = times[0] + self._span - now
            raise WaitError(
                "RATE_LIMITED",
                "Too many attempts. Wait a little, then try again.",
                max(1, -(-wait // timedelta(seconds=1))),
            )

    def count(self, key: str, now: datetime) -> None:
        """Count one attempt of `key`."""
        self._seen.setdefault(key, deque()).append(now)
        self._seen.move_to_end(key)
        while len(self._seen) > _MOST_KEYS:
            self._seen.popitem(last=False)

    def forget(self, key: str) -> None:
        """Give `key` all its attempts back."""
        self._seen.pop(key, None)
