"""What the mrr service says when a snapshot and its movements were stored."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Self
from uuid import UUID

from opseer_common.contracts.message import Message, Source, fact_id


class MrrComputed(Message):
    """Snapshots and movements of the days are stored as of `revision`.

    `revision` is the collector's revision that they were computed from.
    """

    subject: ClassVar[str] = "mrr.computed"

    account_id: UUID
    source: Source
    connection_id: UUID
    first_day: date
    last_day: date
    revision: int

    @classmethod
    def of(
        cls,
        *,
        account_id: UUID,
        source: Source,
        connection_id: UUID,
        first_day: date,
        last_day: date,
        revision: int,
    ) -> Self:
        """Say it: one message per connection and revision."""
        return cls(
            message_id=fact_id(connection_id, f"mrr:{revision}"),
            account_id=account_id,
            source=source,
            connection_id=connection_id,
            first_day=first_day,
            last_day=last_day,
            revision=revision,
        )
