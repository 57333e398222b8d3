"""RevenueCat's own figures, by its definitions, from the purchases it keeps.

Charts v3: a UTC day; money gross of fees and tax; a refund on the day it was given; an
expiry and a renewal are counted apart and shown netted ("churned, net of
resubscriptions"); a change of product ends one subscription and begins another one.
Charts v2: a refund takes the money from the day of the purchase; a change of product is
neither new nor churned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from opseer_simulator.channels.rates import Rates
from opseer_simulator.revenuecat.app import (
    CHANGE,
    CONVERSION,
    DIRECT,
    TRIAL,
    Purchase,
)
from opseer_simulator.timeline import DAY

_NEW = frozenset({DIRECT, CONVERSION, CHANGE})


@dataclass(slots=True)
class Tally:
    """What happened in a time; money in exact minor units of the asked currency."""

    revenue: Fraction = Fraction(0)
    transactions: int = 0
    refunded: int = 0
    new_mrr: Fraction = Fraction(0)
    expired_mrr: Fraction = Fraction(0)
    renewed_mrr: Fraction = Fraction(0)
    conversions: int = 0
    direct: int = 0
    expired: int = 0
    renewed: int = 0
    trials_new: int = 0
    trials_ended: int = 0
    customers_new: int = 0
    back: int = 0
    back_mrr: Fraction = Fraction(0)
    lapsed: int = 0
    lapsed_mrr: Fraction = Fraction(0)
    expansion: Fraction = Fraction(0)
    contraction: Fraction = Fraction(0)

    def add(self, other: Tally) -> None:
        """Add what happened in another time."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def new(self) -> int:
        """Subscriptions that were paid for the first time."""
        return self.conversions + self.direct

    @property
    def churned(self) -> int:
        """Expired subscriptions net of those that went on; may be negative."""
        return self.expired - self.renewed

    @property
    def churned_mrr(self) -> Fraction:
        """MRR that expired net of what went on; may be negative."""
        return self.expired_mrr - self.renewed_mrr


@dataclass(slots=True)
class Period:
    """A period: what happened in it, and what stood at its beginning and end."""

    start: int
    complete: bool
    flow: Tally
    mrr: Fraction
    actives: int
    actives_before: int
    trials: int


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the currency, the stores (None = all), v3 or v2."""

    currency: str = "usd"
    places: frozenset[str] | None = None
    realtime: bool = True


@dataclass(slots=True)
class Figures:
    """The tallies of UTC days (numbered from 1970 on) up to an instant."""

    question: Question
    now: int
    rates: Rates
    days: dict[int, Tally] = field(default_factory=dict)

    @classmethod
    def of(
        cls, purchases: Iterable[Purchase], question: Question, now: int, rates: Rates
    ) -> Figures:
        """Tally the purchases up to `now`."""
        figures = cls(question, now, rates)
        places = question.places
        kept = [p for p in purchases if places is None or p.place in places]
        customers: set[str] = set()
        for purchase in kept:
            figures._tally(purchase)
            if purchase.customer not in customers:
                customers.add(purchase.customer)
                figures._day(purchase.at).customers_new += 1
        figures._tell_apart(kept)
        return figures

    def periods(self, starts: list[int]) -> list[Period]:
        """Return the periods that begin at these days; the last start ends the last."""
        first = min([starts[0], *self.days])
        mrr, actives, trials, place, result = Fraction(0), 0, 0, 0, []
        flow, before = Tally(), 0
        for day in range(first, starts[-1]):
            if day == starts[place]:
                flow, before = Tally(), actives
            tally = self.days.get(day, Tally())
            flow.add(tally)
            mrr += tally.new_mrr - tally.churned_mrr
            actives += tally.new - tally.churned
            trials += tally.trials_new - tally.trials_ended
            if day + 1 == starts[place + 1] and day >= starts[0]:
                start, end = starts[place], starts[place + 1]
                complete = end * DAY <= self.now
                result.append(
                    Period(start * DAY, complete, flow, mrr, actives, before, trials)
                )
                place += 1
        return result

    def _day(self, at: int) -> Tally:
        return self.days.setdefault(at // DAY, Tally())

    def _tally(self, purchase: Purchase) -> None:
        rate = self.rates.at(self.question.currency, purchase.at)
        self._tally_money(purchase, rate)
        if purchase.kind == TRIAL:
            self._day(purchase.at).trials_new += 1
            if purchase.ends is not None and purchase.ends <= self.now:
                self._day(purchase.ends).trials_ended += 1
        if not purchase.is_paid_time:
            return
        monthly = purchase.monthly / rate
        self._tally_start(purchase, monthly)
        if purchase.ends is not None and purchase.ends <= self.now:
            end = self._day(purchase.ends)
            end.expired += 1
            end.expired_mrr += monthly

    def _tell_apart(self, purchases: Iterable[Purchase]) -> None:
        """Tally what the netted figures hide: who left, who came back, what grew."""
        before: dict[str, tuple[Purchase, Fraction]] = {}
        for purchase in purchases:
            if not purchase.is_paid_time:
                continue
            worth = purchase.monthly / self.rates.at(
                self.question.currency, purchase.at
            )
            earlier = before.get(purchase.subscription)
            if earlier is not None:
                self._went_on(*earlier, purchase, worth)
            before[purchase.subscription] = (purchase, worth)
        for last, worth in before.values():
            self._lapsed(last, worth)

    def _went_on(
        self, earlier: Purchase, before: Fraction, purchase: Purchase, worth: Fraction
    ) -> None:
        """Tally what a subscription's next period is to the one before."""
        day = self._day(purchase.at)
        if purchase.kind in _NEW:
            self._lapsed(earlier, before)
        elif earlier.ends != purchase.at:
            self._lapsed(earlier, before)
            day.back += 1
            day.back_mrr += worth
        elif worth > before:
            day.expansion += worth - before
        else:
            day.contraction += before - worth

    def _lapsed(self, purchase: Purchase, worth: Fraction) -> None:
        if purchase.ends is not None and purchase.ends <= self.now:
            day = self._day(purchase.ends)
            day.lapsed += 1
            day.lapsed_mrr += worth

    def _tally_money(self, purchase: Purchase, rate: Fraction) -> None:
        day = self._day(purchase.at)
        if purchase.amount:
            day.revenue += purchase.usd / rate
            day.transactions += 1
        if purchase.refunded_at is not None and purchase.refunded_at <= self.now:
            when = purchase.refunded_at if self.question.realtime else purchase.at
            self._day(when).revenue -= purchase.refunded_usd / rate
            day.refunded += 1

    def _tally_start(self, purchase: Purchase, monthly: Fraction) -> None:
        day = self._day(purchase.at)
        if purchase.kind not in _NEW or (
            purchase.kind == CHANGE and not self.question.realtime
        ):
            day.renewed += 1
            day.renewed_mrr += monthly
            return
        day.new_mrr += monthly
        if purchase.kind == CONVERSION:
            day.conversions += 1
        else:
            day.direct += 1
