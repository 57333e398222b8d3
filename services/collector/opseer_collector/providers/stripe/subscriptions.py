"""Stripe's subscriptions and their events made into ours.

Five shapes of a subscription are read, by the API version of the account: the plan at
the top (2015), items with plans (2017), items with prices (2020), periods on the items
(basil), and coupons behind `source` (clover).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from opseer_collector.providers.stripe.merge import before_of
from opseer_collector.providers.stripe.prices import (
    discount_from,
    discounts_of,
    plan_from,
    price_from,
)
from opseer_collector.providers.stripe.shapes import Node, ShapeError, node
from opseer_collector.providers.stripe.taxes import is_automatic
from opseer_common.contracts.subscription import (
    Discount,
    Item,
    Price,
    Subscription,
    SubscriptionChange,
    Tier,
    UsageCharge,
)

_KINDS = {
    "customer.subscription.created": "created",
    "customer.subscription.updated": "updated",
    "customer.subscription.paused": "paused",
    "customer.subscription.resumed": "resumed",
    "customer.subscription.deleted": "deleted",
}
# Within one second: created before updated (with what goes beside it) before deleted.
_RANKS = {"created": 0, "deleted": 2}
_RANK_STEP = 1_000_000


@dataclass(frozen=True, slots=True)
class Known:
    """What a subscription's JSON leaves out, by id.

    `discounts` by discount id, `tiers` by price id, `usage` (charges, oldest first) by
    subscription item id, `tax_rates` (in per cent, inside the price, as invoices tell
    them) by that, else by subscription id. Where invoices tell none, `tax_missing` is
    the reason (docs/ERRORS.md).
    """

    discounts: Mapping[str, Discount] = field(default_factory=dict)
    tiers: Mapping[str, tuple[Tier, ...]] = field(default_factory=dict)
    usage: Mapping[str, Sequence[UsageCharge]] = field(default_factory=dict)
    tax_rates: Mapping[str, str] = field(default_factory=dict)
    tax_missing: str = "INVOICES_PERMISSION"


def subscription_from(fields: Mapping[str, object], known: Known) -> Subscription:
    """Return the state that a subscription object shows.

    Raises ShapeError with the path, never the content, of what cannot be read.
    """
    source = node(fields, "subscription")
    currency = _currency(source)
    pause = source.opt_node("pause_collection")
    items = source.opt_node("items")
    customer = source.opt_reference("customer")
    if customer is None:
        raise ShapeError(source.at("customer"), "an id")
    return Subscription(
        id=source.text("id"),
        customer=customer,
        status=source.text("status"),
        currency=currency,
        created=_created(source),
        items=_items(source, currency, known),
        discounts=discounts_of(source, known.discounts, currency),
        customer_discounts=_customer_discounts(source, currency),
        start_date=source.opt_integer("start_date"),
        trial_start=source.opt_integer("trial_start"),
        trial_end=source.opt_integer("trial_end"),
        cancel_at=source.opt_integer("cancel_at"),
        cancel_at_period_end=source.flag("cancel_at_period_end"),
        canceled_at=source.opt_integer("canceled_at"),
        ended_at=source.opt_integer("ended_at"),
        pause_behavior=None if pause is None else pause.text("behavior"),
        pause_resumes_at=None if pause is None else pause.opt_integer("resumes_at"),
        items_complete=items is None or not items.flag("has_more"),
    )


def _created(source: Node) -> int:
    """Return the creation instant; the oldest versions only have `start`."""
    created = source.opt_integer("created")
    return source.integer("start") if created is None else created


def _priced(source: Node) -> Node | None:
    """Return the first price or plan of a subscription."""
    items = source.opt_node("items")
    for item in () if items is None else items.nodes("data"):
        found = item.opt_node("price") or item.opt_node("plan")
        if found is not None:
            return found
    return source.opt_node("plan")


def _currency(source: Node) -> str:
    """Return the subscription's currency; old versions have it on the plan only."""
    own = source.opt_text("currency")
    if own is None:
        priced = _priced(source)
        if priced is None:
            raise ShapeError(source.at("currency"), "a currency")
        own = priced.text("currency")
    return own.lower()


def _customer_discounts(source: Node, currency: str) -> tuple[Discount, ...]:
    """Return the customer's own discount where the customer is expanded."""
    if not isinstance(source.fields.get("customer"), Mapping):
        return ()
    customer = source.opt_node("customer")
    found = None if customer is None else customer.opt_node("discount")
    return () if found is None else (discount_from(found, currency),)


def _items(source: Node, currency: str, known: Known) -> tuple[Item, ...]:
    """Return the lines that recur."""
    items = source.opt_node("items")
    if items is None:
        plan = source.opt_node("plan")
        if plan is None:
            raise ShapeError(source.at("items"), "an object")
        price = plan_from(plan, known.tiers)
        return (_item(source, source, price, known, currency),)
    lines = []
    for line in items.nodes("data"):
        price_at = line.opt_node("price")
        price_found = (
            plan_from(_plan(line, source), known.tiers)
            if price_at is None
            else price_from(price_at, currency, known.tiers)
        )
        if price_found is not None:
            lines.append(_item(line, source, price_found, known, currency))
    return tuple(lines)


def _plan(line: Node, source: Node) -> Node:
    plan = line.opt_node("plan") or source.opt_node("plan")
    if plan is None:
        raise ShapeError(line.at("price"), "an object")
    return plan


def _item(line: Node, source: Node, price: Price, known: Known, currency: str) -> Item:
    """Return one line. Where the plan is at the top, the line is the subscription."""
    item_id = line.text("id")
    quantity = line.opt_integer("quantity")
    if quantity is None and price.usage_type == "licensed":
        quantity = 1
    usage = tuple(known.usage.get(item_id, ()))
    tax, tax_missing = _inclusive_tax(line, source, known)
    return Item(
        id=item_id,
        price=price,
        quantity=None if price.usage_type == "metered" else quantity,
        discounts=()
        if line is source
        else discounts_of(line, known.discounts, currency),
        inclusive_tax=tax,
        tax_missing=tax_missing,
        usage_amount=usage[-1].amount if usage else None,
        usage=usage,
    )


def _inclusive_tax(line: Node, source: Node, known: Known) -> tuple[str, str | None]:
    """Return the taxes inside the price in per cent, and why they are not known.

    They are the sum of the inclusive rates, the line's own or else the defaults, or
    with automatic tax what the newest invoice tells.
    """
    rates = list(line.nodes("tax_rates")) or list(source.nodes("default_tax_rates"))
    if rates:
        return _sum_of(rates), None
    automatic = is_automatic(line, source)
    told = known.tax_rates.get(line.text("id"), known.tax_rates.get(source.text("id")))
    if automatic is False or (automatic is None and told is None):
        return "0", None
    return ("0", known.tax_missing) if told is None else (told, None)


def _sum_of(rates: Iterable[Node]) -> str:
    """Return the sum of the inclusive rates."""
    total = sum(
        (
            Decimal(rate.opt_decimal("percentage") or "0")
            for rate in rates
            if rate.flag("inclusive")
        ),
        Decimal(0),
    )
    return format(total, "f")


def change_from(
    event: Mapping[str, object], position: int, known: Known
) -> SubscriptionChange | None:
    """Return what an event says about a subscription's state.

    None for events that say nothing of it. `before` is known for updates only: the
    object with `previous_attributes` laid over it. Raises ShapeError.
    """
    source = node(event, "event")
    kind = _KINDS.get(source.text("type"))
    if kind is None:
        return None
    data = source.opt_node("data")
    shown = None if data is None else data.opt_node("object")
    if data is None or shown is None:
        raise ShapeError(source.at("data.object"), "an object")
    at = source.integer("created")
    after = subscription_from(shown.fields, known)
    previous = data.opt_node("previous_attributes")
    before = None
    if kind == "updated" and previous is not None:
        before = subscription_from(before_of(shown, previous), known)
        if after.status == "past_due" and before.status != "past_due":
            after = msgspec.structs.replace(after, past_due_since=at)
    return SubscriptionChange(
        event_id=source.text("id"),
        subscription_id=after.id,
        at=at,
        position=position,
        kind=kind,
        before=before,
        after=after,
    )


def order_events(
    events: Iterable[Mapping[str, object]],
) -> list[tuple[int, Mapping[str, object]]]:
    """Return (position, event) in the order in which they apply, each id once.

    `events` is in list order, newest first. Events of one second apply in reversed
    list order, created before updated before deleted.
    """
    unique: dict[str, tuple[int, int, Mapping[str, object]]] = {}
    place: dict[int, int] = {}
    for fields in reversed(list(events)):
        event = node(fields, "event")
        event_id, at = event.text("id"), event.integer("created")
        if event_id in unique:
            continue
        kind = _KINDS.get(event.text("type"), "")
        place[at] = place.get(at, 0) + 1
        position = _RANKS.get(kind, 1) * _RANK_STEP + place[at]
        unique[event_id] = (at, position, fields)
    ordered = sorted(unique.values(), key=lambda one: one[:2])
    return [(position, fields) for _, position, fields in ordered]
