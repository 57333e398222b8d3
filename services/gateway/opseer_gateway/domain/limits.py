"""Counting attempts in a sliding window, in memory."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

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
            raise _too_many(times[0] + self._span - now)

    def count(self, key: str, now: datetime) -> None:
        """Count one attempt of `key`."""
        self._seen.setdefault(key, deque()).append(now)
        self._seen.move_to_end(key)
        while len(self._seen) > _MOST_KEYS:
            self._seen.popitem(last=False)

    def forget(self, key: str) -> int:
        """Give `key` all its attempts back; return how many it had used."""
        return len(self._seen.pop(key, ()))

    def forgive(self, key: str, attempts: int) -> None:
        """Give `key` so many of its newest attempts back."""
        times = self._seen.get(key, deque())
        for _ in range(min(attempts, len(times))):
            times.pop()


class Brake:
    """Slows a key down that has many counted attempts, and never stops it.

    Beyond `limit` of them within `span` one attempt per `pause` is let through:
    whoever makes them cannot lock somebody else out by it.
    """

    def __init__(self, limit: int, span: timedelta, pause: timedelta) -> None:
        """Count nothing yet."""
        self._window = Window(limit, span)
        self._pause = pause
        self._turns: OrderedDict[str, datetime] = OrderedDict()

    @contextmanager
    def attempt(self, key: str, now: datetime) -> Iterator[None]:
        """Make an attempt of `key`.

        Raises WaitError(RATE_LIMITED) where it is not yet the turn of `key`.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self._window.attempt(key, now))
            except WaitError:
                self._take_turn(key, now)
            yield

    def count(self, key: str, now: datetime) -> None:
        """Count one attempt of `key`."""
        self._window.count(key, now)

    def _take_turn(self, key: str, now: datetime) -> None:
        """Let one attempt through per pause."""
        last = self._turns.get(key)
        if last is not None and now - last < self._pause:
            raise _too_many(last + self._pause - now)
        self._turns[key] = now
        self._turns.move_to_end(key)
        while len(self._turns) > _MOST_KEYS:
            self._turns.popitem(last=False)


def _too_many(wait: timedelta) -> WaitError:
    """Return the refusal of an attempt that may be made again after `wait`."""
    return WaitError(
        "RATE_LIMITED",
        "Too many attempts. Wait a little, then try again.",
        max(1, -(-wait // timedelta(seconds=1))),
    )


def place_of(ip: str) -> str:
    """Return what is counted as one place: an address, or a network of IPv6.

    Whoever has one address of IPv6 has the 64 bits below it as well (RFC 6177).
    """
    try:
        address = ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ip_network((address, 64), strict=False))
    return str(address)
