"""The rows that a provider's objects become: only the fields that figures need.

Amounts are minor units, `created` is unix seconds, currencies are lower-case codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from opseer_common.contracts.subscription import Subscription, SubscriptionChange


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """A movement of the balance: + in, - out; `category` is reporting_category."""

    id: str
    created: int
    amount: int
    fee: int
    net: int
    currency: str
    exchange_rate: Decimal | None
    category: str
    type: str
    source_id: str | None


@dataclass(frozen=True, slots=True)
class Charge:
    """One attempt to take money."""

    id: str
    created: int
    amount: int
    currency: str
    status: str
    has_failure_balance_transaction: bool
    failure_code: str | None
    customer: str | None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A complaint, of whatever status."""

    id: str
    created: int
    amount: int
    currency: str
    status: str
    reason: str
    charge: str | None


@dataclass(frozen=True, slots=True)
class Name:
    """What people call a `kind` (customer or product); e-mails are customers'."""

    kind: str
    id: str
    name: str | None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Something that could not be read: where and its hash, never its content.

    It was created in [since, until); None where that is not known at all.
    """

    endpoint: str
    object_id: str
    path: str
    sha256: bytes
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that are stored together. Each of `ended` has its `ended_at`."""

    transactions: Sequence[BalanceTransaction] = ()
    charges: Sequence[Charge] = ()
    disputes: Sequence[Dispute] = ()
    subscriptions: Sequence[Subscription] = ()
    ended: Sequence[Subscription] = ()
    changes: Sequence[SubscriptionChange] = ()
    names: Sequence[Name] = ()
    quarantined: Sequence[Quarantined] = ()


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a finished fetch knows beside its rows.

    `permissions` maps the API's names to ok, missing or unknown; `currencies` are those
    of the provider's balance, the candidates for the settlement currency; `live_lists`
    names the lists that were read whole, so that older rows of them are gone at the
    provider; `lacking` tells of a right that is missing and has no name in the API.
    """

    permissions: dict[str, str] = field(default_factory=dict)
    currencies: frozenset[str] = frozenset()
    live_lists: frozenset[str] = frozenset()
    lacking: bool = False
