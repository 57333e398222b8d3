"""Messages: subjects word for word, one id per fact, no room for a key."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest
from pydantic import ValidationError

from opseer_common.contracts import (
    MESSAGES,
    IntegrationConnected,
    RevenueCollected,
)

ACCOUNT, CONNECTION, RUN = UUID(int=1), UUID(int=2), UUID(int=3)


def collected(revision: int) -> RevenueCollected:
    """Say what was collected, at `revision`."""
    return RevenueCollected.of(
        account_id=ACCOUNT,
        source="stripe",
        connection_id=CONNECTION,
        run_id=RUN,
        first_day=date(2026, 1, 1),
        last_day=date(2026, 1, 2),
        revision=revision,
    )


def test_subjects_are_the_contracts() -> None:
    """Rule: exactly the subjects of the design, in the streams of their first word."""
    assert {m.subject: m.stream() if m.stored else None for m in MESSAGES} == {
        "integration.connected": "INTEGRATION",
        "integration.disconnected": "INTEGRATION",
        "collection.requested": "COLLECTION",
        "collection.failed": "COLLECTION",
        "collection.progressed": None,
        "revenue.collected": "REVENUE",
        "mrr.computed": "MRR",
        "report.built": "REPORT",
        "report.delivered": "REPORT",
    }


def test_one_fact_has_one_id() -> None:
    """Rule: saying a fact again is the same message; a new revision is another."""
    assert collected(1).message_id == collected(1).message_id
    assert collected(1).message_id != collected(2).message_id


def test_unknown_fields_are_ignored() -> None:
    """Rule: an older hearer understands a newer message with more fields."""
    newer = collected(1).model_dump(mode="json") | {"new_field": 1}
    assert RevenueCollected.model_validate(newer) == collected(1)


def test_a_newer_schema_version_is_not_guessed_at() -> None:
    """Rule: a changed meaning is refused, not half understood."""
    newer = collected(1).model_dump(mode="json") | {"schema_version": 2}
    with pytest.raises(ValidationError):
        RevenueCollected.model_validate(newer)


def test_a_message_has_no_field_for_a_key() -> None:
    """Rule: messages are pointers; no field takes key material or provider data."""
    fields = {name for m in MESSAGES for name in m.model_fields}
    assert fields == {
        "schema_version", "message_id", "account_id", "source", "connection_id",
        "key_version", "run_id", "kind", "code", "stage", "done", "total",
        "first_day", "last_day", "revision", "day", "delivery_id",
    }  # fmt: skip


def test_messages_do_not_change_once_said() -> None:
    """Rule: a message is frozen."""
    message = IntegrationConnected.of(ACCOUNT, "stripe", CONNECTION, 1, RUN)
    with pytest.raises(ValidationError):
        message.key_version = 2  # type: ignore[misc]
