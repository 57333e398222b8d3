"""The truth about an app: counted from its ledger, never from what RevenueCat shows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from opseer_simulator.channels.days import Days, count_of, each_day
from opseer_simulator.channels.ledger import ChannelLedger
from opseer_simulator.channels.rates import Rates


@dataclass(frozen=True, slots=True)
class RevenueCatDay:
    """A UTC day; money in minor units of the truth's currency.

    `revenue` is the day's sales less the day's refunds; `orders` the sales; `new_subs`
    subscriptions paid for the first time (a change of product is one); `churned` those
    that ended less those that came back, so it may be negative; `mrr_new` less
    `mrr_churned` is what MRR moved by, but for rounding. `ended` and `back` are what
    `churned` is made of; `mrr_churned` is `mrr_ended` and `mrr_contraction` less
    `mrr_back` and `mrr_expansion`. The last day is not over: `complete` says so.
    """

    date: date
    complete: bool
    mrr: int
    active_subscriptions: int
    revenue: int
    orders: int
    new_subs: int
    churned: int
    mrr_new: int
    mrr_churned: int
    sales_amount: int
    refunds_amount: int
    refunds_count: int
    trials_began: int
    ended: int
    back: int
    mrr_back: int
    mrr_ended: int
    mrr_expansion: int
    mrr_contraction: int


@dataclass(frozen=True, slots=True)
class RevenueCatTruth:
    """The days asked for, ascending, and MRR at `as_of`."""

    currency: str
    timezone: str
    as_of: datetime
    places: tuple[str, ...]
    mrr: int
    active_subscriptions: int
    days: tuple[RevenueCatDay, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: days of UTC, a currency (lower case), the stores."""

    first: date
    last: date
    currency: str
    places: tuple[str, ...]


class _Walk:
    """What stands, day after day."""

    def __init__(self, ledger: ChannelLedger, asked: Asked, rates: Rates) -> None:
        self._asked = asked
        self._rates = rates
        self._standing: dict[str, Fraction] = {}
        days = Days(ZoneInfo("UTC"))
        places = asked.places
        self._sales = days.split(s for s in ledger.sales if s.place in places)
        self._refunds = days.split(r for r in ledger.refunds if r.sale.place in places)
        self._worths = days.split(w for w in ledger.worths if w.place in places)
        self._steps = days.split(s for s in ledger.steps if s.place in places)
        self.began = min([asked.first, *self._worths, *self._sales])

    def day(self, day: date, *, complete: bool) -> RevenueCatDay:
        """Live a day and return it."""
        before = self._mrr()
        moved = self._move(day)
        new = moved["began_to_pay"]
        sales = sum((s.usd / self._rate(s.at) for s in self._sales[day]), Fraction(0))
        refunds = sum(
            (r.usd / self._rate(r.sale.at) for r in self._refunds[day]), Fraction(0)
        )
        steps, after = self._steps[day], self._mrr()
        ended = count_of(steps, lambda s: s.kind == "ended" and s.paid)
        return RevenueCatDay(
            date=day,
            complete=complete,
            mrr=round(after),
            active_subscriptions=len(self._standing),
            revenue=round(sales - refunds),
            orders=len(self._sales[day]),
            new_subs=count_of(steps, lambda s: s.kind == "began_to_pay"),
            churned=ended - count_of(steps, lambda s: s.kind == "back"),
            mrr_new=round(new),
            mrr_churned=round(before + new - after),
            sales_amount=round(sales),
            refunds_amount=round(refunds),
            refunds_count=len(self._refunds[day]),
            trials_began=count_of(steps, lambda s: s.kind == "trial_began"),
            ended=ended,
            back=count_of(steps, lambda s: s.kind == "back"),
            mrr_back=round(moved["back"]),
            mrr_ended=round(moved["ended"]),
            mrr_expansion=round(moved["expansion"]),
            mrr_contraction=round(moved["contraction"]),
        )

    def _move(self, day: date) -> defaultdict[str, Fraction]:
        """Let the day's changes happen; return what MRR moved by, by kind, no signs."""
        why = defaultdict(set)
        for step in self._steps[day]:
            why[step.subscription, step.at].add(step.kind)
        moved: defaultdict[str, Fraction] = defaultdict(Fraction)
        for worth in self._worths[day]:
            before = self._standing.pop(worth.subscription, Fraction(0))
            after = worth.usd / self._rate(worth.at)
            if after:
                self._standing[worth.subscription] = after
            kinds = why[worth.subscription, worth.at]
            if "ended" in kinds:
                moved["ended"] += before
            if gained := kinds & {"began_to_pay", "back"}:
                moved[gained.pop()] += after
            elif "ended" not in kinds:
                moved["expansion"] += max(after - before, Fraction(0))
                moved["contraction"] += max(before - after, Fraction(0))
        return moved

    def _mrr(self) -> Fraction:
        return sum(self._standing.values(), Fraction(0))

    def _rate(self, at: int) -> Fraction:
        return self._rates.at(self._asked.currency, at)


def count_truth(
    ledger: ChannelLedger, asked: Asked, rates: Rates, now: int
) -> RevenueCatTruth:
    """Count the days asked for of what happened by `now`, a unix second."""
    walk = _Walk(ledger, asked, rates)
    days = Days(ZoneInfo("UTC"))
    today = days.of(now)
    rows = []
    for day in each_day(walk.began, max(today, asked.last)):
        row = walk.day(day, complete=day < today)
        rows.append(row)
    shown = tuple(row for row in rows if asked.first <= row.date <= asked.last)
    standing = next(row for row in rows if row.date == today)
    return RevenueCatTruth(
        currency=asked.currency,
        timezone="UTC",
        as_of=datetime.fromtimestamp(now, UTC),
        places=asked.places,
        mrr=standing.mrr,
        active_subscriptions=standing.active_subscriptions,
        days=shown,
    )
