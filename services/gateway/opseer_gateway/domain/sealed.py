"""A destination as it is stored: sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from opseer_common.contracts.destination import DestinationKind


@dataclass(frozen=True, slots=True)
class SealedDestination:
    """A destination to store; only the notifier opens `sealed`."""

    destination_id: UUID
    kind: DestinationKind
    name: str
    hint: str
    sealed: bytes = field(repr=False)
    unsubscribe_hash: bytes | None
