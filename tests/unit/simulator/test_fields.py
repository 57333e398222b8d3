"""Objects have every field that Stripe's have, by kind, in the pinned version.

`tests/data/stripe_fields.json` lists them by path, written down from Stripe's public
examples; a discount has its coupon inline, as before clover.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opseer_simulator import objects
from opseer_simulator.rendering import render
from opseer_simulator.simulation import Simulation

Json = dict[str, Any]

FIELDS: dict[str, list[str]] = json.loads(
    (Path(__file__).parents[2] / "data" / "stripe_fields.json").read_text()
)
SHELVES = {
    "balance_transaction": "transactions",
    "charge": "charges",
    "customer": "customers",
    "discount": "discounts",
    "dispute": "disputes",
    "event": "events",
    "invoice": "invoices",
    "payment_intent": "intents",
    "payout": "payouts",
    "price": "plans",
    "product": "products",
    "refund": "refunds",
    "subscription": "subscriptions",
}


def _whole(full: Simulation, kind: str) -> list[Json]:
    """Return every object of a kind."""
    books, now = full.books(), full.now()
    match kind:
        case "balance":
            return [objects.balance({"usd": (1, 2)}, livemode=False)]
        case "coupon":
            return [one["coupon"] for one in _whole(full, "discount")]
        case "line_item":
            return [x for one in _whole(full, "invoice") for x in one["lines"]["data"]]
        case "subscription_item":
            subscriptions = _whole(full, "subscription")
            return [x for one in subscriptions for x in one["items"]["data"]]
        case "plan":
            return [one["plan"] for one in _whole(full, "subscription_item")]
        case _:
            records = getattr(books, SHELVES[kind]).all()
            return [render(record, books, now) for record in records]


@pytest.mark.parametrize("path", sorted(FIELDS))
def test_each_object_has_every_field(full: Simulation, path: str) -> None:
    """No field is missing, whatever happened to the object."""
    kind, *steps = path.split(".")
    found: list[Any] = _whole(full, kind)
    for step in steps:
        found = [one[step] for one in found if one.get(step)]
    assert found
    # What is no quantity has none: a metered item.
    optional = {"quantity"} if path == "subscription_item" else set()
    for one in found:
        assert set(FIELDS[path]) - set(one) <= optional
