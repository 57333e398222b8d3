"""What metered items were charged: the lines of their finalised invoices.

Prorations are left out; discounts and inclusive taxes are taken off. Lines are matched
to items by the item's id, in the shapes before and since basil.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from opseer_collector.providers.stripe.shapes import Node, node
from opseer_collector.providers.stripe.tiers import lines_of
from opseer_common.contracts.subscription import UsageCharge

_STATUSES: Final = frozenset({"paid", "open"})
_REASONS: Final = frozenset(
    {"subscription_cycle", "subscription_threshold", "subscription_update"}
)


def metered_items(
    subscriptions: Iterable[Mapping[str, object]],
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each subscription with the ids of its metered items, if it has any."""
    for fields in subscriptions:
        items = frozenset(
            str(line.get("id")) for line in lines_of(fields) if is_metered(line)
        )
        if items:
            yield str(fields["id"]), items


def is_metered(line: Mapping[str, object]) -> bool:
    """Tell whether an item is charged by use; plans, the old form, tell it on top."""
    price, plan = line.get("price"), line.get("plan")
    terms = price.get("recurring") if isinstance(price, Mapping) else plan
    return isinstance(terms, Mapping) and terms.get("usage_type") == "metered"


def usage_from(
    invoices: Iterable[Mapping[str, object]], items: frozenset[str]
) -> dict[str, list[UsageCharge]]:
    """Return the charges of each of `items` (item ids), oldest first.

    Raises ShapeError with the path of what cannot be read.
    """
    found: dict[str, list[UsageCharge]] = defaultdict(list)
    for fields in invoices:
        invoice = node(fields, "invoice")
        if not counts(invoice):
            continue
        sums: dict[str, int] = defaultdict(int)
        lines = invoice.opt_node("lines")
        for line in () if lines is None else lines.nodes("data"):
            item = item_of(line)
            if item in items and not is_proration(line):
                sums[item] += (
                    line.integer("amount") - discounts_on(line) - taxes_within(line)
                )
        for item, amount in sums.items():
            found[item].append(
                UsageCharge(finalised_at(invoice), amount, invoice.text("id"))
            )
    return {item: sorted(rows, key=lambda row: row.at) for item, rows in found.items()}


def counts(invoice: Node) -> bool:
    """Tell whether an invoice bills a period: finalised, and not a first one.

    The oldest versions do not say why an invoice was made.
    """
    reason = invoice.opt_text("billing_reason")
    finalised = invoice.text("status", "") in _STATUSES
    return finalised and (reason is None or reason in _REASONS)


def finalised_at(invoice: Node) -> int:
    """Return when an invoice was finalised."""
    transitions = invoice.opt_node("status_transitions")
    at = None if transitions is None else transitions.opt_integer("finalized_at")
    return invoice.integer("created") if at is None else at


def _details(line: Node) -> Node | None:
    parent = line.opt_node("parent")
    return None if parent is None else parent.opt_node("subscription_item_details")


def item_of(line: Node) -> str:
    """Return the id of the subscription item that a line bills; else an empty one."""
    details = _details(line)
    found = (line if details is None else details).opt_reference("subscription_item")
    return found or ""


def is_proration(line: Node) -> bool:
    """Tell whether a line bills a part of a period after a change."""
    details = _details(line)
    return (line if details is None else details).flag("proration")


def subscription_of(invoice: Node) -> str:
    """Return the id of the subscription that an invoice is of; else an empty one."""
    parent = invoice.opt_node("parent")
    details = None if parent is None else parent.opt_node("subscription_details")
    found = (invoice if details is None else details).opt_reference("subscription")
    return found or ""


def discounts_on(line: Node) -> int:
    """Return what discounts take off a line's amount."""
    return sum(part.integer("amount") for part in line.nodes("discount_amounts"))


def taxes_within(line: Node) -> int:
    """Return the taxes that a line's amount includes."""
    found = 0
    for name in ("taxes", "tax_amounts"):
        for tax in line.nodes(name):
            inclusive = tax.flag("inclusive") or tax.opt_text("tax_behavior") == (
                "inclusive"
            )
            found += tax.integer("amount") if inclusive else 0
    return found
