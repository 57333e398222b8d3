"""A very small company: three subscriptions whose month is easy to add up by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from opseer_common.contracts.subscription import (
    Item,
    Price,
    Subscription,
    SubscriptionChange,
)

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
"""When it was collected."""


def subscription(name: str, unit_amount: int, **fields: object) -> Subscription:
    """Return an active monthly subscription in dollars, long there."""
    price = Price(f"price_{name}", "usd", "month", unit_amount=str(unit_amount))
    plain = Subscription(
        id=f"sub_{name}",
        customer=f"cus_{name}",
        status="active",
        currency="usd",
        created=1_000_000_000,
        items=(Item(f"si_{name}", price, quantity=1),),
    )
    return msgspec.structs.replace(plain, **fields)


def change(
    kind: str, days_ago: int, before: Subscription | None, after: Subscription
) -> SubscriptionChange:
    """Return the event that led from one state to the other at 09:00 UTC of a day."""
    at = datetime(2026, 11, 24, 9, tzinfo=UTC) - timedelta(days=days_ago)
    return SubscriptionChange(
        event_id=f"evt_{after.id}_{kind}",
        subscription_id=after.id,
        at=int(at.timestamp()),
        position=0,
        kind=kind,
        before=before,
        after=after,
    )


OLD = subscription("old", 10_000)
"""100.00 USD a month, all along."""
NEW = subscription("new", 5_000, created=int((NOW - timedelta(days=5)).timestamp()))
"""50.00 USD a month, since five days ago."""
LEFT = subscription("left", 2_000)
"""20.00 USD a month, until three days ago."""
CHANGES = [
    change("created", 5, None, NEW),
    change("deleted", 3, LEFT, msgspec.structs.replace(LEFT, status="canceled")),
]
