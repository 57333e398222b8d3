"""Small pictures of a month, drawn here as SVG: MRR as a line, Net Revenue as bars.

Coordinates are whole numbers in a box of `WIDTH` by `HEIGHT`, the origin at its top
left; the style sheet stretches the box to its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from opseer_gateway.actions.reading import Overview
from opseer_gateway.pages import formats

WIDTH: Final = 3000
HEIGHT: Final = 480
_MARGIN: Final = 30
_GAP: Final = 30
_LEAST_POINTS: Final = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """A day's bar; `is_below` where it hangs below zero."""

    x: int
    y: int
    width: int
    height: int
    is_below: bool


@dataclass(frozen=True, slots=True)
class Spark:
    """A picture: a line with the area under it, or bars. `words` say what it shows."""

    label: str
    value: str
    note: str
    mood: str
    words: str
    line: str = ""
    area: str = ""
    bars: tuple[Bar, ...] = ()


def sparks(overview: Overview) -> list[Spark]:
    """Return the pictures of a channel that have at least two days to show."""
    found = (_mrr(overview), _revenue(overview))
    return [one for one in found if one is not None]


def _mrr(overview: Overview) -> Spark | None:
    """Return MRR at the end of each day; today's is the one of now."""
    currency = overview.movements.currency
    values = [
        overview.mrr.mrr
        if row.snapshot is None and row.date == overview.today
        else row.snapshot
        for row in overview.movements.rows
    ]
    known = [value for value in values if value is not None]
    if len(known) < _LEAST_POINTS:
        return None
    end, days = formats.money(known[-1], currency), f"{len(values)} days"
    delta = formats.money_delta(known[-1], known[0], currency, days)
    change = known[-1] - known[0]
    verb = f"rose by {formats.money(change, currency)} to"
    if change <= 0:
        verb = f"fell by {formats.money(-change, currency)} to" if change else "stayed"
    line, area = _line(values)
    return Spark(
        label=f"MRR, {days}",
        value=end,
        note=delta.text if delta else "",
        mood=delta.mood if delta else "even",
        words=f"MRR {verb} {end} in {days}.",
        line=line,
        area=area,
    )


def _revenue(overview: Overview) -> Spark | None:
    """Return each day's Net Revenue."""
    currency = overview.daily.currency
    values = [row.net_revenue for row in overview.daily.rows]
    known = [value for value in values if value is not None]
    if len(known) < _LEAST_POINTS:
        return None
    total, days = formats.money(sum(known), currency), f"{len(values)} days"
    most = formats.money(max(known), currency)
    return Spark(
        label=f"Net Revenue, {days}",
        value=total,
        note=f"most a day {most}",
        mood="even",
        words=f"Net Revenue {total} in {days}, {most} on the best day.",
        bars=_bars(values),
    )


def _line(values: Sequence[int | None]) -> tuple[str, str]:
    """Return the paths of the line and of the area under it, broken at gaps."""
    known = [value for value in values if value is not None]
    low, high = min(known), max(known)
    room, last = HEIGHT - 2 * _MARGIN, max(len(values) - 1, 1)
    line, area, run = [], [], list[str]()
    for at, value in enumerate([*values, None]):
        if value is not None:
            up = (value - low) * room // (high - low) if high > low else room // 2
            run.append(f"{at * WIDTH // last} {HEIGHT - _MARGIN - up}")
        elif run:
            line.append(f"M{'L'.join(run)}")
            first, end = run[0].split()[0], run[-1].split()[0]
            area.append(f"M{first} {HEIGHT}L{'L'.join(run)}L{end} {HEIGHT}Z")
            run = []
    return "".join(line), "".join(area)


def _bars(values: Sequence[int | None]) -> tuple[Bar, ...]:
    """Return a bar for each day that is known and not zero."""
    known = [value for value in values if value is not None]
    low, high = min(0, *known), max(0, *known)
    span, step = max(high - low, 1), WIDTH // len(values)
    zero = high * HEIGHT // span
    return tuple(
        Bar(
            x=at * step,
            y=zero if value < 0 else zero - _size(value, span),
            width=step - _GAP,
            height=_size(value, span),
            is_below=value < 0,
        )
        for at, value in enumerate(values)
        if value
    )


def _size(value: int, span: int) -> int:
    """Return the height of a bar: at least a hair's breadth."""
    return max(abs(value) * HEIGHT // span, 4)
