"""Days of a time zone, and the truth's walk over them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo


class Dated(Protocol):
    """Something that happened at a unix second."""

    @property
    def at(self) -> int:
        """The second it happened at."""


Happened = TypeVar("Happened", bound=Dated)


@dataclass(frozen=True, slots=True)
class Days:
    """Local days of a zone."""

    zone: ZoneInfo

    def of(self, at: int) -> date:
        """Return the day of a unix second."""
        return datetime.fromtimestamp(at, self.zone).date()

    def start(self, day: date) -> int:
        """Return the unix second at which a day begins."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return int(midnight.timestamp())

    def end(self, day: date) -> int:
        """Return the second after a day's last one."""
        return self.start(day + timedelta(days=1))

    def split(self, events: Iterable[Happened]) -> defaultdict[date, list[Happened]]:
        """Return what happened by day."""
        days: defaultdict[date, list[Happened]] = defaultdict(list)
        for event in events:
            days[self.of(event.at)].append(event)
        return days


def each_day(first: date, last: date) -> Iterator[date]:
    """Yield the days `first` to `last`, both included."""
    day = first
    while day <= last:
        yield day
        day += timedelta(days=1)


def count_of(events: Iterable[Happened], fits: Callable[[Happened], bool]) -> int:
    """Return how many events fit."""
    return sum(1 for event in events if fits(event))
