"""What the businesses of both channels are made of: chance, arrivals, ids."""

from __future__ import annotations

import random
from collections.abc import Callable
from hashlib import blake2b
from typing import Generic, TypeVar
from uuid import UUID

from opseer_simulator.channels.ledger import ChannelLedger
from opseer_simulator.channels.rates import Rates
from opseer_simulator.timeline import DAY, HOUR, Act, Timeline

_FIRST_DAYS = 30
_FIRST_SHARE = (65, 100 * _FIRST_DAYS)
_SHARE = (14, 1000)


Business = TypeVar("Business", bound="Trade")


class Trade:
    """A business that opens at a unix second and is lived on from there.

    `size` is roughly how many customers stay. Everything is a function of the seed, the
    opening and the size.
    """

    def __init__(self, seed: int, opened: int, size: int) -> None:
        self.seed = seed
        self.opened = opened
        self.size = size
        self.rng = random.Random(seed)  # noqa: S311 - a made-up company, no secret
        self.rates = Rates(seed)
        self.ledger = ChannelLedger()
        self._timeline = Timeline(opened)
        self._counts: dict[str, int] = {}
        self._owed = 0
        self._month_over = opened + _FIRST_DAYS * DAY

    @property
    def lived_until(self) -> int:
        """The unix second up to which everything has happened."""
        return self._timeline.lived_until

    def live_until(self, instant: int) -> None:
        """Live on to a unix second; an earlier one changes nothing."""
        self._timeline.live_until(instant)

    def plan(self, at: int, act: Act) -> None:
        """Plan an act for a unix second."""
        self._timeline.plan(at, act)

    def welcome(self, arrive: Act) -> None:
        """Let customers arrive every day: many in the first month, then a few."""

        def day(at: int) -> None:
            early = at < self._month_over
            part, whole = _FIRST_SHARE if early else _SHARE
            owed = self._owed + self.size * part * self.rng.randrange(3)
            arrivals, self._owed = divmod(owed, whole)
            for _ in range(arrivals):
                self.plan(self.moment(at), arrive)
            if at + DAY == self._month_over:
                self._owed = 0
            self.plan(at + DAY, day)

        self.plan(self.opened, day)

    def moment(self, day: int) -> int:
        """Return a second of the UTC day that begins at `day`."""
        return day + self.rng.randrange(DAY)

    def later(self, at: int, least: int, most: int) -> int:
        """Return a second some days after another."""
        return at + self.rng.randrange(least * DAY + HOUR, most * DAY)

    def new_id(self, prefix: str) -> str:
        """Return the next id with a prefix."""
        return prefix + self._digest(prefix).hex()

    def new_uuid(self, kind: str) -> str:
        """Return the next UUID (version 4) of a kind of thing."""
        return str(UUID(bytes=self._digest(kind), version=4))

    def part_of(self, whole: str, kind: str) -> str:
        """Return the UUID of the one part of a kind that a thing has."""
        text = f"{whole}:{kind}"
        digest = blake2b(text.encode(), digest_size=16).digest()
        return str(UUID(bytes=digest, version=4))

    def _digest(self, kind: str) -> bytes:
        count = self._counts.get(kind, 0) + 1
        self._counts[kind] = count
        text = f"{self.seed}:{kind}:{count}"
        return blake2b(text.encode(), digest_size=16).digest()


class Standing(Generic[Business]):
    """A business as it stands at any instant.

    Looking earlier than before (tests do) founds it anew, with the same history.
    """

    def __init__(self, found: Callable[[], Business]) -> None:
        self._found = found
        self._business = found()

    def at(self, now: int) -> Business:
        """Return the business as it stands at a unix second."""
        if now < self._business.lived_until:
            self._business = self._found()
        self._business.live_until(now)
        return self._business
