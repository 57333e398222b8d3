"""What a sender is handed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from opseer_common.contracts.destination import Address
from opseer_notifier.domain.letter import Letter
from opseer_notifier.domain.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Parcel:
    """A letter on its way. `delivery_id` is the same over all attempts.

    `moved_to` is where the destination said it is now; `now` is the aware instant of
    this attempt.
    """

    delivery_id: UUID
    letter: Letter
    address: Address = field(repr=False)
    moved_to: str | None
    now: datetime


class Sender(Protocol):
    """Hands parcels to one kind of destination."""

    async def send(self, parcel: Parcel) -> Outcome:
        """Try once and return how it ended; raises nothing that is expected."""
        ...
