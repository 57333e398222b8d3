"""The iOS app as a business: who buys what, renews, leaves, comes back, is refunded.

The store's records are the `Purchase`s, one for each period that was paid or tried.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec

from opseer_simulator.catalogue import months_later
from opseer_simulator.channels.ledger import Kind, Refund, Sale, Step, Worth
from opseer_simulator.channels.trade import Trade
from opseer_simulator.timeline import DAY, Deck

APP_STORE = "app_store"

TRIAL = "trial"
DIRECT = "direct"
CONVERSION = "conversion"
CHANGE = "change"
RENEWAL = "renewal"
BACK = "back"
ONE_TIME = "one_time"

_TRIAL_DAYS = 7
RENEWALS = {"paid": 60, "late": 2, "lost": 1}


class Product(msgspec.Struct, frozen=True):
    """A thing on sale: prices in minor units by currency, and how long it lasts.

    `monthly` is what a period counts for a month: a week four times, a year a twelfth.
    No days and no months: bought once.
    """

    id: str
    prices: dict[str, int]
    days: int = 0
    months: int = 0
    monthly: Fraction = Fraction(0)

    def ends(self, at: int) -> int:
        """Return the second at which a period that begins at `at` ends."""
        return months_later(at, self.months) if self.months else at + self.days * DAY


WEEKLY = Product(
    "premium_weekly",
    {"usd": 299, "eur": 349, "jpy": 450},
    days=7,
    monthly=Fraction(4),
)
MONTHLY = Product(
    "premium_monthly",
    {"usd": 999, "eur": 1099, "jpy": 1500},
    months=1,
    monthly=Fraction(1),
)
ANNUAL = Product(
    "premium_annual",
    {"usd": 5999, "eur": 6499, "jpy": 9000},
    months=12,
    monthly=Fraction(1, 12),
)
LIFETIME = Product("premium_lifetime", {"usd": 14_999, "eur": 15_999, "jpy": 22_000})
COINS = Product("coins_100", {"usd": 499, "eur": 549, "jpy": 800})


class Purchase(msgspec.Struct, kw_only=True):
    """A period of a subscription, or a thing bought once, as the store has it.

    `ends` is when its access ends: at its expiry, or earlier by a refund or a change
    of product; None = never. `usd` is its price in exact US cents, 0 of a trial.
    """

    id: str
    subscription: str
    customer: str
    product: Product
    kind: str
    at: int
    ends: int | None
    currency: str
    amount: int
    usd: Fraction
    place: str = APP_STORE
    refunded_at: int | None = None
    refunded_usd: Fraction = Fraction(0)

    @property
    def monthly(self) -> Fraction:
        """What it counts for MRR while it lasts, exact US cents."""
        return self.usd * self.product.monthly

    @property
    def is_paid_time(self) -> bool:
        """Whether it is a paid period of a subscription."""
        return self.kind not in {TRIAL, ONE_TIME}


class Member(msgspec.Struct):
    """A subscription: its newest period, and whether it is to be renewed."""

    id: str
    customer: str
    product: Product
    currency: str
    period: Purchase
    renews: bool = True


class App(Trade):
    """An app with subscribers. Nobody comes by itself: see `stories.py`.

    `renewals` is the deck that decides how a renewal is paid: `paid` at once, `late`
    or `lost`.
    """

    def __init__(
        self, seed: int, opened: int, size: int, renewals: dict[str, int] = RENEWALS
    ) -> None:
        super().__init__(seed, opened, size)
        self.purchases: list[Purchase] = []
        self.members: dict[str, Member] = {}
        self._renewals = Deck(self.rng, renewals)

    def subscribe(
        self, at: int, customer: str, product: Product, currency: str, kind: str
    ) -> Member:
        """Begin a subscription: directly, with a trial, or by a change of product."""
        sub_id = self.new_id("sub")
        period = self._buy(at, sub_id, customer, product, currency, kind)
        member = Member(sub_id, customer, product, currency, period)
        self.members[sub_id] = member
        if kind == TRIAL:
            self._step(at, "trial_began", member, paid=False)
        else:
            self._step(at, "began_to_pay", member)
            self._worth(at, member, period)
        return member

    def buy_once(self, at: int, customer: str, product: Product, currency: str) -> None:
        """Sell something that is bought once."""
        self._buy(at, "", customer, product, currency, ONE_TIME)

    def stop_renewal(self, member: Member) -> None:
        """Let a subscription end with its present period."""
        member.renews = False

    def change(self, at: int, member: Member, product: Product) -> None:
        """End a subscription and begin another one at once, of another product."""
        if not self._lasts(member, at):
            return
        self._end(at, member)
        self.subscribe(at, member.customer, product, member.currency, CHANGE)

    def come_back(self, at: int, member: Member) -> None:
        """Subscribe again to the same product some time after the end."""
        if not self._lasts(member, at):
            member.renews = True
            self._go_on(at, member, BACK)

    def refund(self, at: int, purchase: Purchase, part: int | None = None) -> None:
        """Give the price back, or a part of it; a whole refund ends the access."""
        if purchase.refunded_at is not None or not purchase.amount:
            return
        amount = part or purchase.amount
        share = Fraction(amount, purchase.amount)
        purchase.refunded_at = at
        purchase.refunded_usd = purchase.usd * share
        sale = next(s for s in reversed(self.ledger.sales) if s.id == purchase.id)
        self.ledger.refunds.append(Refund(at, sale, amount, sale.usd * share))
        member = self.members.get(purchase.subscription)
        if part is None and member is not None and member.period is purchase:
            if self._lasts(member, at):
                self._end(at, member)
            member.renews = False

    def last_purchase(self) -> Purchase:
        """Return the newest purchase."""
        return self.purchases[-1]

    def _buy(
        self,
        at: int,
        sub_id: str,
        customer: str,
        product: Product,
        currency: str,
        kind: str,
    ) -> Purchase:
        amount = 0 if kind == TRIAL else product.prices[currency]
        ends = at + _TRIAL_DAYS * DAY if kind == TRIAL else product.ends(at)
        purchase = Purchase(
            id=self.new_id("txn"),
            subscription=sub_id,
            customer=customer,
            product=product,
            kind=kind,
            at=at,
            ends=None if kind == ONE_TIME else ends,
            currency=currency,
            amount=amount,
            usd=amount * self.rates.at(currency, at),
        )
        self.purchases.append(purchase)
        if amount:
            sale = Sale(at, purchase.id, amount, currency, purchase.usd, APP_STORE)
            self.ledger.sales.append(sale)
        if purchase.ends is not None:
            self.plan(purchase.ends, lambda then: self._expire(then, sub_id, purchase))
        return purchase

    def _expire(self, at: int, sub_id: str, period: Purchase) -> None:
        """Renew a subscription at the end of a period, now or late, or end it."""
        member = self.members[sub_id]
        if member.period is not period or period.ends != at:
            return
        fate = self._renewals.draw() if member.renews else "leaves"
        if fate == "paid" or (period.kind == TRIAL and member.renews):
            kind = CONVERSION if period.kind == TRIAL else RENEWAL
            self._go_on(at, member, kind)
            return
        self._end(at, member)
        if fate == "late":
            then = self.later(at, 1, 7)
            self.plan(then, lambda t: self._go_on(t, member, RENEWAL))

    def _go_on(self, at: int, member: Member, kind: str) -> None:
        """Buy the next period of a subscription."""
        before = member.period
        member.period = self._buy(
            at, member.id, member.customer, member.product, member.currency, kind
        )
        if kind == CONVERSION:
            self._step(at, "began_to_pay", member)
        elif before.ends != at:
            self._step(at, "back", member)
        self._worth(at, member, member.period)

    def _end(self, at: int, member: Member) -> None:
        period = member.period
        period.ends = at
        self._step(at, "ended", member, paid=period.is_paid_time)
        if period.is_paid_time:
            self.ledger.worths.append(
                Worth(at, member.id, Fraction(0), "usd", Fraction(0), APP_STORE)
            )

    def _lasts(self, member: Member, at: int) -> bool:
        ends = member.period.ends
        return ends is not None and ends > at

    def _worth(self, at: int, member: Member, period: Purchase) -> None:
        factor = period.product.monthly
        self.ledger.worths.append(
            Worth(
                at,
                member.id,
                period.amount * factor,
                period.currency,
                period.usd * factor,
                APP_STORE,
            )
        )

    def _step(self, at: int, kind: Kind, member: Member, *, paid: bool = True) -> None:
        self.ledger.steps.append(Step(at, kind, member.id, APP_STORE, paid))
