"""Alert settings, destinations and the delivery log: the notifier's rows.

They are read through its views and written through its functions, for the account that
the transaction works for.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID, uuid4

from opseer_common.database import Connection, Database, Row
from opseer_gateway.domain.alerts import Delivery, Destination, Stored
from opseer_gateway.domain.integrations import LastError
from opseer_gateway.domain.sealed import SealedDestination

_OPEN: Final = frozenset({"pending", "retrying"})
_DELIVERIES: Final = """
    SELECT delivery_id, destination_id, channel, hint, kind, day, state, attempts,
           error_code, error_detail, due_at, not_before, sent_at
    FROM notifier.v1_delivery d WHERE d.user_id = $1
"""


class AlertStore:
    """The notifier's views and functions."""

    def __init__(self, database: Database) -> None:
        """Read and write through `database`."""
        self._database = database

    async def owner(self, account_id: UUID) -> UUID | None:
        """Return the user that an API token stands for: the account's first owner."""
        async with self._database.transaction(account_id) as connection:
            found: UUID | None = await connection.fetchval(
                """
                SELECT user_id FROM gateway.app_user
                ORDER BY role = 'owner' DESC, created_at, user_id LIMIT 1
                """
            )
        return found

    async def zone(self, account_id: UUID) -> str:
        """Return the zone of the report's days: Stripe's, else the first channel's."""
        async with self._database.transaction(account_id) as connection:
            found: str | None = await connection.fetchval(
                """
                SELECT timezone FROM gateway.opseer_user_integration
                ORDER BY array_position(ARRAY['stripe', 'revenuecat', 'polar'], source)
                LIMIT 1
                """
            )
        return found or "UTC"

    async def read(
        self, account_id: UUID, user_id: UUID
    ) -> tuple[Stored | None, tuple[Destination, ...]]:
        """Return a user's settings, None before the first, and destinations."""
        async with self._database.snapshot(account_id) as connection:
            row = await connection.fetchrow(
                """
                SELECT sources, send_at, timezone, weekdays, weekly_digest,
                       movement_threshold_minor AS movement_threshold
                FROM notifier.v1_alert_setting WHERE user_id = $1
                """,
                user_id,
            )
            rows = await connection.fetch(
                """
                SELECT destination_id, kind, name, hint, state, error_code,
                       error_detail, created_at
                FROM notifier.v1_destination WHERE user_id = $1
                ORDER BY created_at, destination_id
                """,
                user_id,
            )
        return _stored(row) if row else None, tuple(_destination(one) for one in rows)

    async def write(
        self,
        of: tuple[UUID, UUID],
        settings: Stored,
        *,
        added: list[SealedDestination],
        removed: list[UUID],
        now: datetime,
    ) -> None:
        """Store the settings of (account, user) and change the destinations."""
        async with self._database.transaction(of[0]) as connection:
            await connection.execute(
                """
                SELECT notifier.put_alert_settings($1, $2, $3, $4, $5, $6, $7, $8, $9)
                """,
                *of,
                sorted(settings.sources),
                settings.send_at,
                settings.timezone,
                sorted(settings.weekdays),
                settings.weekly_digest,
                settings.movement_threshold,
                now,
            )
            for destination_id in removed:
                await connection.execute(
                    "SELECT notifier.delete_destination($1, $2, $3)",
                    *of,
                    destination_id,
                )
            for place, one in enumerate(added):
                # Their order is that of their making.
                made_at = now + timedelta(microseconds=place)
                await _add(connection, of, one, made_at)

    async def ask(
        self,
        of: tuple[UUID, UUID],
        kind: Literal["test", "resend"],
        what: UUID,
        now: datetime,
    ) -> UUID | None:
        """Ask for a test to a destination or a delivery again; return its id."""
        async with self._database.transaction(of[0]) as connection:
            found: UUID | None = await connection.fetchval(
                "SELECT notifier.ask_delivery($1, $2, $3, $4, $5, $6)",
                *of,
                *(kind, what, uuid4(), now),
            )
        return found

    async def deliveries(
        self, of: tuple[UUID, UUID], limit: int, after: UUID | None
    ) -> tuple[Delivery, ...]:
        """Return a user's deliveries, the newest first, from `after` on without it."""
        async with self._database.transaction(of[0]) as connection:
            rows = await connection.fetch(
                f"""
                {_DELIVERIES} AND ($3::uuid IS NULL OR EXISTS (
                    SELECT FROM notifier.v1_delivery last
                    WHERE last.user_id = $1 AND last.delivery_id = $3
                      AND (last.created_at, d.delivery_id)
                        > (d.created_at, last.delivery_id)))
                ORDER BY d.created_at DESC, d.delivery_id LIMIT $2
                """,
                *(of[1], limit, after),
            )
        return tuple(_delivery(row) for row in rows)

    async def delivery(
        self, of: tuple[UUID, UUID], delivery_id: UUID
    ) -> Delivery | None:
        """Return one of a user's deliveries."""
        async with self._database.transaction(of[0]) as connection:
            row = await connection.fetchrow(
                f"{_DELIVERIES} AND delivery_id = $2", *(of[1], delivery_id)
            )
        return _delivery(row) if row else None

    async def unsubscribe(self, token_hash: bytes, now: datetime) -> bool:
        """End the mail destination whose link it is; False where there is none."""
        async with self._database.transaction() as connection:
            return bool(
                await connection.fetchval(
                    "SELECT notifier.unsubscribe($1, $2)", token_hash, now
                )
            )


async def _add(
    connection: Connection, of: tuple[UUID, UUID], one: SealedDestination, now: datetime
) -> None:
    await connection.execute(
        "SELECT notifier.put_destination($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *of,
        *(one.destination_id, one.kind, one.name, one.hint, one.sealed),
        *(one.unsubscribe_hash, now),
    )


def _stored(row: Row) -> Stored:
    values = dict(row)
    return Stored(
        sources=frozenset(values.pop("sources")),
        weekdays=frozenset(values.pop("weekdays")),
        **values,
    )


def _destination(row: Row) -> Destination:
    values = dict(row)
    return Destination(last_error=_error(values), **values)


def _delivery(row: Row) -> Delivery:
    values = dict(row)
    not_before = values.pop("not_before")
    waits = values["state"] in _OPEN and not_before > values["due_at"]
    return Delivery(
        error=_error(values), next_attempt_at=not_before if waits else None, **values
    )


def _error(values: dict[str, str | None]) -> LastError | None:
    """Take the error out of a row."""
    code, detail = values.pop("error_code"), values.pop("error_detail")
    return LastError(code, detail or "") if code else None
