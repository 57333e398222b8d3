"""Exchange rates of days: what the newest actual payment was converted at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction

from opseer_common.money import Money, convert, minor_rate

_SAME = Fraction(1)


class RateTable:
    """Rates between minor units by (from, to) currency and day."""

    def __init__(
        self, rates: Mapping[tuple[str, str], Mapping[date, Fraction]] | None = None
    ) -> None:
        """Keep `rates`, each the rate of the newest payment of its day."""
        self._days = {
            pair: sorted(by_day.items()) for pair, by_day in (rates or {}).items()
        }

    @classmethod
    def from_major(cls, rates: Iterable[tuple[str, str, date, Fraction]]) -> RateTable:
        """Read (from, to, day, rate) with rates between major units."""
        table: dict[tuple[str, str], dict[date, Fraction]] = {}
        for source, to, day, rate in rates:
            table.setdefault((source, to), {})[day] = minor_rate(rate, source, to)
        return cls(table)

    def on(self, source: str, to: str, day: date) -> Fraction | None:
        """Return the latest rate on or before `day`; None where there is none."""
        if source == to:
            return _SAME
        days = self._days.get((source, to), [])
        place = bisect_right(days, day, key=lambda one: one[0])
        return days[place - 1][1] if place else None


def converted(minor: int, source: str, to: str, rate: Fraction) -> int:
    """Convert a currency's total, rounded once, half-even."""
    return convert(Money(minor, source), to, rate).minor
