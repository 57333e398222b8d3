"""The rows that a provider's objects become: only the fields that figures need.

Amounts are minor units, `created` is unix seconds, currencies are lower-case codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import msgspec

from opseer_collector.domain.balance import BalanceReading
from opseer_common.contracts.subscription import Subscription, SubscriptionChange


class BalanceTransaction(msgspec.Struct, frozen=True, gc=False):
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
    balance_type: str = "payments"


class Charge(msgspec.Struct, frozen=True, gc=False):
    """One attempt to take money."""

    id: str
    created: int
    amount: int
    currency: str
    status: str
    has_failure_balance_transaction: bool
    failure_code: str | None
    customer: str | None


class Dispute(msgspec.Struct, frozen=True, gc=False):
    """A complaint, of whatever status."""

    id: str
    created: int
    amount: int
    currency: str
    status: str
    reason: str
    charge: str | None


class Refund(msgspec.Struct, frozen=True, gc=False):
    """Money given back of a charge, in the currency of the charge."""

    id: str
    created: int
    amount: int
    currency: str
    charge: str | None


class ProjectMetric(msgspec.Struct, frozen=True, gc=False):
    """One figure of a provider that reports its own, for a day of one project.

    `value` is in minor units of `currency`, a count where that is empty, None where the
    provider has none. `partial` where its period was not over for the provider.
    """

    project: str
    day: date
    name: str
    currency: str
    value: int | None
    partial: bool = False


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
class Window:
    """A window [since, until) of a list, in unix seconds."""

    endpoint: str
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What is stored together. Each of `ended` has its `ended_at`.

    With it each of `read` is stored whole. `permissions` are those just learned, and
    `pace` the rates that the provider's refusals have left, if they changed: calls per
    1,000 seconds by endpoint, '' for all.
    """

    transactions: Sequence[BalanceTransaction] = ()
    charges: Sequence[Charge] = ()
    disputes: Sequence[Dispute] = ()
    refunds: Sequence[Refund] = ()
    subscriptions: Sequence[Subscription] = ()
    ended: Sequence[Subscription] = ()
    changes: Sequence[SubscriptionChange] = ()
    names: Sequence[Name] = ()
    metrics: Sequence[ProjectMetric] = ()
    quarantined: Sequence[Quarantined] = ()
    read: Sequence[Window] = ()
    permissions: Mapping[str, str] = field(default_factory=dict)
    pace: Mapping[str, int] | None = None


def merged(batches: Sequence[Batch]) -> Batch:
    """Return one batch of several, in their order."""
    if len(batches) == 1:
        return batches[0]
    paces = [batch.pace for batch in batches if batch.pace is not None]
    return Batch(
        transactions=[row for batch in batches for row in batch.transactions],
        charges=[row for batch in batches for row in batch.charges],
        disputes=[row for batch in batches for row in batch.disputes],
        refunds=[row for batch in batches for row in batch.refunds],
        subscriptions=[row for batch in batches for row in batch.subscriptions],
        ended=[row for batch in batches for row in batch.ended],
        changes=[row for batch in batches for row in batch.changes],
        names=[row for batch in batches for row in batch.names],
        metrics=[row for batch in batches for row in batch.metrics],
        quarantined=[row for batch in batches for row in batch.quarantined],
        read=[row for batch in batches for row in batch.read],
        permissions={k: v for batch in batches for k, v in batch.permissions.items()},
        pace=paces[-1] if paces else None,
    )


@dataclass(frozen=True, slots=True)
class Told:
    """Where a provider's own figure comes from: which list, by which permission."""

    endpoint: str
    permission: str


@dataclass(frozen=True, slots=True)
class Reported:
    """What a provider that reports its own figures told in a run.

    `names` are all that it may have, those in `optional` only where there are rows of
    them, those in `now` for the last day alone. `projects` are those that were asked
    for, `timezone` is that of its days and `currency` that of its money. `notices` are
    about the connection as a whole. `whole` where every day of the window was read,
    because the provider changes days that are over.
    """

    names: Mapping[str, Told]
    projects: Sequence[str]
    timezone: str
    currency: str
    optional: frozenset[str] = frozenset()
    now: frozenset[str] = frozenset()
    notices: frozenset[str] = frozenset()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a finished fetch knows beside its rows.

    `permissions` maps the API's names to ok, missing or unknown; `currencies` are those
    of the provider's balance, the candidates for the settlement currency; `live_lists`
    names the lists that were read whole, so that older rows of them are gone at the
    provider; `lacking` tells of a right that is missing and has no name in the API.
    `balance` is what it was in mid-fetch, to check the rows against; None: not read.
    """

    permissions: dict[str, str] = field(default_factory=dict)
    currencies: frozenset[str] = frozenset()
    live_lists: frozenset[str] = frozenset()
    lacking: bool = False
    reported: Reported | None = None
    balance: BalanceReading | None = None
