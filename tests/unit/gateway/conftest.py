"""A connected source, as the tests of what is behind figures need it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

import pytest

from opseer_gateway.domain.integrations import (
    Collecting,
    Connection,
    Environment,
    Known,
    Policy,
)

_NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Connect(Protocol):
    """Makes a connected source."""

    def __call__(
        self, environment: Environment = "live", **permissions: str
    ) -> Known: ...


@pytest.fixture
def connect() -> Connect:
    """Return what makes a connected Stripe account."""

    def make(environment: Environment = "live", **permissions: str) -> Known:
        connection = Connection(
            source="stripe",
            connection_id=UUID(int=9),
            run_id=UUID(int=1),
            run_kind="first",
            key_hint="…",
            environment=environment,
            livemode=environment == "live",
            timezone="UTC",
            policy=Policy(),
            settlement_currency=None,
            connected_at=_NOW,
        )
        collecting = Collecting(
            "connected", (), "usd", permissions, _NOW, _NOW, None, None
        )
        return Known("stripe", connection, collecting)

    return make
