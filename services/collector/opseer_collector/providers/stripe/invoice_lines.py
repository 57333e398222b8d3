"""Lines of Stripe's invoices as older history needs them, in the shapes of all times.

Only what a subscription's item was billed, on an invoice that was finalised and not
voided. Every duration that a discount does not tell is taken for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from opseer_collector.domain.history import InvoiceLine, Off, interval_of
from opseer_collector.providers.stripe.shapes import Node, ShapeError, node
from opseer_collector.providers.stripe.usage import finalised_at, taxes_within

EXPANDED: Final = "data.total_discount_amounts.discount"
"""What tells how long each discount lasts."""
_STATUSES: Final = frozenset({"paid", "open", "uncollectible"})
_DURATIONS: Final = ("forever", "repeating", "once")
_CURRENCY: Final = re.compile(r"[a-z]{3}", re.ASCII)


def lines_from(fields: Mapping[str, Any]) -> tuple[InvoiceLine, ...]:
    """Return the lines of an invoice that count; none for one that does not.

    Raises ShapeError with the path of what cannot be read.
    """
    invoice = node(fields, "invoice")
    if invoice.text("status", "") not in _STATUSES:
        return ()
    reader = _Lines(invoice)
    lines = invoice.opt_node("lines")
    rows = () if lines is None else lines.nodes("data")
    return tuple(found for row in rows if (found := reader.read(row)) is not None)


class _Lines:
    """Reads the lines of one invoice."""

    def __init__(self, invoice: Node) -> None:
        self._invoice = invoice
        self._durations = dict(_durations(invoice))
        transitions = invoice.opt_node("status_transitions")
        self._given_up = (
            transitions.opt_integer("marked_uncollectible_at") if transitions else None
        )

    def read(self, line: Node) -> InvoiceLine | None:
        """Return a line; None for one of no subscription's item.

        A proration may not say which item it is of: its `item_id` is empty then.
        """
        where = _details(line)
        proration = where.flag("proration")
        subscription = where.opt_reference("subscription") or _billed(self._invoice)
        item = where.opt_reference("subscription_item") or ("" if proration else None)
        period = line.opt_node("period")
        if subscription is None or item is None or period is None:
            return None
        starts, ends = period.integer("start"), period.integer("end")
        if ends <= starts:
            return None
        price_id, product_id = _price(line)
        interval, count = interval_of(starts, ends)
        return InvoiceLine(
            id=line.text("id"),
            invoice_id=self._invoice.text("id"),
            subscription_id=subscription,
            item_id=item,
            customer_id=self._invoice.opt_reference("customer") or "",
            price_id=price_id,
            product_id=product_id,
            currency=_currency(line, self._invoice),
            amount=line.integer("amount") - taxes_within(line),
            off=self._off(line),
            billed=finalised_at(self._invoice),
            starts=starts,
            ends=ends if self._given_up is None else min(ends, self._given_up),
            interval=interval,
            interval_count=count,
            usage=not proration and ends <= self._invoice.integer("created"),
            proration=proration,
        )

    def _off(self, line: Node) -> Off:
        sums = dict.fromkeys(_DURATIONS, 0)
        for part in line.nodes("discount_amounts"):
            discount = part.opt_reference("discount")
            duration = self._durations.get(discount or "", "forever")
            sums[duration] += part.integer("amount")
        return Off(**sums)


def _durations(invoice: Node) -> Iterator[tuple[str, str]]:
    """Yield the discounts that are told whole with how long they last."""
    for part in invoice.nodes("total_discount_amounts"):
        if not isinstance(part.fields.get("discount"), Mapping):
            continue
        discount = part.opt_node("discount")
        source = discount and discount.opt_node("source")
        coupon = (discount and discount.opt_node("coupon")) or (
            source and source.opt_node("coupon")
        )
        duration = coupon and coupon.opt_text("duration")
        if discount is not None and duration in _DURATIONS:
            yield discount.text("id"), duration


def _details(line: Node) -> Node:
    """Return where a line tells what it is of: itself, before basil."""
    parent = line.opt_node("parent")
    if parent is None:
        return line
    of_item = parent.opt_node("subscription_item_details")
    return of_item or parent.opt_node("invoice_item_details") or line


def _billed(invoice: Node) -> str | None:
    """Return the subscription that an invoice is of."""
    parent = invoice.opt_node("parent")
    details = parent and parent.opt_node("subscription_details")
    return (details or invoice).opt_reference("subscription")


def _price(line: Node) -> tuple[str | None, str | None]:
    """Return ids of price and product; plans are the old form of prices."""
    pricing = line.opt_node("pricing")
    details = pricing and pricing.opt_node("price_details")
    if details:
        return details.opt_reference("price"), details.opt_reference("product")
    price = line.opt_node("price") or line.opt_node("plan")
    if price:
        return price.text("id"), price.opt_reference("product")
    return None, None


def _currency(line: Node, invoice: Node) -> str:
    found = line.opt_text("currency") or invoice.text("currency")
    if not _CURRENCY.fullmatch(found):
        raise ShapeError(line.at("currency"), "a currency")
    return found
