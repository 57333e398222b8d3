"""How a window of time is cut into parts that are read side by side.

Each part ends in a page that is not full: half a page of calls is lost per part. So
parts are as long as the pace allows, and cut only where the rows read so far say that
there is enough to share. All instants are unix seconds; windows are [since, until).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from opseer_collector.domain.records import Window

PAGE: Final = 100
_MOST_PAGES: Final = 60
_FEWEST_PAGES: Final = 24
_HURRIED_PAGES: Final = 2
_SHARED_PAGES: Final = 3
_SNUG: Final = 0.97
"""A part a little shorter than whole pages of it seldom needs one page more."""


@dataclass(slots=True, eq=False)
class Part:
    """A window, how far down it was asked for, and how far down it is stored."""

    since: int
    until: int
    at: int = field(init=False)
    stored: int = field(init=False)
    rows: int = 0
    over: bool = False
    lost: bool = False

    def __post_init__(self) -> None:
        """Nothing is read yet."""
        self.at = self.stored = self.until

    def took(self, rows: int, oldest: int | None, *, more: bool) -> None:
        """Note a page whose oldest row was created at `oldest`."""
        self.rows += rows
        if oldest is not None:
            self.at = min(self.at, oldest)
        if not more:
            self.at, self.over = min(self.at, self.since - 1), True

    def window(self, endpoint: str, at: int) -> Window | None:
        """Return what is read whole once everything down to `at` is stored."""
        since = max(at + 1, self.since)
        return Window(endpoint, since, self.until) if since < self.until else None

    def reached(self) -> int:
        """Return the instant from which on everything is stored."""
        return min(max(self.stored + 1, self.since), self.until)

    def left(self) -> int:
        """Return how many seconds are still to be asked for."""
        return 0 if self.over or self.lost else max(0, self.at + 1 - self.since)


class Unread:
    """A window: its parts, newest first, and what no part has taken yet."""

    def __init__(
        self, since: int, until: int, wanted: int, known: Sequence[Window]
    ) -> None:
        """Take [since, until) but for the `known` windows as unread.

        What was created from `wanted` on is read first, and by all at once.
        """
        self._since, self._until = since, until
        self._wanted = wanted
        self._parts: list[Part] = []
        self._gaps = _gaps(since, until, known)
        # Of what is over, sums are enough: thousands of parts are looked at often.
        self._rows = self._seconds = self._stored = 0
        self._over: dict[int, int] = {}
        self._reached = until
        edges = [until, *(edge for gap in self._gaps for edge in reversed(gap)), since]
        for high, low in zip(edges[::2], edges[1::2], strict=True):
            self._is_stored(low, high)

    def newest(self) -> Part | None:
        """Take the newest gap as a part; None where everything is read."""
        if not self._gaps:
            return None
        since, until = self._gaps.pop(0)
        return self._add(Part(since, until))

    def shorten(self, part: Part, side_by_side: int) -> None:
        """Leave the older side of what a part has still to read to be cut."""
        self._gaps.insert(0, (part.since, min(part.at + 1, part.until)))
        found = self._take(side_by_side)
        if found is not None:
            part.since = found[0]

    def cut(self, side_by_side: int) -> Part | None:
        """Return a new part of the newest that nobody reads."""
        found = self._take(side_by_side)
        return None if found is None else self._add(Part(*found))

    def halve(self) -> Part | None:
        """Return the older half of what the part with most pages has still to read."""
        speed = self._seconds_per_page()
        most, chosen = 0.0, None
        for part in self._open():
            if part.rows and part.left():
                own = max(1.0, (part.until - part.at) * PAGE / part.rows)
                if part.left() / own > most:
                    most, chosen, speed = part.left() / own, part, own
        if chosen is None or most < _SHARED_PAGES:
            return None
        kept = int((most // 2) * speed * _SNUG)
        middle = chosen.at + 1 - kept
        if not chosen.since < middle < chosen.at:
            return None
        older = Part(chosen.since, middle)
        chosen.since = middle
        return self._add(older)

    def covered(self) -> tuple[int, int]:
        """Return the percentage that is stored, and since when everything is."""
        parts = self._open()
        done, reached = self._stored, self._reached
        for part in parts:
            done += part.until - part.reached()
            if part.until == reached:
                reached = part.reached()
        whole = max(1, self._until - self._since)
        return min(100, 100 * done // whole), max(reached, self._since)

    def _open(self) -> list[Part]:
        """Return the parts that are not over and stored, newest first."""
        for part in [one for one in self._parts if one.over and one.stored <= one.at]:
            self._parts.remove(part)
            self._rows += part.rows
            self._seconds += part.until - part.at
            self._is_stored(part.since, part.until)
        return self._parts

    def _is_stored(self, since: int, until: int) -> None:
        """Note that a window is stored, and how far down that makes it all."""
        if since < until:
            self._stored += until - since
            self._over[until] = since
        while self._reached in self._over:
            self._reached = self._over.pop(self._reached)

    def _add(self, part: Part) -> Part:
        self._parts.append(part)
        self._parts.sort(key=lambda one: one.until, reverse=True)
        return part

    def _take(self, side_by_side: int) -> tuple[int, int] | None:
        """Cut off the newest of what nobody reads; None where there is none."""
        if not self._gaps:
            return None
        low, high = self._gaps[0]
        hurried = high > self._wanted
        if hurried:
            low = max(low, self._wanted)
        seconds = self._length(high - low, side_by_side, hurried=hurried)
        since = high - seconds if high - low > seconds * 5 // 4 else low
        if since > self._gaps[0][0]:
            self._gaps[0] = (self._gaps[0][0], since)
        else:
            self._gaps.pop(0)
        return since, high

    def _length(self, seconds: int, side_by_side: int, *, hurried: bool) -> int:
        """Return how many of the next `seconds` make a part."""
        page = self._seconds_per_page()
        share = seconds / page / side_by_side
        if hurried:
            return max(1, int(max(_HURRIED_PAGES, share) * page * _SNUG))
        return max(1, int(min(_MOST_PAGES, max(_FEWEST_PAGES, share)) * page))

    def _seconds_per_page(self) -> float:
        """Return how far apart pages lie, as far as is known."""
        parts = self._open()
        rows = self._rows + sum(part.rows for part in parts)
        if not rows:
            return float(self._until - self._since)
        seconds = sum(part.until - max(part.at, part.since - 1) for part in parts)
        return max(1.0, (self._seconds + seconds) * PAGE / rows)


def _gaps(since: int, until: int, known: Iterable[Window]) -> list[tuple[int, int]]:
    """Return what of [since, until) no window has, newest first."""
    found = []
    for window in sorted(known, key=lambda one: one.until, reverse=True):
        if window.until < until:
            found.append((max(window.until, since), until))
        until = min(until, window.since)
    if until > since:
        found.append((since, until))
    return [(low, high) for low, high in found if low < high]
