"""MRR of each day out of the ledger: snapshots, what moved them, exchange.

One rounding per subscription, half to even, in its own currency. A currency's total is
converted as a whole at the day's rate and rounded once; what it moved by is shared
among the day's changes by largest remainder; the rest of the snapshot's change is
exchange (`fx`). A currency without a rate stands apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from opseer_simulator.fx import MILLION
from opseer_simulator.ledger import PaidRate, Worth

_SAME = Fraction(1)


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
class MrrDay:
    """The end of a day; `native` and `unconverted` by currency, without zeros."""

    mrr: int = 0
    active: int = 0
    subscriptions: Movement = field(default_factory=Movement)
    customers: Movement = field(default_factory=Movement)
    new_subs: int = 0
    churned_subs: int = 0
    fx: int = 0
    native: dict[str, int] = field(default_factory=dict)
    unconverted: dict[str, int] = field(default_factory=dict)


class Rates:
    """What the newest payment before an instant was converted at."""

    def __init__(self, paid: Iterable[PaidRate], settlement: str) -> None:
        self.settlement = settlement
        self._by_currency: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for each in paid:
            if each.balance == settlement:
                self._by_currency[each.currency].append((each.at, each.rate))

    def before(self, currency: str, end: int) -> Fraction | None:
        """Return the rate of the newest payment before a unix second, or None."""
        if currency == self.settlement:
            return _SAME
        paid = self._by_currency.get(currency, [])
        place = bisect_left(paid, (end, 0))
        return Fraction(paid[place - 1][1], MILLION) if place else None

    def convert(self, currency: str, amount: int, end: int) -> int:
        """Return an amount at that rate, rounded half to even; 0 without one."""
        rate = self.before(currency, end)
        return 0 if rate is None else round(amount * rate)

    def total(self, amounts: dict[str, int], end: int) -> int:
        """Return the sum of amounts by currency, each converted as a whole."""
        return sum(self.convert(c, amount, end) for c, amount in amounts.items())


@dataclass(frozen=True, slots=True)
class _Change:
    subscription: str
    customer: str
    currency: str
    start: int
    end: int
    peak: int


class Standing:
    """What each subscription is worth at the end of a day."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._subs: dict[str, int] = {}
        self._native: dict[str, int] = {}
        self._paying: dict[str, int] = {}
        self._paid_before: set[str] = set()
        self._mrr = 0

    def live(self, worths: list[Worth], end: int) -> MrrDay:
        """Live one day that ends before the unix second `end`, and return it."""
        changes = self._changes(worths)
        opening = dict(self._native)
        pays = {c.customer: self._paying.get(c.customer, 0) > 0 for c in changes}
        back = {c for c, paid in pays.items() if not paid and c in self._paid_before}
        for change in changes:
            self._carry(change)
        settled = self._settle(changes, opening, end)
        subscriptions = _by_subscription(changes, settled, back)
        customers = self._by_customer(changes, settled, pays, back)
        mrr = self._rates.total(self._native, end)
        fx, self._mrr = mrr - self._mrr - subscriptions.net, mrr
        brief = [c for c in changes if c.start == c.end == 0 and c.peak > 0]
        native = {c: amount for c, amount in self._native.items() if amount}
        return MrrDay(
            mrr=mrr,
            active=sum(1 for value in self._subs.values() if value > 0),
            subscriptions=subscriptions,
            customers=customers,
            new_subs=sum(1 for c in changes if not c.start and c.end) + len(brief),
            churned_subs=sum(1 for c in changes if c.start and not c.end) + len(brief),
            fx=fx,
            native=native,
            unconverted={
                currency: amount
                for currency, amount in native.items()
                if self._rates.before(currency, end) is None
            },
        )

    def _changes(self, worths: list[Worth]) -> list[_Change]:
        """Net the day's worths per subscription."""
        by_sub: dict[str, list[Worth]] = {}
        for worth in worths:
            by_sub.setdefault(worth.subscription, []).append(worth)
        return [
            _Change(
                subscription=sub,
                customer=rows[-1].customer,
                currency=rows[-1].currency,
                start=self._subs.get(sub, 0),
                end=round(rows[-1].monthly),
                peak=max(round(row.monthly) for row in rows),
            )
            for sub, rows in sorted(by_sub.items())
        ]

    def _carry(self, change: _Change) -> None:
        self._subs[change.subscription] = change.end
        native = self._native.get(change.currency, 0)
        self._native[change.currency] = native + change.end - change.start
        step = (change.end > 0) - (change.start > 0)
        paying = self._paying.get(change.customer, 0)
        self._paying[change.customer] = paying + step
        if max(change.start, change.peak) > 0:
            self._paid_before.add(change.customer)

    def _settle(
        self, changes: list[_Change], opening: dict[str, int], end: int
    ) -> dict[str, int]:
        """Return each subscription's change in the settlement currency."""
        settled = {change.subscription: 0 for change in changes}
        for currency in {change.currency for change in changes}:
            rate = self._rates.before(currency, end)
            if rate is None:
                continue
            moved = [c for c in changes if c.currency == currency and c.start != c.end]
            whole = round(self._native[currency] * rate)
            whole -= round(opening.get(currency, 0) * rate)
            exact = [(c.end - c.start) * rate for c in moved]
            for change, share in zip(moved, _shared(whole, exact), strict=True):
                settled[change.subscription] = share
        return settled

    def _by_customer(
        self,
        changes: list[_Change],
        settled: dict[str, int],
        pays: dict[str, bool],
        back: set[str],
    ) -> Movement:
        nets: dict[str, int] = defaultdict(int)
        for change in changes:
            nets[change.customer] += settled[change.subscription]
        sums = _Sums()
        for customer, net in nets.items():
            pays_now = self._paying[customer] > 0
            if pays[customer] and pays_now:
                kind = "expansion" if net > 0 else "contraction"
            else:
                kind = "new" if pays_now else "churned"
            sums.add(kind, net, back=customer in back)
        return sums.movement()


class _Sums:
    """A movement while it is added up."""

    def __init__(self) -> None:
        self._sums = dict.fromkeys(("new", "expansion", "contraction", "churned"), 0)
        self._back = 0

    def add(self, kind: str, amount: int, *, back: bool) -> None:
        self._sums[kind] += amount
        self._back += amount if back and kind == "new" else 0

    def movement(self) -> Movement:
        return Movement(
            **self._sums,
            net=sum(self._sums.values()),
            of_which_reactivation=self._back,
        )


def _by_subscription(
    changes: list[_Change], settled: dict[str, int], back: set[str]
) -> Movement:
    sums = _Sums()
    for change in changes:
        if change.start == 0:
            kind = "new"
        elif change.end == 0:
            kind = "churned"
        else:
            kind = "expansion" if change.end > change.start else "contraction"
        amount = settled[change.subscription]
        sums.add(kind, amount, back=change.customer in back)
    return sums.movement()


def _shared(whole: int, exact: list[Fraction]) -> list[int]:
    """Share an amount by largest remainder; the first of equals goes first."""
    shares = [part.numerator // part.denominator for part in exact]
    left = whole - sum(shares)
    order = sorted(range(len(exact)), key=lambda i: shares[i] - exact[i])
    for place in order[: abs(left)]:
        shares[place] += 1 if left > 0 else -1
    return shares
