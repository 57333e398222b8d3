"""What the collector says when rows of a window of days were stored."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Self
from uuid import UUID

from opseer_common.contracts.message import Message, Source, fact_id


class RevenueCollected(Message):
    """Rows of `first_day` to `last_day` (account's zone) are new as of `revision`.

    `revision` counts up per connection; it is read back with the rows through
    `collector.v1_revision`.
    """

    subject: ClassVar[str] = "revenue.collected"

    account_id: UUID
    source: Source
    connection_id: UUID
    run_id: UUID
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
        run_id: UUID,
        first_day: date,
        last_day: date,
        revision: int,
    ) -> Self:
        """Say it: one message per connection and revision."""
        return cls(
            message_id=fact_id(connection_id, f"revenue:{revision}"),
            account_id=account_id,
            source=source,
            connection_id=connection_id,
            run_id=run_id,
            first_day=first_day,
            last_day=last_day,
            revision=revision,
        )
