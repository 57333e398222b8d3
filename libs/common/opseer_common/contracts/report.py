"""What the notifier says about the daily report."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Self
from uuid import UUID

from opseer_common.contracts.message import Message, fact_id


class ReportBuilt(Message):
    """The report of `day` (account's zone) is stored as of `revision`."""

    subject: ClassVar[str] = "report.built"

    account_id: UUID
    day: date
    revision: int

    @classmethod
    def of(cls, account_id: UUID, day: date, revision: int) -> Self:
        """Say it: one message per account, day and revision of the report."""
        return cls(
            message_id=fact_id(account_id, f"report:{day}:{revision}"),
            account_id=account_id,
            day=day,
            revision=revision,
        )


class ReportDelivered(Message):
    """The report of `day` was handed to a destination."""

    subject: ClassVar[str] = "report.delivered"

    account_id: UUID
    day: date
    delivery_id: UUID

    @classmethod
    def of(cls, account_id: UUID, day: date, delivery_id: UUID) -> Self:
        """Say it: one message per delivery."""
        return cls(
            message_id=fact_id(delivery_id, "delivered"),
            account_id=account_id,
            day=day,
            delivery_id=delivery_id,
        )
