"""Users with alerts, written as the gateway does: through its login and functions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from uuid import UUID, uuid4

from opseer_common.contracts.destination import Address, DestinationKind, encode
from opseer_common.database import Database
from opseer_common.sealing import DESTINATION, KeyRing, SealedFor, Secret, generate
from opseer_common.testing.servers import FreshDatabase

LONG_AGO = datetime(2026, 11, 24, 7, tzinfo=UTC)
EIGHT = datetime(2026, 11, 24, 8, tzinfo=UTC)
NINE = datetime(2026, 11, 24, 9, tzinfo=UTC)
YESTERDAY = date(2026, 11, 23)
"""The day that a report of that morning is about."""


@dataclass(frozen=True, slots=True)
class Alerts:
    """Writes alert settings and destinations through the gateway's login."""

    gateway: Database
    ring: KeyRing = field(default_factory=generate)

    async def user(self, account_id: UUID, *, plan: str = "max") -> UUID:
        """Make a user of an account, which is made too where it is missing."""
        user_id = uuid4()
        async with self.gateway.transaction(account_id) as connection:
            await connection.execute(
                """
                INSERT INTO gateway.account (account_id, plan) VALUES ($1, $2)
                ON CONFLICT DO NOTHING
                """,
                *(account_id, plan),
            )
            await connection.execute(
                """
                INSERT INTO gateway.app_user (user_id, account_id, email, password_hash)
                VALUES ($1, $2, $3, '!')
                """,
                *(user_id, account_id, f"{user_id}@example.com"),
            )
        return user_id

    async def settings(
        self,
        of: tuple[UUID, UUID],
        at: str = "09:00",
        timezone: str = "UTC",
        *,
        sources: Collection[str] = ("stripe", "revenuecat", "polar"),
        weekdays: Collection[int] = range(1, 8),
        weekly: bool = False,
        threshold: int | None = None,
    ) -> None:
        """Put the settings of (account, user), as of seven o'clock."""
        async with self.gateway.transaction(of[0]) as connection:
            await connection.execute(
                """
                SELECT notifier.put_alert_settings($1, $2, $3, $4, $5, $6, $7, $8, $9)
                """,
                *of,
                list(sources),
                time.fromisoformat(at),
                timezone,
                list(weekdays),
                weekly,
                threshold,
                LONG_AGO,
            )

    async def destination(
        self, of: tuple[UUID, UUID], kind: DestinationKind, address: Address
    ) -> UUID:
        """Add a destination of (account, user)."""
        destination_id = uuid4()
        place = SealedFor(of[0], str(destination_id), 1, DESTINATION)
        sealed = self.ring.public().seal(Secret(encode(address)), place)
        async with self.gateway.transaction(of[0]) as connection:
            await connection.execute(
                "SELECT notifier.put_destination($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                *of,
                *(destination_id, kind, f"My {kind}", "…", sealed, None, LONG_AGO),
            )
        return destination_id

    async def ask(
        self, of: tuple[UUID, UUID], kind: str, what: UUID, now: datetime
    ) -> UUID | None:
        """Ask for a test to a destination, or for a delivery again."""
        async with self.gateway.transaction(of[0]) as connection:
            found: UUID | None = await connection.fetchval(
                "SELECT notifier.ask_delivery($1, $2, $3, $4, $5, $6)",
                *of,
                *(kind, what, uuid4(), now),
            )
        return found


@asynccontextmanager
async def alerts(database: FreshDatabase) -> AsyncIterator[Alerts]:
    """Connect as the gateway."""
    opened = await Database.connect(database.login_url("gateway"), size=2)
    try:
        yield Alerts(opened)
    finally:
        await opened.close()
