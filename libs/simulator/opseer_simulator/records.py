"""The company's records: immutable, replaced as they change. Money is US cents,
times are unix seconds, ids are Stripe's.
"""

from __future__ import annotations

import msgspec

from opseer_simulator.catalogue import Coupon, Plan


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who bought or tried something."""

    id: str
    created: int
    name: str
    email: str
    invoice_prefix: str


class Discount(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon applied to one subscription."""

    id: str
    created: int
    coupon: Coupon
    customer: str
    subscription: str


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription of one item."""

    id: str
    created: int
    customer: str
    item: str
    plan: Plan
    seats: int
    status: str
    anchor: int
    period_start: int
    period_end: int
    discount: Discount | None = None
    latest_invoice: str | None = None
    trial_start: int | None = None
    trial_end: int | None = None
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    ended_at: int | None = None
    cancel_reason: str | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an invoice; `amount` before `discount`, both in cents."""

    id: str
    amount: int
    discount: int
    discount_id: str | None
    description: str
    plan: Plan
    seats: int
    period_start: int
    period_end: int
    proration: bool


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """A bill for a subscription; `total` after discounts."""

    id: str
    created: int
    number: str
    customer: Customer
    subscription: str
    item: str
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


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A payment being tried, perhaps several times."""

    id: str
    created: int
    customer: str
    amount: int
    method: str
    status: str
    description: str
    latest_charge: str | None = None
    decline: str | None = None


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to take money by `card` or by `us_bank_account`."""

    id: str
    created: int
    customer: Customer
    intent: str
    amount: int
    method: str
    status: str
    description: str
    decline: str | None = None
    transaction: str | None = None
    failure_transaction: str | None = None
    refunded: int = 0
    disputed: bool = False


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money given back for a charge."""

    id: str
    created: int
    charge: str
    intent: str
    amount: int
    transaction: str


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


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """A movement of the balance: + in, - out; net = amount - fee."""

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


class Payout(msgspec.Struct, frozen=True, kw_only=True):
    """Money sent to the company's bank."""

    id: str
    created: int
    amount: int
    arrival: int
    transaction: str
    status: str


Subject = (
    Customer | Discount | Subscription | Invoice | Intent | Charge | Dispute | Payout
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
