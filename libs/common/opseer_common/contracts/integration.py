"""What the gateway says about a connection to a provider."""

from __future__ import annotations

from typing import ClassVar, Self
from uuid import UUID

from opseer_common.contracts.message import Message, Source, fact_id


class IntegrationConnected(Message):
    """A key was accepted and sealed; the collector starts a first collection.

    `connection_id` is new at each connect, so rows of two keys never mix. `run_id`
    is the run that the gateway has already told its caller.
    """

    subject: ClassVar[str] = "integration.connected"

    account_id: UUID
    source: Source
    connection_id: UUID
    key_version: int
    run_id: UUID

    @classmethod
    def of(
        cls,
        account_id: UUID,
        source: Source,
        connection_id: UUID,
        key_version: int,
        run_id: UUID,
    ) -> Self:
        """Say it: one message per connection."""
        return cls(
            message_id=fact_id(connection_id, "connected"),
            account_id=account_id,
            source=source,
            connection_id=connection_id,
            key_version=key_version,
            run_id=run_id,
        )


class IntegrationDisconnected(Message):
    """A connection ended; every service deletes what it holds of it."""

    subject: ClassVar[str] = "integration.disconnected"

    account_id: UUID
    source: Source
    connection_id: UUID

    @classmethod
    def of(cls, account_id: UUID, source: Source, connection_id: UUID) -> Self:
        """Say it: one message per connection."""
        return cls(
            message_id=fact_id(connection_id, "disconnected"),
            account_id=account_id,
            source=source,
            connection_id=connection_id,
        )
