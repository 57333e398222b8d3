"""What people call a customer or a plan, where the key may read it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Name(msgspec.Struct, frozen=True):
    """A stored name; the e-mail address is a customer's."""

    name: str | None
    email: str | None


class Customer(msgspec.Struct, frozen=True):
    """A customer; null is what is not there or may not be read."""

    id: str
    name: str | None
    email: str | None


class Price(msgspec.Struct, frozen=True):
    """One price of a subscription, as it was stored."""

    price_id: str
    product_id: str | None
    nickname: str | None
    interval: str
    interval_count: int


def customer_of(customer_id: str | None, names: Mapping[str, Name]) -> Customer | None:
    """Return a customer with what is known of it; None where there is none."""
    if customer_id is None:
        return None
    found = names.get(customer_id)
    return Customer(
        customer_id,
        found.name if found else None,
        found.email if found else None,
    )


def plan_name(price: Price, names: Mapping[str, Name]) -> str:
    """Return the product's name, else the price's own, else its id."""
    product = names.get(price.product_id or "")
    return (product and product.name) or price.nickname or price.price_id
