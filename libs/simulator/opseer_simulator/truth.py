"""The truth about the company, counted from its ledger and nothing else.

Days are local days of an IANA zone, money is US cents. The rules are the reader's:
refunds on their own day, a bank debit that bounces lowers the day it bounces, one
rounding per subscription, half to even.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from opseer_simulator.catalogue import CURRENCY
from opseer_simulator.ledger import Entry, Ledger, Worth


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Changes of MRR in a day; contraction and churned are at most 0.

    net = new + expansion + contraction + churned; `of_which_reactivation` is the part
    of new by customers who paid before and did not at the day's start.
    """

    new: int = 0
    expansion: int = 0
    contraction: int = 0
    churned: int = 0
    net: int = 0
    of_which_reactivation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthDay:
    """One local day.

    `mrr` and `active_subscriptions` (those worth more than zero) stand at its end, or
    at `as_of` for the day under way. `new_subs` and `churned_subs` count the
    subscriptions behind `new` and `churned`; one that came and went within the day
    counts in both.
    """

    date: date
    charges_count: int
    charges_amount: int
    refunds_count: int
    refunds_amount: int
    net_revenue: int
    failed_payments: int
    disputes: int
    mrr: int
    active_subscriptions: int
    grain_subscription: Movement
    grain_customer: Movement
    new_subs: int
    churned_subs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The days from `first` to `last`, ascending, and MRR at `as_of`."""

    timezone: str
    currency: str
    as_of: datetime
    mrr: int
    active_subscriptions: int
    days: tuple[TruthDay, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _MrrDay:
    mrr: int
    active: int
    subscriptions: Movement
    customers: Movement
    new_subs: int
    churned_subs: int


DayOf = Callable[[int], date]


def count_truth(
    ledger: Ledger, timezone: str, first: date, last: date, as_of: int
) -> Truth:
    """Count the days `first` to `last`, both included, of what happened by `as_of`.

    `as_of` is a unix second; nothing in the ledger may be later.
    """
    zone = ZoneInfo(timezone)

    def day_of(at: int) -> date:
        return datetime.fromtimestamp(at, zone).date()

    money = _Money(ledger, day_of)
    mrr = _walk(ledger.worths, day_of)
    days: list[TruthDay] = []
    standing = _before(mrr, first)
    day = first
    while day <= last:
        standing = mrr.get(day, _still(standing))
        days.append(money.day(day, standing))
        day += timedelta(days=1)
    now = _before(mrr, date.max)
    return Truth(
        timezone=timezone,
        currency=CURRENCY,
        as_of=datetime.fromtimestamp(as_of, UTC),
        mrr=now.mrr,
        active_subscriptions=now.active,
        days=tuple(days),
    )


class _Money:
    """The money of the ledger by local day: (how often, how much)."""

    def __init__(self, ledger: Ledger, day_of: DayOf) -> None:
        self._sales = _by_day(ledger.sales, day_of)
        self._refunds = _by_day(ledger.refunds, day_of)
        self._bounces = _by_day(ledger.bounces, day_of)
        self._declines = _by_day(ledger.declines, day_of)
        self._disputes = _by_day(ledger.disputes, day_of)

    def day(self, day: date, mrr: _MrrDay) -> TruthDay:
        """Return one day's row."""
        sold, sales = self._sales[day]
        returned, refunds = self._refunds[day]
        bounced, bounces = self._bounces[day]
        return TruthDay(
            date=day,
            charges_count=sold,
            charges_amount=sales - bounces,
            refunds_count=returned,
            refunds_amount=refunds,
            net_revenue=sales - bounces - refunds,
            failed_payments=self._declines[day][0] + bounced,
            disputes=self._disputes[day][0],
            mrr=mrr.mrr,
            active_subscriptions=mrr.active,
            grain_subscription=mrr.subscriptions,
            grain_customer=mrr.customers,
            new_subs=mrr.new_subs,
            churned_subs=mrr.churned_subs,
        )


def _by_day(
    entries: Iterable[Entry], day_of: DayOf
) -> defaultdict[date, tuple[int, int]]:
    days: defaultdict[date, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for entry in entries:
        day = day_of(entry.at)
        count, amount = days[day]
        days[day] = (count + 1, amount + entry.amount)
    return days


def _walk(worths: Iterable[Worth], day_of: DayOf) -> dict[date, _MrrDay]:
    """Return the days on which a worth was written down, ascending."""
    by_day: dict[date, list[Worth]] = {}
    for worth in worths:
        by_day.setdefault(day_of(worth.at), []).append(worth)
    standing = _Standing()
    return {day: standing.live(by_day[day]) for day in sorted(by_day)}


class _Standing:
    """What each subscription and customer is worth at the end of a day."""

    def __init__(self) -> None:
        self._subs: dict[str, int] = {}
        self._customers: dict[str, int] = {}
        self._paid_before: set[str] = set()

    def live(self, worths: list[Worth]) -> _MrrDay:
        """Live one day and return it."""
        owner = {w.subscription: w.customer for w in worths}
        peak = dict.fromkeys(owner, 0)
        end: dict[str, int] = {}
        for worth in worths:
            value = round(worth.monthly)
            end[worth.subscription] = value
            peak[worth.subscription] = max(peak[worth.subscription], value)
        start = {sub: self._subs.get(sub, 0) for sub in owner}
        before = {c: self._customers.get(c, 0) for c in owner.values()}
        returning = {c for c, v in before.items() if v == 0 and c in self._paid_before}
        after = dict(before)
        for sub, customer in owner.items():
            after[customer] += end[sub] - start[sub]
            if max(start[sub], peak[sub]) > 0:
                self._paid_before.add(customer)
        self._subs.update(end)
        self._customers.update(after)
        brief = {s for s in owner if start[s] == end[s] == 0 and peak[s] > 0}
        return _MrrDay(
            mrr=sum(self._subs.values()),
            active=sum(1 for value in self._subs.values() if value > 0),
            subscriptions=_movement(
                start, end, {s for s, c in owner.items() if c in returning}
            ),
            customers=_movement(before, after, returning),
            new_subs=sum(1 for s in owner if not start[s] and end[s]) + len(brief),
            churned_subs=sum(1 for s in owner if start[s] and not end[s]) + len(brief),
        )


def _movement(
    start: dict[str, int], end: dict[str, int], returning: set[str]
) -> Movement:
    """Classify start against end, key by key."""
    sums = dict.fromkeys(("new", "expansion", "contraction", "churned"), 0)
    back = 0
    for key, was in start.items():
        delta = end[key] - was
        if was == 0:
            kind = "new"
            back += delta if key in returning else 0
        elif end[key] == 0:
            kind = "churned"
        else:
            kind = "expansion" if delta > 0 else "contraction"
        sums[kind] += delta
    return Movement(**sums, net=sum(sums.values()), of_which_reactivation=back)


def _still(day: _MrrDay) -> _MrrDay:
    """Return a day on which nothing moved after another."""
    return _MrrDay(
        mrr=day.mrr,
        active=day.active,
        subscriptions=Movement(),
        customers=Movement(),
        new_subs=0,
        churned_subs=0,
    )


def _before(days: dict[date, _MrrDay], first: date) -> _MrrDay:
    """Return the standing at the end of the last day before `first`."""
    nothing = _MrrDay(
        mrr=0,
        active=0,
        subscriptions=Movement(),
        customers=Movement(),
        new_subs=0,
        churned_subs=0,
    )
    return next((days[d] for d in reversed(days) if d < first), nothing)
