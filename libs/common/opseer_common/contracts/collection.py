"""What is said about a collection: asked for, under way, failed for good."""

from __future__ import annotations

from typing import ClassVar, Literal, Self
from uuid import UUID

from opseer_common.contracts.message import Message, Source, fact_id

RunKind = Literal["first", "daily", "refresh", "recompute", "history"]
"""Why a run exists. `recompute` fetches nothing: it rebuilds figures from rows.
`history` reads older invoices, and nothing that exact figures are made of.
"""


class CollectionRequested(Message):
    """The gateway asks for a run: Refresh, changed settings, or older history."""

    subject: ClassVar[str] = "collection.requested"

    account_id: UUID
    source: Source
    connection_id: UUID
    run_id: UUID
    kind: RunKind

    @classmethod
    def of(
        cls,
        account_id: UUID,
        source: Source,
        connection_id: UUID,
        run_id: UUID,
        kind: RunKind,
    ) -> Self:
        """Say it: one message per run."""
        return cls(
            message_id=fact_id(run_id, "requested"),
            account_id=account_id,
            source=source,
            connection_id=connection_id,
            run_id=run_id,
            kind=kind,
        )


class CollectionFailed(Message):
    """A run ended without success and is not tried again. `code`: docs/ERRORS.md."""

    subject: ClassVar[str] = "collection.failed"

    account_id: UUID
    source: Source
    connection_id: UUID
    run_id: UUID
    code: str

    @classmethod
    def of(
        cls,
        account_id: UUID,
        source: Source,
        connection_id: UUID,
        run_id: UUID,
        code: str,
    ) -> Self:
        """Say it: one message per run."""
        return cls(
            message_id=fact_id(run_id, "failed"),
            account_id=account_id,
            source=source,
            connection_id=connection_id,
            run_id=run_id,
            code=code,
        )


class CollectionProgressed(Message):
    """A running collection got further. Not kept: whoever listens now hears it."""

    subject: ClassVar[str] = "collection.progressed"
    stored: ClassVar[bool] = False

    account_id: UUID
    source: Source
    run_id: UUID
    stage: str
    done: int
    total: int

    @classmethod
    def of(
        cls,
        account_id: UUID,
        source: Source,
        run_id: UUID,
        stage: str,
        done: int,
        total: int,
    ) -> Self:
        """Say how far the run is."""
        return cls(
            message_id=fact_id(run_id, f"progressed:{stage}:{done}"),
            account_id=account_id,
            source=source,
            run_id=run_id,
            stage=stage,
            done=done,
            total=total,
        )
