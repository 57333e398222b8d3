"""Customers found by a search, with what each did last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

MIN_LENGTH = 2
MAX_LENGTH = 100


class Found(msgspec.Struct, frozen=True):
    """A customer whose name, e-mail address or id was asked for."""

    id: str
    name: str | None
    email: str | None


class FoundChange(msgspec.Struct, frozen=True):
    """A change of a customer's MRR; `amount` is minor units of `currency`."""

    customer_id: str
    date: date
    subscription_id: str
    category: str
    reason: str
    amount: int | None
    currency: str


class FoundEntry(msgspec.Struct, frozen=True):
    """A movement of the balance, failed charge or dispute. `created`: unix seconds."""

    customer: str
    kind: str
    id: str
    created: int
    amount: int
    currency: str
    category: str
    object_id: str | None


class CustomerHistory(msgspec.Struct, frozen=True):
    """A customer with the newest changes and entries, newest first."""

    customer: Found
    link: str | None
    changes: tuple[FoundChange, ...]
    entries: tuple[FoundEntry, ...]


def histories(
    found: Sequence[Found],
    links: Sequence[str | None],
    changes: Sequence[FoundChange],
    entries: Sequence[FoundEntry],
) -> tuple[CustomerHistory, ...]:
    """Put what was read together, a history per customer in the order of `found`."""
    return tuple(
        CustomerHistory(
            customer=one,
            link=link,
            changes=tuple(item for item in changes if item.customer_id == one.id),
            entries=tuple(item for item in entries if item.customer == one.id),
        )
        for one, link in zip(found, links, strict=True)
    )
