"""Builders of subscriptions: a plain one, and what differs from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from opseer_common.contracts.subscription import (
    Item,
    Price,
    Subscription,
    SubscriptionChange,
)


@pytest.fixture
def price() -> Callable[..., Price]:
    """Build a price of 10.00 USD a month, with the given fields instead."""

    def build(**fields: Any) -> Price:
        plain = Price(
            id="price_1",
            currency="usd",
            interval="month",
            unit_amount="1000",
            product="prod_1",
        )
        return msgspec.structs.replace(plain, **fields)

    return build


@pytest.fixture
def subscription(price: Callable[..., Price]) -> Callable[..., Subscription]:
    """Build an active subscription of one such price, long there.

    `price` (a dict), `quantity` and `item` (a dict) change its item.
    """

    def build(**fields: Any) -> Subscription:
        own_price = price(**fields.pop("price", {}))
        item = Item(id="si_1", price=own_price, quantity=fields.pop("quantity", 1))
        item = msgspec.structs.replace(item, **fields.pop("item", {}))
        plain = Subscription(
            id="sub_1",
            customer="cus_1",
            status="active",
            currency=own_price.currency,
            created=1_000_000_000,
            items=(item,),
        )
        return msgspec.structs.replace(plain, **fields)

    return build


@pytest.fixture
def change() -> Callable[..., SubscriptionChange]:
    """Build the event that leads from one state to another."""

    def build(
        before: Subscription | None,
        after: Subscription,
        at: int,
        **fields: Any,
    ) -> SubscriptionChange:
        plain = SubscriptionChange(
            event_id=f"evt_{after.id}_{at}",
            subscription_id=after.id,
            at=at,
            position=0,
            kind="created" if before is None else "updated",
            before=before,
            after=after,
        )
        return msgspec.structs.replace(plain, **fields)

    return build
