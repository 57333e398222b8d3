"""The shop as a business: orders, subscriptions, refunds.

The records are what Polar keeps: `Order`, `Subscription`, `Refunded`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import msgspec

from opseer_simulator.catalogue import months_later
from opseer_simulator.channels.ledger import Kind, Refund, Sale, Step, Worth
from opseer_simulator.channels.trade import Trade
from opseer_simulator.timeline import DAY, HOUR, Deck

PLACE = "polar"
TRIAL_DAYS = 14

RENEWALS = {"paid": 40, "late": 2, "lost": 1}
_WEEKS = Fraction(52, 12)
_FEE_PERCENT = 4
_FEE_FIXED = 40
_TAX_PERCENT = {"usd": 0, "eur": 19}
_GIVES_UP = 4 * DAY

Reason = Literal[
    "purchase", "subscription_create", "subscription_cycle", "subscription_update"
]


class Item(msgspec.Struct, frozen=True):
    """A product: prices in minor units by currency, and how often it is paid."""

    id: str
    name: str
    prices: dict[str, int]
    interval: Literal["week", "month", "year"] | None = None

    def next(self, at: int) -> int:
        """Return the end of a period that begins at `at`."""
        if self.interval == "week":
            return at + 7 * DAY
        return months_later(at, 12 if self.interval == "year" else 1)

    def monthly(self, amount: int) -> Fraction:
        """Return what an amount each interval is a month."""
        match self.interval:
            case "week":
                return amount * _WEEKS
            case "year":
                return Fraction(amount, 12)
            case _:
                return Fraction(amount)


class Buyer(msgspec.Struct, frozen=True):
    """A customer, who pays in one currency."""

    id: str
    created: int
    name: str
    email: str
    currency: str


class Subscription(msgspec.Struct, kw_only=True):
    """A subscription; `amount` is its price after the discount.

    `stages` are what it was worth a month and from when on, in its own currency.
    """

    id: str
    buyer: Buyer
    item: Item
    created: int
    amount: int
    discounted: bool
    period_start: int
    period_end: int
    trial_end: int | None = None
    canceled_at: int | None = None
    ends_at: int | None = None
    ended_at: int | None = None
    past_due_at: int | None = None
    why: str | None = None
    stages: list[tuple[int, Fraction]] = msgspec.field(default_factory=list)

    def is_trial(self, at: int) -> bool:
        """Return whether it is in its trial at a second."""
        return self.trial_end is not None and at < self.trial_end


class Order(msgspec.Struct, kw_only=True):
    """A bill, on the day it was created; `usd` is its net amount in US cents.

    It is unpaid while `paid_at` is None, and for ever when `void`.
    """

    id: str
    number: int
    at: int
    buyer: Buyer
    item: Item
    subscription: Subscription | None
    reason: Reason
    subtotal: int
    discount: int
    tax: int
    usd: int
    paid_at: int | None = None
    void: bool = False
    refunded: int = 0
    refunded_tax: int = 0
    refunded_usd: int = 0

    @property
    def net(self) -> int:
        """The amount after the discount and before tax."""
        return self.subtotal - self.discount


class Refunded(msgspec.Struct, kw_only=True):
    """Money given back, or a try to: `amount` before tax, in the order's currency."""

    id: str
    at: int
    order: Order
    amount: int
    tax: int
    reason: str
    disputed: bool
    status: Literal["pending", "succeeded", "failed"] = "pending"
    changed_at: int | None = None


def fee_of(usd: int) -> int:
    """Return Polar's fee for an order, in US cents."""
    return (_FEE_PERCENT * usd + 50) // 100 + _FEE_FIXED


class Shop(Trade):
    """A shop. Nobody comes by itself: see `stories.py`.

    `renewals` is the deck that decides how a renewal is paid: `paid` at once, `late`
    or `lost`.
    """

    def __init__(
        self, seed: int, opened: int, size: int, renewals: dict[str, int] = RENEWALS
    ) -> None:
        super().__init__(seed, opened, size)
        self.organization = self.new_uuid("organization")
        self.discount = self.new_uuid("discount")
        self.orders: list[Order] = []
        self.subscriptions: list[Subscription] = []
        self.refunds: list[Refunded] = []
        self._sales: dict[str, Sale] = {}
        self._renewals = Deck(self.rng, renewals)

    def subscribe(
        self, at: int, buyer: Buyer, item: Item, *, trial: bool, discounted: bool
    ) -> Subscription:
        """Begin a subscription, with a trial or paid at once."""
        price = item.prices[buyer.currency]
        end = at + TRIAL_DAYS * DAY if trial else item.next(at)
        sub = Subscription(
            id=self.new_uuid("subscription"),
            buyer=buyer,
            item=item,
            created=at,
            amount=price - price // 5 if discounted else price,
            discounted=discounted,
            period_start=at,
            period_end=end,
            trial_end=end if trial else None,
        )
        self.subscriptions.append(sub)
        self._step(at, "trial_began" if trial else "began_to_pay", sub)
        if not trial:
            self._bill_period(at, sub, "subscription_create")
            self._worth(at, sub)
        self._plan_end(sub)
        return sub

    def buy(self, at: int, buyer: Buyer, item: Item) -> Order:
        """Sell something that is paid once."""
        order = self._bill(at, buyer, item, None, "purchase")
        self._pay(at, order)
        return order

    def cancel_at_end(self, at: int, sub: Subscription, why: str) -> None:
        """Ask for the end at the end of the present period."""
        if sub.ended_at is None and sub.canceled_at is None:
            sub.canceled_at, sub.ends_at, sub.why = at, sub.period_end, why
            self._step(at, "end_asked", sub)

    def uncancel(self, at: int, sub: Subscription) -> None:
        """Take the wish to end back."""
        if sub.ended_at is None and sub.canceled_at is not None:
            sub.canceled_at = sub.ends_at = sub.why = None
            self._step(at, "end_taken_back", sub)

    def revoke(self, at: int, sub: Subscription, why: str) -> None:
        """End a subscription at once."""
        if sub.ended_at is None:
            if sub.canceled_at is None:
                sub.canceled_at, sub.why = at, why
                self._step(at, "end_asked", sub)
            self._end(at, sub)

    def move(self, at: int, sub: Subscription, item: Item) -> None:
        """Change a subscription's product; the difference is billed at once."""
        if sub.ended_at is not None or sub.is_trial(at) or sub.past_due_at:
            return
        before, price = sub.amount, item.prices[sub.buyer.currency]
        sub.item = item
        sub.amount = price - price // 5 if sub.discounted else price
        order = self._bill(at, sub.buyer, item, sub, "subscription_update")
        order.subtotal, order.discount = max(sub.amount - before, 0), 0
        self._value(order)
        self._pay(at, order)
        self._worth(at, sub)
        sub.period_start, sub.period_end = at, item.next(at)
        self._plan_end(sub)

    def give_back(
        self, at: int, order: Order, part: int | None, reason: str
    ) -> Refunded | None:
        """Begin a refund of an order, of the whole or a part of its net amount."""
        if order.paid_at is None or order.refunded or not order.net:
            return None
        amount = order.net if part is None else part
        refund = Refunded(
            id=self.new_uuid("refund"),
            at=at,
            order=order,
            amount=amount,
            tax=order.tax * amount // order.net,
            reason=reason,
            disputed=reason == "dispute_prevention",
        )
        self.refunds.append(refund)
        return refund

    def settle(self, at: int, refund: Refunded, *, succeeded: bool) -> None:
        """End a refund: the money was given back, or could not be."""
        refund.changed_at = at
        refund.status = "succeeded" if succeeded else "failed"
        if not succeeded:
            return
        order, sale = refund.order, self._sales[refund.order.id]
        usd = round(Fraction(order.usd * refund.amount, order.net))
        order.refunded += refund.amount
        order.refunded_tax += refund.tax
        order.refunded_usd += usd
        self.ledger.refunds.append(
            Refund(refund.at, sale, refund.amount, Fraction(usd))
        )

    def _bill_period(self, at: int, sub: Subscription, reason: Reason) -> None:
        """Bill a period and let the payment go as it may."""
        order = self._bill(at, sub.buyer, sub.item, sub, reason)
        fate = "paid" if reason == "subscription_create" else self._renewals.draw()
        if fate == "paid":
            self._pay(at, order)
            return
        sub.past_due_at = at
        if fate == "late":
            then = at + self.rng.randrange(HOUR, 3 * DAY)
            self.plan(then, lambda t: self._pay_late(t, order, sub))
            return
        self.plan(at + _GIVES_UP, lambda t: self._give_up(t, order, sub))

    def _bill(
        self,
        at: int,
        buyer: Buyer,
        item: Item,
        sub: Subscription | None,
        reason: Reason,
    ) -> Order:
        price = item.prices[buyer.currency]
        discount = price - sub.amount if sub is not None else 0
        order = Order(
            id=self.new_uuid("order"),
            number=len(self.orders) + 1,
            at=at,
            buyer=buyer,
            item=item,
            subscription=sub,
            reason=reason,
            subtotal=price,
            discount=discount,
            tax=0,
            usd=0,
        )
        self._value(order)
        self.orders.append(order)
        return order

    def _value(self, order: Order) -> None:
        """Set what an order is worth and taxed with."""
        currency = order.buyer.currency
        order.tax = order.net * _TAX_PERCENT[currency] // 100
        order.usd = round(order.net * self.rates.at(currency, order.at))

    def _pay(self, at: int, order: Order) -> None:
        order.paid_at = at
        sale = Sale(
            order.at,
            order.id,
            order.net,
            order.buyer.currency,
            Fraction(order.usd),
            PLACE,
        )
        self._sales[order.id] = sale
        self.ledger.sales.append(sale)

    def _pay_late(self, at: int, order: Order, sub: Subscription) -> None:
        if sub.ended_at is None:
            sub.past_due_at = None
            self._pay(at, order)
        else:
            order.void = True

    def _give_up(self, at: int, order: Order, sub: Subscription) -> None:
        order.void = True
        self.revoke(at, sub, "other")

    def _plan_end(self, sub: Subscription) -> None:
        end = sub.period_end
        self.plan(end, lambda at: self._cycle(at, sub, end))

    def _cycle(self, at: int, sub: Subscription, end: int) -> None:
        """Renew a subscription at the end of its period, or end it."""
        if sub.ended_at is not None or sub.period_end != end:
            return
        if sub.ends_at is not None:
            self._end(at, sub)
            return
        sub.period_start, sub.period_end = at, sub.item.next(at)
        if sub.trial_end == at:
            step = Step(at, "began_to_pay", sub.id, PLACE, after_trial=True)
            self.ledger.steps.append(step)
            self._worth(at, sub)
        self._bill_period(at, sub, "subscription_cycle")
        self._plan_end(sub)

    def _end(self, at: int, sub: Subscription) -> None:
        sub.ended_at = at
        sub.ends_at = sub.ends_at or at
        paid = not sub.is_trial(at) and bool(sub.stages)
        self._step(at, "ended", sub, paid=paid)
        if sub.stages:
            self._note_worth(at, sub, Fraction(0))

    def _worth(self, at: int, sub: Subscription) -> None:
        monthly = sub.item.monthly(sub.amount)
        sub.stages.append((at, monthly))
        self._note_worth(at, sub, monthly)

    def _note_worth(self, at: int, sub: Subscription, monthly: Fraction) -> None:
        currency = sub.buyer.currency
        usd = monthly * self.rates.at(currency, at)
        self.ledger.worths.append(Worth(at, sub.id, monthly, currency, usd, PLACE))

    def _step(
        self, at: int, kind: Kind, sub: Subscription, *, paid: bool = True
    ) -> None:
        self.ledger.steps.append(Step(at, kind, sub.id, PLACE, paid))
