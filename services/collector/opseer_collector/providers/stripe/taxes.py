"""Taxes inside a price that Stripe works out anew for each invoice.

With automatic tax a subscription names no rate; the lines of its invoices tell what was
inside (source: Stripe API, "automatic_tax", "tax_behavior"). The rate is taken from the
newest of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from opseer_collector.providers.stripe.shapes import Node, node
from opseer_collector.providers.stripe.tiers import lines_of
from opseer_collector.providers.stripe.usage import (
    discounts_on,
    finalised_at,
    is_metered,
    is_proration,
    item_of,
    subscription_of,
    taxes_within,
)

_FINAL = frozenset({"paid", "open"})
_HUNDRED = 100
_DIGITS = 4
_MANY_DIGITS = 12


def taxed_items(
    subscriptions: Iterable[Mapping[str, object]],
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each subscription that may have taxes inside, with whose rates to look for.

    Those are the ids of its items, and its own for items that it has no more: the
    oldest form has none.
    """
    for fields in subscriptions:
        items = [
            str(line.get("id"))
            for line in lines_of(fields)
            if _behaves(line.get("price")) != "exclusive" and not is_metered(line)
        ]
        if _is_on(fields) and (items or "items" not in fields):
            yield str(fields["id"]), frozenset([*items, str(fields["id"])])


def _is_on(fields: Mapping[str, object]) -> bool:
    automatic = fields.get("automatic_tax")
    return isinstance(automatic, Mapping) and automatic.get("enabled") is True


def is_automatic(line: Node, source: Node) -> bool | None:
    """Tell whether an item's taxes inside its price are worked out by invoice.

    None where the subscription's form, an old one, tells nothing of it. What is metered
    is known without its taxes.
    """
    if is_metered(line.fields):
        return False
    if "automatic_tax" not in source.fields:
        return None
    automatic = source.opt_node("automatic_tax")
    if automatic is None or not automatic.flag("enabled"):
        return False
    return _behaves(line.fields.get("price")) != "exclusive"


def _behaves(price: object) -> object:
    """Return a price's tax behaviour; unspecified ones follow the account's setting."""
    return price.get("tax_behavior") if isinstance(price, Mapping) else None


def rates_from(
    invoices: Iterable[Mapping[str, object]], wanted: frozenset[str]
) -> dict[str, str]:
    """Return the rate inside the price of each of `wanted` that was billed.

    In per cent, a decimal string; of the newest finalised invoice. `wanted` are ids of
    items, or of a subscription: then any of its items tells. Raises ShapeError.
    """
    found: dict[str, tuple[int, str]] = {}
    for fields in invoices:
        invoice = node(fields, "invoice")
        if invoice.text("status", "") not in _FINAL:
            continue
        at, subscription = finalised_at(invoice), subscription_of(invoice)
        lines = invoice.opt_node("lines")
        for line in () if lines is None else lines.nodes("data"):
            amount = line.integer("amount") - discounts_on(line)
            if amount > 0 and not is_proration(line):
                told = at, rate_of(taxes_within(line), amount)
                for name in wanted & {item_of(line), subscription}:
                    if name not in found or found[name][0] < at:
                        found[name] = told
    return {name: rate for name, (_, rate) in found.items()}


def rate_of(tax: int, amount: int) -> str:
    """Return the rate of which `tax` is what is inside `amount`, both minor units.

    It is the shortest decimal that gives this tax, rounded to the minor unit: the rate
    that was applied, not what rounding made of it.
    """
    if tax <= 0 or tax >= amount:
        return "0"
    exact = Decimal(tax * _HUNDRED) / (amount - tax)
    for digits in range(_DIGITS + 1):
        rate = round(exact, digits)
        if rate and round(amount * rate / (_HUNDRED + rate)) == tax:
            return format(rate, "f")
    return format(round(exact, _MANY_DIGITS), "f")
