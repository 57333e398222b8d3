"""What each subscription does in each day, in its own currency, before conversion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from opseer_common.contracts.subscription import Subscription
from opseer_common.days import ONE_DAY, DayRange, day_of, start_of
from opseer_mrr.domain.gaps import Gap
from opseer_mrr.domain.policy import Policy
from opseer_mrr.domain.reasons import State, reason_of
from opseer_mrr.domain.snapshot import value
from opseer_mrr.domain.standing import turning_points
from opseer_mrr.domain.timeline import Timeline


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
    the old one and one that joins the new one. `gaps` are the day's steps without an
    event.
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
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """One subscription's course: where it starts, what it does, where it is unknown.

    `opening` is its value before the first day, `ends` those of the days at which it
    may have changed; `flaws` are (first day, last day, reason) in which its worth is
    not wholly known.
    """

    subscription_id: str
    customer: str
    opening: State
    ends: tuple[tuple[date, State], ...] = ()
    drafts: tuple[Draft, ...] = ()
    flaws: tuple[tuple[date, date, str], ...] = ()
    gaps: tuple[Gap, ...] = ()

    def at_end_of(self, day: date) -> State:
        """Return the value at the end of a day, or before the first one."""
        found = self.opening
        for ended, state in self.ends:
            if ended > day:
                break
            found = state
        return found


@dataclass(frozen=True, slots=True)
class _Point:
    at: int
    state: State
    event_id: str | None


def course_of(line: Timeline, policy: Policy, window: Window) -> Course:
    """Value a timeline at every instant of the window at which it may change."""
    opening = _state(line.state_at(window.start - 1), policy, window.start - 1)
    points = [
        _Point(at, _state(one.state, policy, at), one.event_id)
        for at in _instants(line, policy, window)
        for one in line.at_second(at)
    ]
    if not points:
        flaws = tuple(_flaws(opening, points, window))
        return Course(line.subscription_id, line.customer, opening, flaws=flaws)
    by_day: dict[date, list[_Point]] = {}
    for point in points:
        by_day.setdefault(window.day_of(point.at), []).append(point)
    gaps: dict[date, list[Gap]] = {}
    for gap in line.gaps:
        gaps.setdefault(window.day_of(gap.at), []).append(gap)
    return Course(
        subscription_id=line.subscription_id,
        customer=line.customer,
        opening=opening,
        ends=tuple((day, in_day[-1].state) for day, in_day in by_day.items()),
        drafts=tuple(_drafts(line, opening, by_day, gaps)),
        flaws=tuple(_flaws(opening, points, window)),
        gaps=tuple(line.gaps),
    )


def minor(state: State) -> int:
    """Return a state's MRR in its own currency."""
    return 0 if state is None else state[1].minor


def _state(state: Subscription | None, policy: Policy, at: int) -> State:
    return None if state is None else (state, value(state, policy, at))


def _instants(line: Timeline, policy: Policy, window: Window) -> list[int]:
    """Return the instants in the window at which the worth may change, ascending."""
    found: set[int] = set()
    for segment in line.segments:
        found.add(segment.at)
        if segment.state is not None:
            found.update(turning_points(segment.state, policy))
    last = min(window.end - 1, window.now)
    return sorted(at for at in found if window.start <= at <= last)


def _drafts(
    line: Timeline,
    opening: State,
    by_day: Mapping[date, list[_Point]],
    gaps: Mapping[date, list[Gap]],
) -> Iterator[Draft]:
    """Yield what each day with points comes to."""
    before = opening
    for day, points in by_day.items():
        after = points[-1].state
        passing = not (minor(before) or minor(after)) and any(
            minor(one.state) for one in points
        )
        missed = tuple(gaps.get(day, ()))
        for currency, low, high in _parts(before, points, passing=passing):
            yield Draft(
                day=day,
                subscription_id=line.subscription_id,
                customer=line.customer,
                currency=currency,
                before=low,
                after=high,
                started=passing or (not low and high != 0),
                stopped=passing or (low != 0 and not high),
                reason=_reason(before, after, missed, passing=passing),
                event_ids=tuple(one.event_id for one in points if one.event_id),
                states=(before and before[0], after and after[0]),
                gaps=missed,
            )
        before = after


def _reason(
    before: State, after: State, missed: Sequence[Gap], *, passing: bool
) -> str:
    if any(gap.before != gap.after for gap in missed):
        return "missed_event"
    return "came_and_went" if passing else reason_of(before, after)


def _parts(
    before: State, points: list[_Point], *, passing: bool
) -> list[tuple[str, int, int]]:
    """Return currency, before and after of a day's net change.

    Two for a change of currency, none where it is nil.
    """
    after = points[-1].state
    low, high = minor(before), minor(after)
    old, new = _currency(before), _currency(after)
    if passing:
        peak = next(one.state for one in points if minor(one.state))
        return [(_currency(peak), 0, 0)]
    if low == high and (old == new or not high):
        return []
    if low and high and old != new:
        return [(old, low, 0), (new, 0, high)]
    return [(new, low, high) if high else (old, low, 0)]


def _currency(state: State) -> str:
    return "" if state is None else state[1].currency


def _flaws(
    opening: State, points: list[_Point], window: Window
) -> Iterator[tuple[date, date, str]]:
    """Yield the stretches of days whose counted worth is not wholly known."""
    if not points and _unknown(opening) is None:
        return
    states = [(window.start, opening), *((one.at, one.state) for one in points)]
    ends = [*(at for at, _ in states[1:]), window.end]
    for (at, state), end in zip(states, ends, strict=True):
        reason = _unknown(state)
        if reason is not None:
            first = window.day_of(at)
            last = window.day_of(max(at, end - 1))
            yield first, min(last, window.days.last), reason


def _unknown(state: State) -> str | None:
    """Return why a counted worth is not wholly known."""
    worth = None if state is None else state[1].worth
    return None if worth is None else worth.reason


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield the days from `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)
