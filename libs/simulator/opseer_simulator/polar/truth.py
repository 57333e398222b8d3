"""The truth about a shop: counted from its ledger, never from what Polar shows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from opseer_simulator.channels.days import Days, count_of, each_day
from opseer_simulator.channels.ledger import ChannelLedger, Step
from opseer_simulator.channels.rates import Rates
from opseer_simulator.polar.shop import fee_of


@dataclass(frozen=True, slots=True)
class PolarDay:
    """A day of the zone; money in US cents.

    `revenue` is `gross_revenue` less `refunds_amount`, each on its own day: what Polar
    itself has no figure for. `net_revenue` is Polar's: less fees, refunds on the day of
    their order. `new_subs` counts trials, and `churned` those that end. A refund is
    worth what its share of the order was worth; `refunds_by_currency` is before that.
    """

    date: date
    complete: bool
    mrr: int
    active_subscriptions: int
    revenue: int
    orders: int
    new_subs: int
    churned: int
    gross_revenue: int
    net_revenue: int
    refunds_amount: int
    refunds_count: int
    refunds_by_currency: dict[str, int]
    committed_mrr: int


@dataclass(frozen=True, slots=True)
class PolarTruth:
    """The days asked for, ascending, and MRR at `as_of`."""

    currency: str
    timezone: str
    as_of: datetime
    mrr: int
    active_subscriptions: int
    days: tuple[PolarDay, ...]


class _Walk:
    """What stands, day after day."""

    def __init__(self, ledger: ChannelLedger, days: Days, rates: Rates) -> None:
        self._days = days
        self._rates = rates
        self._sales = days.split(ledger.sales)
        self._refunds = days.split(ledger.refunds)
        self._given_back: defaultdict[date, Fraction] = defaultdict(Fraction)
        for refund in ledger.refunds:
            self._given_back[days.of(refund.sale.at)] += refund.usd
        self._worths = days.split(ledger.worths)
        self._steps = days.split(ledger.steps)
        self._asked_for_good = _asked_for_good(ledger.steps)
        self._standing: dict[str, tuple[str, Fraction]] = {}
        self._live: set[str] = set()
        self._ending: set[str] = set()
        self.began = min(self._steps, default=None)

    def day(self, day: date, *, complete: bool) -> PolarDay:
        """Live a day and return it."""
        self._live_day(day)
        sales, refunds = self._sales[day], self._refunds[day]
        gross = round(sum((s.usd for s in sales), Fraction(0)))
        back = round(sum((r.usd for r in refunds), Fraction(0)))
        fees = sum(fee_of(round(s.usd)) for s in sales)
        by_currency: dict[str, int] = {}
        for refund in refunds:
            currency = refund.sale.currency
            by_currency[currency] = by_currency.get(currency, 0) + refund.amount
        steps = self._steps[day]
        return PolarDay(
            date=day,
            complete=complete,
            mrr=self._mrr(day, set()),
            active_subscriptions=len(self._live),
            revenue=gross - back,
            orders=len(sales),
            new_subs=count_of(steps, _is_first),
            churned=count_of(steps, lambda s: s.kind == "ended"),
            gross_revenue=gross,
            net_revenue=gross - fees - round(self._given_back[day]),
            refunds_amount=back,
            refunds_count=len(refunds),
            refunds_by_currency=by_currency,
            committed_mrr=self._mrr(day, self._ending),
        )

    def _live_day(self, day: date) -> None:
        for worth in self._worths[day]:
            self._standing[worth.subscription] = (worth.currency, worth.monthly)
        for step in self._steps[day]:
            if _is_first(step):
                self._live.add(step.subscription)
            elif step.kind == "ended":
                self._live.discard(step.subscription)
            elif self._asked_for_good.get(step.subscription) == step.at:
                self._ending.add(step.subscription)

    def _mrr(self, day: date, without: set[str]) -> int:
        sums: defaultdict[str, Fraction] = defaultdict(Fraction)
        for sub_id, (currency, monthly) in self._standing.items():
            if sub_id not in without:
                sums[currency] += monthly
        worth = (amount * self._rate(day, c) for c, amount in sums.items())
        return round(sum(worth, Fraction(0)))

    def _rate(self, day: date, currency: str) -> Fraction:
        own = [
            self._rates.at(currency, sale.at)
            for sale in self._sales[day]
            if sale.currency == currency
        ]
        if own:
            return sum(own, Fraction(0)) / len(own)
        return self._rates.of_day(currency, self._days.start(day))


def count_truth(
    ledger: ChannelLedger, timezone: str, between: tuple[date, date], now: int,
    rates: Rates,
) -> PolarTruth:  # fmt: skip
    """Count the days `between`, both included, of what happened by `now`.

    Raises zoneinfo.ZoneInfoNotFoundError for an unknown zone.
    """
    first, last = between
    days = Days(ZoneInfo(timezone))
    walk = _Walk(ledger, days, rates)
    today = days.of(now)
    began = min(walk.began or first, first)
    rows = [
        walk.day(day, complete=day < today) for day in each_day(began, max(today, last))
    ]
    standing = next(row for row in rows if row.date == today)
    return PolarTruth(
        currency="usd",
        timezone=timezone,
        as_of=datetime.fromtimestamp(now, UTC),
        mrr=standing.mrr,
        active_subscriptions=standing.active_subscriptions,
        days=tuple(row for row in rows if first <= row.date <= last),
    )


def _is_first(step: Step) -> bool:
    """Return whether a subscription was created by a step."""
    if step.kind == "trial_began":
        return True
    return step.kind == "began_to_pay" and not step.after_trial


def _asked_for_good(steps: list[Step]) -> dict[str, int]:
    """Return when each subscription's end was asked for and not taken back."""
    asked: dict[str, int] = {}
    for step in steps:
        if step.kind == "end_asked":
            asked[step.subscription] = step.at
        elif step.kind == "end_taken_back":
            asked.pop(step.subscription, None)
    return asked
