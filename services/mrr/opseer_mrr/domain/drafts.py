"""What each subscription does in each day, in its own currency, before conversion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from opseer_common.contracts.subscription import Subscription
from opseer_common.days import ONE_DAY, DayRange, day_of, start_of
from opseer_mrr.domain.policy import Policy
from opseer_mrr.domain.reasons import State, reason_of
from opseer_mrr.domain.snapshot import Value, value
from opseer_mrr.domain.standing import turning_points
from opseer_mrr.domain.timeline import Timeline

NOTHING: State = (None, None)


@dataclass(frozen=True, slots=True)
class Window:
    """The days shown: instants from `start` to before `end`, and not after `now`.

    All in unix seconds; `tz` is the zone of the days.
    """

    days: DayRange
    tz: ZoneInfo
    start: int
    end: int
    now: int

    def day_of(self, at: int) -> date:
        """Return the day that holds an instant."""
        return day_of(datetime.fromtimestamp(at, UTC), self.tz)

    def last_instant(self, day: date) -> int:
        """Return the last second of a day, or `now` where the day is not over."""
        return min(int(start_of(day + ONE_DAY, self.tz).timestamp()) - 1, self.now)


def window_of(days: DayRange, tz: ZoneInfo, now: datetime) -> Window:
    """Return the window of `days`, without those after the aware instant `now`."""
    days = DayRange(days.first, min(days.last, day_of(now, tz)))
    start, end = days.bounds(tz)
    return Window(
        days, tz, int(start.timestamp()), int(end.timestamp()), int(now.timestamp())
    )


@dataclass(frozen=True, slots=True)
class Draft:
    """One subscription's way through one day, both ends in minor units of `currency`.

    `started` and `stopped` say that it became worth something, or nothing, in the day:
    both for one that came and went. A change of currency makes two: one that leaves
    the old one and one that joins the new one.
    """

    day: date
    subscription_id: str
    customer: str
    currency: str
    before: int
    after: int
    started: bool
    stopped: bool
    reason: str
    event_ids: tuple[str, ...]
    states: tuple[Subscription | None, Subscription | None]


@dataclass(frozen=True, slots=True)
class Course:
    """One subscription's course: where it starts, what it does, where it is unknown.

    `opening` is its value before the first day; `flaws` are (first day, last day,
    reason) in which its worth is not wholly known.
    """

    customer: str
    opening: State
    drafts: tuple[Draft, ...]
    flaws: tuple[tuple[date, date, str], ...]


@dataclass(frozen=True, slots=True)
class _Point:
    at: int
    state: State
    event_ids: tuple[str, ...]


def course_of(line: Timeline, policy: Policy, window: Window) -> Course:
    """Value a timeline at every instant of the window at which it may change."""
    opening = _state(line.state_at(window.start - 1), policy, window.start - 1)
    points = [
        _Point(at, _state(line.state_at(at), policy, at), _events_at(line, at))
        for at in _instants(line, policy, window)
    ]
    return Course(
        customer=line.customer,
        opening=opening,
        drafts=tuple(_drafts(line, opening, points, window)),
        flaws=tuple(_flaws(opening, points, window)),
    )


def minor(state: State) -> int:
    """Return a state's MRR in its own currency."""
    return 0 if state[1] is None else state[1].minor


def _state(state: Subscription | None, policy: Policy, at: int) -> State:
    return NOTHING if state is None else (state, value(state, policy, at))


def _events_at(line: Timeline, at: int) -> tuple[str, ...]:
    return tuple(
        one.event_id
        for one in line.segments
        if one.at == at and one.event_id is not None
    )


def _instants(line: Timeline, policy: Policy, window: Window) -> list[int]:
    """Return the instants in the window at which the worth may change, ascending."""
    found = set()
    for segment in line.segments:
        found.add(segment.at)
        if segment.state is not None:
            found.update(turning_points(segment.state, policy))
    last = min(window.end - 1, window.now)
    return sorted(at for at in found if window.start <= at <= last)


def _drafts(
    line: Timeline, opening: State, points: list[_Point], window: Window
) -> Iterator[Draft]:
    """Yield what each day with points comes to."""
    by_day: dict[date, list[_Point]] = {}
    for point in points:
        by_day.setdefault(window.day_of(point.at), []).append(point)
    before = opening
    for day, in_day in by_day.items():
        yield from _day(line, day, before, in_day)
        before = in_day[-1].state


def _day(
    line: Timeline, day: date, before: State, points: list[_Point]
) -> Iterator[Draft]:
    """Yield a day's net change, two for a change of currency, none where it is nil."""
    after = points[-1].state
    low, high = minor(before), minor(after)
    old, new = _currency(before), _currency(after)
    passing = not low and not high and any(minor(one.state) for one in points)
    if low == high and (old == new or not high) and not passing:
        return
    event_ids = tuple(event for one in points for event in one.event_ids)
    reason = "came_and_went" if passing else reason_of(before, after)
    parts: list[tuple[str, int, int]] = [(new or old, low, high)]
    if passing:
        peak = next(one.state for one in points if minor(one.state))
        parts = [(_currency(peak), 0, 0)]
    elif low and high and old != new:
        parts = [(old, low, 0), (new, 0, high)]
    elif not high:
        parts = [(old, low, 0)]
    for currency, start, end in parts:
        yield Draft(
            day=day,
            subscription_id=line.subscription_id,
            customer=line.customer,
            currency=currency,
            before=start,
            after=end,
            started=passing or (not start and end != 0),
            stopped=passing or (start != 0 and not end),
            reason=reason,
            event_ids=event_ids,
            states=(before[0], after[0]),
        )


def _currency(state: State) -> str:
    return "" if state[1] is None else state[1].currency


def _flaws(
    opening: State, points: list[_Point], window: Window
) -> Iterator[tuple[date, date, str]]:
    """Yield the stretches of days whose counted worth is not wholly known."""
    states = [(window.start, opening), *((one.at, one.state) for one in points)]
    ends = [*(at for at, _ in states[1:]), window.end]
    for (at, state), end in zip(states, ends, strict=True):
        found: Value | None = state[1]
        if found is None or found.worth is None or found.worth.reason is None:
            continue
        first = window.day_of(at)
        last = window.day_of(max(at, end - 1))
        yield first, min(last, window.days.last), found.worth.reason


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield the days from `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)
