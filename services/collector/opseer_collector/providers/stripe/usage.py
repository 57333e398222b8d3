"""What Stripe's finalised invoices charged for metered items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from opseer_collector.providers.stripe.shapes import Node, node
from opseer_common.contracts.subscription import UsageCharge

# A draft may still change, a void or uncollectible invoice is not owed.
_FINALISED = frozenset({"open", "paid"})


def usage_from(
    invoices: Iterable[Mapping[str, object]],
) -> dict[str, tuple[UsageCharge, ...]]:
    """Return the charges of each subscription item, oldest first, by item id.

    An invoice charges at its finalisation. Lines of every item are summed (one line
    per tier); proration lines are left out. Licensed items are in it too: only
    metered ones read it. Raises ShapeError.
    """
    charges: dict[str, list[UsageCharge]] = {}
    for number, fields in enumerate(invoices):
        invoice = node(fields, f"invoices[{number}]")
        if invoice.text("status", "draft") not in _FINALISED:
            continue
        invoice_id, at = invoice.text("id"), _finalised_at(invoice)
        for item_id, amount in _by_item(invoice).items():
            charges.setdefault(item_id, []).append(UsageCharge(at, amount, invoice_id))
    return {
        item_id: tuple(sorted(found, key=lambda one: (one.at, one.invoice_id)))
        for item_id, found in charges.items()
    }


def _finalised_at(invoice: Node) -> int:
    transitions = invoice.opt_node("status_transitions")
    found = None if transitions is None else transitions.opt_integer("finalized_at")
    return invoice.integer("created") if found is None else found


def _by_item(invoice: Node) -> dict[str, int]:
    """Sum an invoice's lines by subscription item."""
    lines = invoice.opt_node("lines")
    amounts: dict[str, int] = {}
    for line in () if lines is None else lines.nodes("data"):
        details = _details(line)
        item_id = details.opt_text("subscription_item")
        if item_id is None or details.flag("proration"):
            continue
        amounts[item_id] = amounts.get(item_id, 0) + net_amount(line)
    return amounts


def _details(line: Node) -> Node:
    """Return what names the line's item: the parent since basil, before it the line."""
    parent = line.opt_node("parent")
    details = parent.opt_node("subscription_item_details") if parent else None
    return details or line


def net_amount(line: Node) -> int:
    """Return a line's amount after discounts, without inclusive taxes (minor units)."""
    amount = line.integer("amount")
    for discount in line.nodes("discount_amounts"):
        amount -= discount.integer("amount")
    for tax in (*line.nodes("tax_amounts"), *line.nodes("taxes")):
        behavior = tax.opt_text("tax_behavior")
        if tax.flag("inclusive") or behavior == "inclusive":
            amount -= int(Decimal(tax.opt_decimal("amount") or "0"))
    return amount
