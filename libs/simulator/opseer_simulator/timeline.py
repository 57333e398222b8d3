"""The company's agenda: what happens at which second, lived in order."""

from __future__ import annotations

import heapq
import random
from base64 import b64encode
from collections.abc import Callable
from hashlib import blake2b
from typing import Generic, TypeVar

Card = TypeVar("Card")

Act = Callable[[int], object]
"""Something the company does; called with its own instant in unix seconds; what it
returns is ignored."""

HOUR = 3600
DAY = 86_400

_LONG = 24
_SHORT = 14
_SHORT_IDS = frozenset({"cus_", "prod_", "si_"})


class Timeline:
    """A queue of acts in the order of their instants.

    An act may plan further acts, never earlier than itself. Living to one instant and
    then to a later one is the same as living to the later one at once, so nothing that
    has happened depends on when somebody looked.
    """

    def __init__(self, start: int) -> None:
        self.lived_until = start
        self._planned: list[tuple[int, int, Act]] = []
        self._count = 0

    def plan(self, at: int, act: Act) -> None:
        """Plan an act for a unix second; those of one second keep their order."""
        self._count += 1
        heapq.heappush(self._planned, (at, self._count, act))

    def live_until(self, instant: int) -> None:
        """Do everything planned up to and including a unix second."""
        while self._planned and self._planned[0][0] <= instant:
            at, _, act = heapq.heappop(self._planned)
            act(at)
        self.lived_until = max(self.lived_until, instant)


class Deck(Generic[Card]):
    """Cards drawn without replacement and shuffled anew when they run out.

    A deck instead of dice: every kind of thing happens in a small company too. The
    first time through, one card of each kind lies on top.
    """

    def __init__(self, rng: random.Random, copies: dict[Card, int]) -> None:
        self._rng = rng
        self._copies = copies
        rest = [card for card, count in copies.items() for _ in range(count - 1)]
        kinds = list(copies)
        rng.shuffle(rest)
        rng.shuffle(kinds)
        self._cards = rest + kinds

    def draw(self) -> Card:
        """Take the card on top."""
        if not self._cards:
            self._cards = [c for c, count in self._copies.items() for _ in range(count)]
            self._rng.shuffle(self._cards)
        return self._cards.pop()


class Ids:
    """Ids in Stripe's manner, the same for the same seed and the same history."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._counts: dict[str, int] = {}

    def new(self, prefix: str) -> str:
        """Return the next id with a prefix such as `ch_`."""
        count = self._counts.get(prefix, 0) + 1
        self._counts[prefix] = count
        digest = blake2b(f"{self._seed}:{prefix}:{count}".encode(), digest_size=18)
        length = _SHORT if prefix in _SHORT_IDS else _LONG
        return prefix + b64encode(digest.digest(), b"Qz").decode()[:length]
