"""A run in hand, and the connection that it collects for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from opseer_collector.domain.fetching import Environment, Wanted
from opseer_collector.domain.windows import Span
from opseer_common.contracts import Source
from opseer_common.contracts.collection import RunKind


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that somebody may claim."""

    run_id: UUID
    account_id: UUID


@dataclass(frozen=True, slots=True)
class Claim:
    """A run under our lease. `fence` is larger than that of any claim before it."""

    run_id: UUID
    account_id: UUID
    source: Source
    connection_id: UUID
    kind: RunKind
    fence: int
    tries: int


@dataclass(frozen=True, slots=True)
class Integration:
    """The connection that a claim is for, as the gateway and we know it.

    `flagged` tells that the last collection left something out, `unsettled` that
    settings were changed since, `refused` that the key was; `pace` is the last
    `Batch.pace` of the connection.
    """

    environment: Environment
    timezone: str
    last_collected_at: datetime | None
    flagged: bool
    unsettled: bool
    refused: bool
    pace: Mapping[str, int]
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Reading:
    """What a run read and when: `as_of` is the instant its window was fixed at."""

    as_of: datetime
    span: Span


@dataclass(frozen=True, slots=True)
class Covered:
    """How far back a run has read: everything created from `since` on.

    `currency` is that of the balance, where it has only one.
    """

    since: int
    currency: str | None
