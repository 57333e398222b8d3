"""Accounts with something in every place that an answer is made of, and its marks.

Whatever belongs to a tenant carries its mark or one of its ids, so that a test can tell
whose an answer is. Written as the administrator, without the services.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import msgspec

from opseer_common import tokens
from opseer_common.clock import utc_now
from opseer_common.testing.gateway import Owner
from opseer_common.testing.published import Connected, Publisher

_SEALED = b"\x02" + b"\x00" * 1079
_SLOW_HASH = "$argon2id$v=19$m=47104,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA"
_REVISION = 1


@dataclass(frozen=True, slots=True)
class Tenant:
    """One account, the ids that routes take, and what gives it away in an answer."""

    mark: str
    owner: Owner
    ids: Mapping[str, UUID]
    session: str
    day: date

    @property
    def marks(self) -> frozenset[str]:
        """Everything that no other tenant's answer may hold."""
        ids = (str(one) for one in (*self.ids.values(), self.owner.account_id))
        return frozenset((self.mark, self.owner.token, *ids))


async def furnish(admin_url: str, number: int) -> Tenant:
    """Make the account of a number; each is made once."""
    connection = await asyncpg.connect(admin_url)
    try:
        return await _made(connection, number)
    finally:
        await connection.close()


async def _made(connection: asyncpg.Connection[asyncpg.Record], number: int) -> Tenant:
    mark = f"tenant{number:03d}mark"
    day = utc_now().date() - timedelta(days=1)
    owner = Owner(uuid4(), tokens.new_api_token(), f"{mark}@example.com")
    names = ("token", "user", "invitation", "project", "destination", "delivery")
    ids = {f"{name}_id": uuid4() for name in names}
    session = tokens.new_opaque()
    of = await Publisher(connection).connect(owner.account_id)
    ids["connection_id"] = of.connection_id
    for statement, values in _people(owner, ids, mark, session):
        await connection.execute(statement, *values)
    await _collected(connection, of, mark, day)
    await _computed(connection, of, mark, day)
    await _told(connection, owner, ids, mark, day)
    return Tenant(mark, owner, ids, session, day)


def _people(
    owner: Owner, ids: Mapping[str, UUID], mark: str, session: str
) -> list[tuple[str, tuple[object, ...]]]:
    """Return what writes the account's own rows."""
    account, user = owner.account_id, ids["user_id"]
    return [
        (
            """
            INSERT INTO gateway.app_user (user_id, account_id, email, password_hash)
            VALUES ($1, $2, $3, $4)
            """,
            (user, account, owner.email, _SLOW_HASH),
        ),
        (
            "INSERT INTO gateway.session VALUES ($1, $2, $3)",
            (tokens.hash_of(session), account, user),
        ),
        (
            """
            INSERT INTO gateway.api_token (token_id, account_id, token_hash, name, hint)
            VALUES ($1, $2, $3, 'the one that is used', '…'), ($4, $2, $5, $6, '…')
            """,
            (
                uuid4(),
                account,
                tokens.hash_of(owner.token),
                ids["token_id"],
                secrets.token_bytes(32),
                mark,
            ),
        ),
        (
            """
            INSERT INTO gateway.invitation VALUES ($1, $2, $3, $4, 'member', now(),
                now() + interval '7 days')
            """,
            (
                ids["invitation_id"],
                account,
                secrets.token_bytes(32),
                f"guest-{owner.email}",
            ),
        ),
        (
            "INSERT INTO gateway.project VALUES ($1, $2, $3)",
            (ids["project_id"], account, mark),
        ),
    ]


async def _collected(
    connection: asyncpg.Connection[asyncpg.Record],
    of: Connected,
    mark: str,
    day: date,
) -> None:
    """Write what a collection of yesterday leaves."""
    publisher, key = Publisher(connection), (of.account_id, of.connection_id)
    await publisher.publish(of, _REVISION, utc_now(), permissions={"events": "ok"})
    await publisher.daily(of, day, 1_500, 1)
    at = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp())
    await connection.execute(
        """
        INSERT INTO collector.charge VALUES ($1, 'stripe', $2, 'ch_' || $3::text, $4,
            1500, 'usd', 'succeeded', false, NULL, 'cus_' || $3, 1)
        """,
        *(*key, mark, at),
    )
    await connection.execute(
        """
        INSERT INTO collector.balance_transaction VALUES ($1, 'stripe', $2,
            'txn_' || $3::text, $4, 1500, 30, 1470, 'usd', NULL, 'charge', 'charge',
            'ch_' || $3, 1)
        """,
        *(*key, mark, at),
    )
    await connection.execute(
        """
        INSERT INTO collector.name VALUES
            ($1, 'stripe', $2, 'customer', 'cus_' || $3::text, $3, $3 || '@example.com',
             1),
            ($1, 'stripe', $2, 'product', 'prod_' || $3, $3, NULL, 1)
        """,
        *(*key, mark),
    )


async def _computed(
    connection: asyncpg.Connection[asyncpg.Record],
    of: Connected,
    mark: str,
    day: date,
) -> None:
    """Write what is computed from it."""
    publisher, key = Publisher(connection), (of.account_id, of.connection_id)
    await publisher.computed(of, _REVISION)
    await publisher.movement(of, day, 5_000)
    price = {
        "price_id": f"price_{mark}",
        "product_id": f"prod_{mark}",
        "nickname": mark,
        "interval": "month",
        "interval_count": 1,
    }
    await connection.execute(
        """
        INSERT INTO mrr.movement_change VALUES ($1, 'stripe', $2, $4,
            'sub_' || $3::text, 0, 'cus_' || $3, 'new', 'new', 'usd', 0, 5000, 5000,
            ARRAY['evt_' || $3], '{"before": [], "after": []}', $5, false, 'new', false)
        """,
        *(*key, mark, day, msgspec.json.encode([price]).decode()),
    )
    await connection.execute(
        """
        INSERT INTO mrr.plan VALUES ($1, 'stripe', $2, 'price_' || $3::text,
            'prod_' || $3, $3, 'month', 1, 'usd', 5000, 5000, 1)
        """,
        *(*key, mark),
    )
    await connection.execute(
        """
        INSERT INTO mrr.snapshot (account_id, source, connection_id, day, currency,
            mrr_minor, active_subscriptions, policy, policy_version, timezone,
            complete, as_of)
        VALUES ($1, 'stripe', $2, $3, 'usd', 5000, 1, '{}', 1, 'UTC', true, now())
        """,
        *(*key, day),
    )


async def _told(
    connection: asyncpg.Connection[asyncpg.Record],
    owner: Owner,
    ids: Mapping[str, UUID],
    mark: str,
    day: date,
) -> None:
    """Write the report of yesterday, and where it went."""
    account, user = owner.account_id, ids["user_id"]
    report = {"date": str(day), "timezone": "UTC", "title": mark, "channels": []}
    await connection.execute(
        "INSERT INTO notifier.report VALUES ($1, $2, 'UTC', 1, $3, now())",
        *(account, day, msgspec.json.encode(report).decode()),
    )
    await connection.execute(
        """
        INSERT INTO notifier.destination (destination_id, account_id, user_id, kind,
            name, hint, sealed, created_at)
        VALUES ($1, $2, $3, 'slack', $4, $4, $5, now())
        """,
        *(ids["destination_id"], account, user, mark, _SEALED),
    )
    await connection.execute(
        """
        INSERT INTO notifier.delivery (delivery_id, account_id, user_id, destination_id,
            channel, hint, kind, day, body, state, due_at, not_before, created_at)
        VALUES ($1, $2, $3, $4, 'slack', $5, 'daily', $6, '{}', 'sent', now(), now(),
            now())
        """,
        *(ids["delivery_id"], account, user, ids["destination_id"], mark, day),
    )
