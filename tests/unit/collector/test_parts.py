"""Cutting a window: few calls more than full pages, newest first, nothing left out."""

from __future__ import annotations

import random
from bisect import bisect_left

import pytest

from opseer_collector.domain.records import Window
from opseer_collector.providers.stripe.parts import Part, Unread

DAY = 86_400
SINCE, UNTIL = 0, 92 * DAY
WANTED = UNTIL - DAY * 3 // 2
AT_ONCE = 9


class List:
    """Rows with a creation time, and a reading of them page by page."""

    def __init__(self, rows: list[int]) -> None:
        """Keep the instants of rows."""
        self.rows = sorted(rows)
        self.calls = 0
        self.read: set[int] = set()
        self.order: list[int] = []

    def page(self, part: Part, cursor: int | None) -> tuple[int, bool]:
        """Read the next page of a part; return its last row and whether more are."""
        low = bisect_left(self.rows, part.since)
        high = bisect_left(self.rows, part.until) if cursor is None else cursor
        bottom = max(low, high - 100)
        self.calls += 1
        self.read |= set(range(bottom, high))
        oldest = self.rows[bottom] if bottom < high else None
        part.took(high - bottom, oldest, more=bottom > low)
        part.stored = part.at
        self.order.append(part.until)
        return bottom, bottom > low

    def read_all(self, unread: Unread) -> None:
        """Read as a walk does: one page, then side by side in turns."""
        first = unread.newest()
        assert first is not None
        cursor, more = self.page(first, None)
        reading: list[tuple[Part, int | None]] = []
        if more:
            unread.shorten(first, AT_ONCE)
            reading = [(first, cursor)]
        while True:
            while len(reading) < AT_ONCE:
                part = unread.cut(AT_ONCE) or unread.halve()
                if part is None:
                    break
                reading.append((part, None))
            if not reading:
                return
            part, at = reading.pop(0)
            bottom, more = self.page(part, at)
            if more:
                reading.append((part, bottom))


def even(count: int) -> list[int]:
    """Return `count` rows over the window, as even as chance makes them."""
    rng = random.Random(7)  # noqa: S311 - made-up rows
    return [rng.randrange(SINCE, UNTIL) for _ in range(count)]


def uneven(count: int) -> list[int]:
    """Return rows of which half lie in four days, and no nights."""
    rng = random.Random(8)  # noqa: S311 - made-up rows
    busy = [40 * DAY + rng.randrange(4 * DAY) for _ in range(count // 2)]
    days = [rng.randrange(92) * DAY + 28_800 for _ in range(count - len(busy))]
    return busy + [day + rng.randrange(DAY // 2) for day in days]


@pytest.mark.parametrize("rows", [even(40_000), uneven(40_000)], ids=["even", "uneven"])
def test_few_calls_more_than_full_pages(rows: list[int]) -> None:
    """400 full pages take at most 420 calls, and every row is read."""
    found = List(rows)
    found.read_all(Unread(SINCE, UNTIL, WANTED, ()))
    assert found.calls <= 420
    assert len(found.read) == len(rows)


@pytest.mark.parametrize(("count", "calls"), [(0, 1), (99, 1), (100, 1), (250, 3)])
def test_a_small_list_costs_no_extra_call(count: int, calls: int) -> None:
    """As many calls as one after the other would have been."""
    found = List(even(count))
    found.read_all(Unread(SINCE, UNTIL, WANTED, ()))
    assert found.calls == calls


def test_a_burst_at_the_edge_is_no_measure_of_all() -> None:
    """A hundred rows in the last minute do not cut the window into minutes."""
    rows = [UNTIL - 60 + number // 2 for number in range(101)] + even(200)
    found = List(rows)
    found.read_all(Unread(SINCE, UNTIL, WANTED, ()))
    assert found.calls < 40
    assert len(found.read) == len(rows)


def test_the_newest_days_are_read_first() -> None:
    """Parts follow each other downwards, and the first nine hold the wanted days."""
    found = List(even(100_000))
    unread = Unread(SINCE, UNTIL, WANTED, ())
    first = unread.newest()
    assert first is not None
    found.page(first, None)
    unread.shorten(first, AT_ONCE)
    end = first.since
    for _ in range(AT_ONCE - 1):
        part = unread.cut(AT_ONCE)
        assert part is not None
        assert part.until == end
        end = part.since
    assert end <= WANTED


def test_what_was_read_before_is_not_read_again() -> None:
    """Only the gaps between known windows are asked for."""
    known = [Window("charges", 10 * DAY, 50 * DAY), Window("charges", 60 * DAY, UNTIL)]
    rows = even(10_000)
    found = List(rows)
    unread = Unread(SINCE, UNTIL, WANTED, known)
    found.read_all(unread)
    wanted = [row for row in rows if row < 10 * DAY or 50 * DAY <= row < 60 * DAY]
    assert len(found.read) == len(wanted)
    assert unread.covered() == (100, SINCE)


def test_covered_is_what_is_stored_without_a_gap() -> None:
    """An older part that is done does not count before those above it are."""
    unread = Unread(SINCE, UNTIL, UNTIL, [Window("charges", SINCE, 60 * DAY)])
    part = unread.newest()
    assert part is not None
    assert unread.covered() == (65, UNTIL)
    part.took(100, 80 * DAY, more=True)
    assert unread.covered() == (65, UNTIL)
    part.stored = part.at
    assert unread.covered() == (78, 80 * DAY + 1)


def test_a_window_tells_only_what_is_whole() -> None:
    """Rows of the oldest second of a page may go on on the next one."""
    part = Part(SINCE, UNTIL)
    part.took(100, 500, more=True)
    assert part.window("charges", part.at) == Window("charges", 501, UNTIL)
    part.took(7, 100, more=False)
    assert part.window("charges", part.at) == Window("charges", SINCE, UNTIL)
