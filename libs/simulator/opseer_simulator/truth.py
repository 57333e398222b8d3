"""The truth about the company, counted from its ledger and nothing else.

Days are local days of an IANA zone, money is minor units of the settlement currency
where nothing else is said. The rules are the reader's: refunds on their own day, a
bank debit that bounces lowers the day it bounces. MRR is in `mrr_truth.py`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from opseer_simulator.bulk import NO_BULK, Bulk
from opseer_simulator.catalogue import CURRENCY
from opseer_simulator.ledger import Entry, Ledger, Worth
from opseer_simulator.mrr_truth import Movement, MrrDay, Rates, Standing

__all__ = ["Movement", "Truth", "TruthDay", "count_truth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthDay:
    """One local day.

    `mrr` and `active_subscriptions` (those worth more than zero) stand at its end, or
    at `as_of` for the day under way. `new_subs` and `churned_subs` count the
    subscriptions behind `new` and `churned`; one that came and went within the day
    counts in both. mrr = the day before's + net + `fx`. `native` is MRR by currency,
    `unconverted` the part of it without a rate, which is not in `mrr`.
    `net_by_currency` is net revenue by currency of the balance, converted as a whole
    in the amounts; `revenue_unconverted` the part of it without a rate.
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
    fx: int = 0
    native: dict[str, int] = field(default_factory=dict)
    unconverted: dict[str, int] = field(default_factory=dict)
    net_by_currency: dict[str, int] = field(default_factory=dict)
    revenue_unconverted: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The days from `first` to `last`, ascending, and MRR at `as_of`.

    `usage_mrr` and `mrr_stripe_comparable` are its parts, `at_risk_mrr` the part that
    is past due; `trial_mrr` is outside of it, `committed_mrr` without those whose end
    is asked for.
    """

    timezone: str
    currency: str
    as_of: datetime
    mrr: int
    active_subscriptions: int
    days: tuple[TruthDay, ...]
    native: dict[str, int] = field(default_factory=dict)
    unconverted: dict[str, int] = field(default_factory=dict)
    usage_mrr: int = 0
    at_risk_mrr: int = 0
    trial_mrr: int = 0
    committed_mrr: int = 0
    mrr_stripe_comparable: int = 0


@dataclass(frozen=True, slots=True)
class _Days:
    """Local days up to an instant."""

    zone: ZoneInfo
    as_of: int

    def of(self, at: int) -> date:
        """Return the day of a unix second."""
        return datetime.fromtimestamp(at, self.zone).date()

    def start(self, day: date) -> int:
        """Return the unix second at which a day begins."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return int(midnight.timestamp())

    def end(self, day: date) -> int:
        """Return the second after a day's last one, at most the one after `as_of`."""
        return min(self.start(day + timedelta(days=1)), self.as_of + 1)


def count_truth(
    ledger: Ledger,
    timezone: str,
    first: date,
    last: date,
    as_of: int,
    bulk: Bulk = NO_BULK,
) -> Truth:
    """Count the days `first` to `last`, both included, of what happened by `as_of`.

    `as_of` is a unix second; nothing in the ledger may be later.
    """
    days = _Days(ZoneInfo(timezone), as_of)
    rates = Rates(ledger.rates, CURRENCY)
    money = _Money(ledger, days, rates, bulk)
    mrr = dict(_walk(ledger.worths, rates, days, max(last, days.of(as_of))))
    now = mrr.get(days.of(as_of), MrrDay())
    rows = []
    day = first
    while day <= last:
        rows.append(money.day(day, mrr.get(day, MrrDay())))
        day += timedelta(days=1)
    return Truth(
        timezone=timezone,
        currency=CURRENCY,
        as_of=datetime.fromtimestamp(as_of, UTC),
        mrr=now.mrr,
        active_subscriptions=now.active,
        days=tuple(rows),
        native=now.native,
        unconverted=now.unconverted,
        **_parts(ledger, rates, as_of + 1, now.mrr),
    )


class _Money:
    """The money of the ledger by local day."""

    def __init__(self, ledger: Ledger, days: _Days, rates: Rates, bulk: Bulk) -> None:
        self._days = days
        self._rates = rates
        self._bulk = bulk
        self._sales = _by_day(ledger.sales, days.of)
        self._uncaptured = _by_day(ledger.uncaptured, days.of)
        self._refunds = _by_day(ledger.refunds, days.of)
        self._returned = _by_day(ledger.returned, days.of)
        self._bounces = _by_day(ledger.bounces, days.of)
        self._declines = _by_day(ledger.declines, days.of)
        self._disputes = _by_day(ledger.disputes, days.of)

    def day(self, day: date, mrr: MrrDay) -> TruthDay:
        """Return one day's row."""
        end = self._days.end(day)
        many = self._bulk.between(self._days.start(day), end)
        charged = _sum(self._sales[day])
        for less in (self._uncaptured[day], self._bounces[day]):
            _add(charged, less, -1)
        refunded = _sum(self._refunds[day])
        _add(refunded, self._returned[day], -1)
        charged[CURRENCY] = charged.get(CURRENCY, 0) + many.charged
        refunded[CURRENCY] = refunded.get(CURRENCY, 0) + many.refunded
        net = _sum([])
        for currency in {*charged, *refunded}:
            left = charged.get(currency, 0) - refunded.get(currency, 0)
            if left or charged.get(currency):
                net[currency] = left
        charges = self._rates.total(charged, end)
        refunds = self._rates.total(refunded, end)
        failed = len(self._declines[day]) + len(self._bounces[day])
        return TruthDay(
            date=day,
            charges_count=len(self._sales[day]) + many.charges,
            charges_amount=charges,
            refunds_count=len(self._refunds[day]) + many.refunds,
            refunds_amount=refunds,
            net_revenue=charges - refunds,
            failed_payments=failed + many.declines,
            disputes=len(self._disputes[day]),
            mrr=mrr.mrr,
            active_subscriptions=mrr.active,
            grain_subscription=mrr.subscriptions,
            grain_customer=mrr.customers,
            new_subs=mrr.new_subs,
            churned_subs=mrr.churned_subs,
            fx=mrr.fx,
            native=mrr.native,
            unconverted=mrr.unconverted,
            net_by_currency=net,
            revenue_unconverted={
                currency: amount
                for currency, amount in net.items()
                if self._rates.before(currency, end) is None
            },
        )


def _by_day(
    entries: Iterable[Entry], day_of: Callable[[int], date]
) -> defaultdict[date, list[Entry]]:
    days: defaultdict[date, list[Entry]] = defaultdict(list)
    for entry in entries:
        days[day_of(entry.at)].append(entry)
    return days


def _sum(entries: Iterable[Entry]) -> dict[str, int]:
    sums: dict[str, int] = {}
    _add(sums, entries, 1)
    return sums


def _add(sums: dict[str, int], entries: Iterable[Entry], sign: int) -> None:
    for entry in entries:
        sums[entry.currency] = sums.get(entry.currency, 0) + sign * entry.amount


def _walk(
    worths: list[Worth], rates: Rates, days: _Days, last: date
) -> Iterator[tuple[date, MrrDay]]:
    """Yield each day from the first worth on."""
    if not worths:
        return
    standing = Standing(rates)
    day, place = days.of(worths[0].at), 0
    while day <= last:
        end = days.end(day)
        until = bisect_left(worths, end, lo=place, key=lambda w: w.at)
        yield day, standing.live(worths[place:until], end)
        day, place = day + timedelta(days=1), until


def _parts(ledger: Ledger, rates: Rates, end: int, mrr: int) -> dict[str, int]:
    """Return the parts of MRR at the end of the ledger, and what stands beside it."""
    worth = {each.subscription: each for each in ledger.worths}
    stands = {each.subscription: each for each in ledger.standings}
    sums: dict[str, dict[str, int]] = {
        name: {} for name in ("licensed", "at_risk", "trial", "ending")
    }

    def grow(name: str, currency: str, amount: Fraction) -> None:
        sums[name][currency] = sums[name].get(currency, 0) + round(amount)

    for sub_id, each in worth.items():
        grow("licensed", each.currency, each.monthly - each.usage)
        stood = stands.get(sub_id)
        if stood is not None and stood.past_due:
            grow("at_risk", each.currency, each.monthly)
        if stood is not None and stood.ending:
            grow("ending", each.currency, each.monthly)
    for stood in stands.values():
        grow("trial", stood.currency, stood.trial)
    native: dict[str, int] = {}
    for each in worth.values():
        native[each.currency] = native.get(each.currency, 0) + round(each.monthly)
    committed = {c: amount - sums["ending"].get(c, 0) for c, amount in native.items()}
    licensed = rates.total(sums["licensed"], end)
    return {
        "usage_mrr": mrr - licensed,
        "mrr_stripe_comparable": licensed,
        "at_risk_mrr": rates.total(sums["at_risk"], end),
        "trial_mrr": rates.total(sums["trial"], end),
        "committed_mrr": rates.total(committed, end),
    }
