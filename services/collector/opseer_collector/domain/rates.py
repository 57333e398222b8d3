"""Exchange rates, as the account's own payments were converted.

`exchange_rate` of a balance transaction is minor units of its currency per minor unit
of its source's currency (source: Stripe API reference, balance transaction).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

_SAME = Fraction(1)


@dataclass(frozen=True, slots=True)
class Rate:
    """`rate` minor units of `target` per minor unit of `origin`, paid at `at`."""

    origin: str
    target: str
    at: int
    rate: Decimal
    sample_id: str


class RateTable:
    """The newest rate before an instant."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        """Keep `rates`, in any order."""
        self._pairs: dict[tuple[str, str], list[tuple[int, Fraction]]] = {}
        for one in sorted(rates, key=lambda rate: (rate.at, rate.sample_id)):
            pair = self._pairs.setdefault((one.origin, one.target), [])
            pair.append((one.at, Fraction(one.rate)))

    def before(self, origin: str, target: str, end: int) -> Fraction | None:
        """Return the newest rate paid before the unix second `end`; None if none."""
        if origin == target:
            return _SAME
        pair = self._pairs.get((origin, target), [])
        place = bisect_left(pair, end, key=lambda one: one[0])
        return pair[place - 1][1] if place else None
