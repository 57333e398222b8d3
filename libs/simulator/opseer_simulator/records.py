"""The company's records: immutable, replaced as they change.

Money is minor units of the record's currency, times are unix seconds, ids are Stripe's.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from opseer_simulator.catalogue import CURRENCY, Coupon, Plan


class Discount(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon applied to a subscription, to one item of it, or to a customer.

    `end` is when a repeating one is over.
    """

    id: str
    created: int
    coupon: Coupon
    customer: str
    subscription: str | None
    item: str | None = None
    end: int | None = None


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who bought or tried something, and pays in `currency`."""

    id: str
    created: int
    name: str
    email: str
    invoice_prefix: str
    currency: str = CURRENCY
    discount: Discount | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a subscription; `seats` of a metered one mean nothing."""

    id: str
    created: int
    plan: Plan
    seats: int
    period_start: int
    period_end: int
    discounts: tuple[Discount, ...] = ()


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Collection is paused, until `resumes_at` if that is set."""

    behavior: str
    resumes_at: int | None


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription of one or more items.

    `plan`, `seats` and the period are those of the first item.
    """

    id: str
    created: int
    customer: str
    items: tuple[Item, ...]
    status: str
    anchor: int
    currency: str = CURRENCY
    discounts: tuple[Discount, ...] = ()
    latest_invoice: str | None = None
    trial_start: int | None = None
    trial_end: int | None = None
    cancel_at_period_end: bool = False
    cancel_at: int | None = None
    canceled_at: int | None = None
    ended_at: int | None = None
    cancel_reason: str | None = None
    pause: Pause | None = None

    @property
    def plan(self) -> Plan:
        """The first item's plan."""
        return self.items[0].plan

    @property
    def seats(self) -> int:
        """The first item's quantity."""
        return self.items[0].seats

    @property
    def period_start(self) -> int:
        """The begin of the first item's period."""
        return self.items[0].period_start

    @property
    def period_end(self) -> int:
        """The end of the first item's period."""
        return self.items[0].period_end

    @property
    def discount(self) -> Discount | None:
        """The first discount."""
        return self.discounts[0] if self.discounts else None

    @property
    def ends_at(self) -> int | None:
        """When it ends as asked; None where nobody asked."""
        return self.period_end if self.cancel_at_period_end else self.cancel_at

    def with_first(self, **terms: Any) -> Subscription:
        """Return it with other terms of its first item."""
        return replace(self, items=(replace(self.items[0], **terms), *self.items[1:]))


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an invoice; `amount` before `discounts`, (discount id, amount) each."""

    id: str
    amount: int
    discounts: tuple[tuple[str, int], ...]
    description: str
    item: str
    plan: Plan
    seats: int
    period_start: int
    period_end: int
    proration: bool

    @property
    def discount(self) -> int:
        """Everything taken off."""
        return sum(amount for _, amount in self.discounts)


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """A bill for a subscription; `total` after discounts."""

    id: str
    created: int
    number: str
    customer: Customer
    subscription: str
    reason: str
    lines: tuple[Line, ...]
    total: int
    status: str
    intent: str | None = None
    attempts: int = 0
    next_attempt: int | None = None
    finalized_at: int | None = None
    paid_at: int | None = None
    voided_at: int | None = None
    uncollectible_at: int | None = None
    currency: str = CURRENCY


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A payment being tried, perhaps several times."""

    id: str
    created: int
    customer: str
    amount: int
    method: str
    status: str
    description: str
    currency: str = CURRENCY
    manual: bool = False
    received: int = 0
    latest_charge: str | None = None
    decline: str | None = None


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money given back for a charge; `failure` is the movement that undid it."""

    id: str
    created: int
    charge: str
    intent: str
    amount: int
    transaction: str
    customer: str
    currency: str = CURRENCY
    status: str = "succeeded"
    failure: str | None = None


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to take money by `card` or from a bank account.

    `captured` is None for all of `amount`. `balance` is the currency it settled in.
    """

    id: str
    created: int
    customer: Customer
    intent: str
    amount: int
    method: str
    status: str
    description: str
    currency: str = CURRENCY
    balance: str = CURRENCY
    decline: str | None = None
    transaction: str | None = None
    failure_transaction: str | None = None
    captured: int | None = None
    refunded: int = 0
    disputed: bool = False
    refunds: tuple[Refund, ...] = ()


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """A complaint at the bank; without `transactions` only a question."""

    id: str
    created: int
    charge: str
    intent: str
    amount: int
    reason: str
    status: str
    transactions: tuple[Transaction, ...]
    currency: str = CURRENCY


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """A movement of the balance: + in, - out; net = amount - fee.

    `rate` is millionths of a minor unit of `currency` for a minor unit of the source's
    currency; None where nothing was converted.
    """

    id: str
    created: int
    available_on: int
    amount: int
    fee: int
    net: int
    type: str
    category: str
    source: str | None
    description: str | None
    currency: str = CURRENCY
    rate: int | None = None
    balance_type: str = "payments"


class Payout(msgspec.Struct, frozen=True, kw_only=True):
    """Money sent to the company's bank."""

    id: str
    created: int
    amount: int
    arrival: int
    transaction: str
    status: str
    currency: str = CURRENCY
    failure: str | None = None


Subject = (
    Customer
    | Discount
    | Subscription
    | Invoice
    | Intent
    | Charge
    | Refund
    | Dispute
    | Payout
)
"""What an event can be about."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What Stripe would tell: the record after and, for updates, before."""

    id: str
    created: int
    type: str
    after: Subject
    before: Subject | None
    by_request: bool
