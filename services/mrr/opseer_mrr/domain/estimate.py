"""MRR of days before the events, estimated from what subscriptions were billed.

What a line bills for its period, brought to a month, is what its item is worth in that
time (rules and tolerances: docs/MRR.md, "Older history"). A change within a period
shows on its day where its rest was billed, else when the next period is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from opseer_common.days import ONE_DAY, DayRange, day_of
from opseer_common.money import round_half_even, shares
from opseer_mrr.domain.policy import Policy, factor
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.snapshot import NO_RATE, settle

_BILLED_LATE: Final = 4 * 86_400
"""How long usage is worth what was billed last, if no more is: periods differ."""
_ZERO: Final = Fraction(0)


@dataclass(frozen=True, slots=True)
class BilledLine:
    """A line of an invoice, as collector.v1_invoice_line has it.

    Instants are unix seconds, amounts minor units; `off` maps how long discounts last
    to what they took off `amount`.
    """

    item_id: str
    currency: str
    amount: int
    off: Mapping[str, int]
    billed: int
    starts: int
    ends: int
    interval: str
    interval_count: int
    usage: bool
    proration: bool = False


@dataclass(frozen=True, slots=True)
class EstimatedDay:
    """One day in minor units of the settlement currency.

    contraction and churned are zero or less. `subscriptions` are worth something at
    the day's end.
    """

    day: date
    new: int
    expansion: int
    contraction: int
    churned: int
    fx: int
    snapshot: int
    subscriptions: int = 0

    @property
    def net(self) -> int:
        """Return the sum of the four categories."""
        return self.new + self.expansion + self.contraction + self.churned


@dataclass(frozen=True, slots=True)
class _Step:
    """One subscription's way through one day, in minor units of its currency."""

    subscription_id: str
    currency: str
    before: int
    after: int


class Estimate:
    """The days of a connection, while its subscriptions are added one by one."""

    def __init__(self, days: DayRange, tz: ZoneInfo, policy: Policy) -> None:
        """Estimate `days` of `tz` under `policy`, as far as invoices can tell."""
        self._days = days
        self._start, self._end = (int(at.timestamp()) for at in days.bounds(tz))
        self._tz = tz
        self._policy = policy
        self._steps: dict[date, list[_Step]] = {}
        self._balances: dict[str, int] = {}
        self._paying = 0

    def add(
        self,
        subscription_id: str,
        lines: Sequence[BilledLine],
        ended_at: int | None,
    ) -> None:
        """Add a subscription by all of its lines; `ended_at` where it has ended."""
        for currency in sorted({line.currency for line in lines}):
            own = [line for line in lines if line.currency == currency]
            course = _course(own, ended_at, self._policy)
            self._add_course(subscription_id, currency, course)

    def _add_course(
        self, subscription_id: str, currency: str, course: Iterable[tuple[int, int]]
    ) -> None:
        worth = 0
        by_day: dict[date, tuple[int, int]] = {}
        for at, minor in course:
            if at >= self._end:
                break
            if at < self._start or minor == worth:
                worth = minor
                continue
            day = day_of(datetime.fromtimestamp(at, UTC), self._tz)
            before, _ = by_day.get(day, (worth, worth))
            by_day[day] = before, minor
            worth = minor
        opening = next(iter(by_day.values()))[0] if by_day else worth
        self._balances[currency] = self._balances.get(currency, 0) + opening
        self._paying += opening > 0
        for day, (before, after) in by_day.items():
            if before != after:
                step = _Step(subscription_id, currency, before, after)
                self._steps.setdefault(day, []).append(step)

    def rows(
        self, settlement: str, rates: RateTable
    ) -> tuple[tuple[EstimatedDay, ...], str | None]:
        """Return the days from the first one with MRR on, and what they lack."""
        balances, paying = dict(self._balances), self._paying
        found: list[EstimatedDay] = []
        lacks = _unrated(balances, settlement, rates, self._days.first)
        for day in self._days:
            steps = sorted(
                self._steps.get(day, ()), key=lambda one: one.subscription_id
            )
            opening = dict(balances)
            for step in steps:
                balances[step.currency] = (
                    balances.get(step.currency, 0) + step.after - step.before
                )
                paying += (step.after > 0) - (step.before > 0)
            lacks = lacks or _unrated(balances, settlement, rates, day)
            row = _row(day, steps, (opening, balances), settlement, rates)
            if found or row.snapshot or row.net:
                found.append(replace(row, subscriptions=paying))
        return tuple(found), NO_RATE if lacks else None


def backdated(
    rates: Mapping[tuple[str, str], Mapping[date, Fraction]],
) -> RateTable:
    """Return a table in which the first known rate of a pair holds before it, too."""
    return RateTable(
        {
            pair: {date.min: by_day[min(by_day)], **by_day}
            for pair, by_day in rates.items()
            if by_day
        }
    )


def _course(
    lines: Iterable[BilledLine], ended_at: int | None, policy: Policy
) -> Iterator[tuple[int, int]]:
    """Yield from when on a subscription is worth how much, ascending."""
    edges: dict[int, Fraction] = {}
    for own in _by_item(lines, policy):
        for span in _joined(_cut([*_spans(own, policy)], ended_at)):
            edges[span.starts] = edges.get(span.starts, _ZERO) + span.monthly
            edges[span.ends] = edges.get(span.ends, _ZERO) - span.monthly
    worth = _ZERO
    for at in sorted(edges):
        worth += edges[at]
        yield at, max(0, round_half_even(worth))


def _by_item(
    lines: Iterable[BilledLine], policy: Policy
) -> Iterable[Sequence[BilledLine]]:
    """Return the lines of each item, usage apart from what is licensed.

    A proration that does not tell its item is of the only one that has its period.
    """
    found: dict[tuple[str, bool], list[BilledLine]] = {}
    unplaced = []
    for line in lines:
        if not line.item_id:
            unplaced.append(line)
        elif not line.usage or policy.metered != "exclude":
            found.setdefault((line.item_id, line.usage), []).append(line)
    for line in unplaced:
        own = [
            rows
            for (_, usage), rows in found.items()
            if not usage and any(_holds(one, line) for one in rows)
        ]
        if len(own) == 1:
            own[0].append(line)
    return found.values()


def _holds(period: BilledLine, part: BilledLine) -> bool:
    """Tell whether a line is for the rest of the period of another one."""
    if period.proration or period.ends != part.ends:
        return False
    return period.starts < part.starts < period.ends


class _Span(NamedTuple):
    """An item is worth `monthly` from `starts` to before `ends`."""

    starts: int
    ends: int
    monthly: Fraction


def _spans(lines: Sequence[BilledLine], policy: Policy) -> Iterator[_Span]:
    """Yield what an item is worth by each of its lines; tiers have a line each."""
    whole: dict[int, list[BilledLine]] = {}
    for line in lines:
        if not line.proration:
            at = line.billed if line.usage else line.starts
            whole.setdefault(at, []).append(line)
    periods = [
        _Span(at, max(map(_ends, own)), _monthly(own, policy))
        for at, own in sorted(whole.items())
    ]
    yield from periods
    for line in lines:
        if line.proration and _net(line, policy) > 0:
            yield from _changed(line, periods, whole, policy)


def _changed(
    line: BilledLine,
    periods: Sequence[_Span],
    whole: Mapping[int, Sequence[BilledLine]],
    policy: Policy,
) -> Iterator[_Span]:
    """Yield what an item is worth for the rest of a period in which it changed.

    The rest was billed by the second, rounded once: where the next whole period costs
    what that may stand for, the change was to it.
    """
    for period in periods:
        if not period.starts < line.starts < period.ends == line.ends:
            continue
        [of, *_] = whole[period.starts]
        stretched = Fraction(line.ends - of.starts, line.ends - line.starts)
        per_month = _per_month(of, policy)
        monthly = _net(line, policy) * stretched * per_month
        then = next((one for one in periods if one.starts >= line.ends), None)
        if then and abs(then.monthly - monthly) <= stretched * per_month:
            monthly = then.monthly
        yield _Span(line.starts, line.ends, monthly)


def _cut(spans: Iterable[_Span], ended_at: int | None) -> Iterator[_Span]:
    """Yield the spans of one item, each until the next one begins or all is over."""
    following = sys.maxsize if ended_at is None else ended_at
    for span in sorted(spans, key=lambda one: one.starts, reverse=True):
        ends = min(span.ends, following)
        if span.starts < ends:
            yield _Span(span.starts, ends, span.monthly)
            following = span.starts


def _joined(spans: Iterable[_Span]) -> Iterator[_Span]:
    """Join what follows one another and is worth the same; the newest comes first."""
    later: _Span | None = None
    for span in spans:
        if later and (span.ends, span.monthly) == (later.starts, later.monthly):
            later = _Span(span.starts, later.ends, span.monthly)
            continue
        if later:
            yield later
        later = span
    if later:
        yield later


def _ends(line: BilledLine) -> int:
    if not line.usage:
        return line.ends
    return line.billed + line.ends - line.starts + _BILLED_LATE


_SUBTRACTED: Final = {
    "forever": ("forever",),
    "recurring": ("forever", "repeating"),
    "all": ("forever", "repeating", "once"),
}


def _net(line: BilledLine, policy: Policy) -> int:
    """Return what a line bills, less the discounts that the policy subtracts."""
    return line.amount - sum(
        line.off.get(name, 0) for name in _SUBTRACTED[policy.discounts]
    )


def _monthly(lines: Sequence[BilledLine], policy: Policy) -> Fraction:
    """Return what lines of one period make per month, exactly."""
    factors = policy.week_factor, policy.day_factor
    first, *others = (
        _worth(_net(line, policy), line.interval, line.interval_count, *factors)
        for line in lines
    )
    return sum(others, first) if others else first


def _per_month(line: BilledLine, policy: Policy) -> Fraction:
    """Return how many of a line's periods a month has."""
    factors = policy.week_factor, policy.day_factor
    return _worth(1, line.interval, line.interval_count, *factors)


# The same few prices are billed again and again.
@lru_cache(maxsize=4096)
def _worth(amount: int, interval: str, count: int, week: str, day: str) -> Fraction:
    """Return an amount per `count` intervals as one per month."""
    intervals = {
        "month": Fraction(1),
        "year": Fraction(1, 12),
        "week": factor(week),
        "day": factor(day),
    }
    return intervals[interval] * Fraction(amount, count)


def _unrated(
    balances: Mapping[str, int], settlement: str, rates: RateTable, day: date
) -> bool:
    return any(
        minor and rates.on(currency, settlement, day) is None
        for currency, minor in balances.items()
    )


def _row(
    day: date,
    steps: Sequence[_Step],
    ends: tuple[Mapping[str, int], Mapping[str, int]],
    settlement: str,
    rates: RateTable,
) -> EstimatedDay:
    """Convert a day's steps; the rest of the change is FX."""
    opening, closing = ends
    sums = dict.fromkeys(("new", "expansion", "contraction", "churned"), 0)
    for currency in sorted({step.currency for step in steps}):
        rate = rates.on(currency, settlement, day)
        if rate is None:
            continue
        own = [step for step in steps if step.currency == currency]
        whole = round_half_even(closing.get(currency, 0) * rate)
        whole -= round_half_even(opening.get(currency, 0) * rate)
        exact = [(step.after - step.before) * rate for step in own]
        for step, share in zip(own, shares(exact, whole), strict=True):
            sums[_category(step)] += share
    revalued = settle(opening, settlement, rates, day)
    yesterday = settle(opening, settlement, rates, day - ONE_DAY)
    return EstimatedDay(
        day,
        **sums,
        fx=revalued - yesterday,
        snapshot=settle(closing, settlement, rates, day),
    )


def _category(step: _Step) -> str:
    if not step.before:
        return "new"
    if not step.after:
        return "churned"
    return "expansion" if step.after > step.before else "contraction"
