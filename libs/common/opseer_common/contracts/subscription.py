"""A subscription as the mrr service reads it, whatever provider or API version sent it.

The collector normalises each provider's objects into these and publishes them as
JSON in the views `collector.v1_subscription`, `collector.v1_ended_subscription` and
`collector.v1_subscription_change`.
Amounts are minor units of the named currency; where a provider has fractions of a
minor unit they are exact decimal strings. Instants are unix seconds.

`gc=False`: frozen and made of each other, they can't form cycles, and a large account
has a million of them that the collector of garbage need not walk.
"""

from __future__ import annotations

import msgspec


class Tier(msgspec.Struct, frozen=True, gc=False):
    """One step of a tiered price. `up_to` is inclusive; None is the last step."""

    up_to: int | None
    unit_amount: str = "0"
    flat_amount: str = "0"


class Price(msgspec.Struct, frozen=True, gc=False):
    """What one item costs per interval.

    `unit_amount` is a decimal string in minor units, None where the amount is not a
    plain one (tiers) or not known. `tiers` is None where the price is tiered and its
    tiers could not be read. `round` is up or down and goes with `divide_by`.
    """

    id: str
    currency: str
    interval: str
    interval_count: int = 1
    unit_amount: str | None = None
    product: str | None = None
    nickname: str | None = None
    usage_type: str = "licensed"
    billing_scheme: str = "per_unit"
    tiers_mode: str | None = None
    tiers: tuple[Tier, ...] | None = None
    divide_by: int | None = None
    round: str | None = None


class Discount(msgspec.Struct, frozen=True, gc=False):
    """A coupon in use: `percent_off` (decimal string) or `amount_off` (minor units).

    `duration` is once, repeating or forever, or unknown where only the id could be
    read. `applies_to` names products, None is all of them. `end` is exclusive.
    """

    id: str
    duration: str = "forever"
    percent_off: str | None = None
    amount_off: int | None = None
    currency: str | None = None
    start: int | None = None
    end: int | None = None
    applies_to: tuple[str, ...] | None = None


class UsageCharge(msgspec.Struct, frozen=True, gc=False):
    """What the invoice finalised at `at` charged for a metered item's interval.

    Minor units, after discounts, without inclusive taxes and prorations.
    """

    at: int
    amount: int
    invoice_id: str


class Item(msgspec.Struct, frozen=True, gc=False):
    """One line of a subscription; lines that do not recur are left out.

    `quantity` is None for metered prices. `inclusive_tax` is the percentage (decimal
    string) that is inside the price; `tax_missing` is the reason (docs/ERRORS.md) where
    there may be one that is not known. `usage` is a metered item's charges, oldest
    first: all of the days shown and the newest one before them, so that nothing was
    charged before the first. Where only the newest amount is known, `usage` is empty
    and `usage_amount` has it; None where there is none yet.
    """

    id: str
    price: Price
    quantity: int | None = None
    discounts: tuple[Discount, ...] = ()
    inclusive_tax: str = "0"
    tax_missing: str | None = None
    usage_amount: int | None = None
    usage: tuple[UsageCharge, ...] = ()


class Subscription(msgspec.Struct, frozen=True, gc=False):
    """A subscription's whole state at one instant.

    `status` is the provider's word. `customer_discounts` are the customer's own, of
    which those between `start` and `end` apply, and only where `discounts` is empty;
    None is for ever. `past_due_since` is known only where an event
    said it. `items_complete` is False where nested items could not all be read.
    """

    id: str
    customer: str
    status: str
    currency: str
    created: int
    items: tuple[Item, ...] = ()
    discounts: tuple[Discount, ...] = ()
    customer_discounts: tuple[Discount, ...] = ()
    start_date: int | None = None
    trial_start: int | None = None
    trial_end: int | None = None
    cancel_at: int | None = None
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    ended_at: int | None = None
    pause_behavior: str | None = None
    pause_resumes_at: int | None = None
    past_due_since: int | None = None
    items_complete: bool = True


class SubscriptionChange(msgspec.Struct, frozen=True, gc=False):
    """One provider event about a subscription: its states around `at`.

    `kind` is created, updated, deleted, paused or resumed. Two more are no states
    otherwise: customer_discount tells in `customer_discounts` of `after` what came or
    went, discount_ended in `discounts` of `after` or its items what went.
    `before` is None where the provider does not say what was. `position` orders events
    of one second: lower applies first (Stripe: reversed list order, created before
    updated before deleted).
    """

    event_id: str
    subscription_id: str
    at: int
    position: int
    kind: str
    before: Subscription | None
    after: Subscription
