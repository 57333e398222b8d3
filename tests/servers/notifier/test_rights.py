"""What the gateway may do with the notifier's rows, and what it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from opseer_common.testing.alerts import NINE

if TYPE_CHECKING:
    from tests.servers.notifier.conftest import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT sealed FROM notifier.destination",
        "SELECT d::text FROM notifier.destination d",
        "SELECT 1 FROM notifier.destination WHERE sealed > '\\x00'",
        "SELECT body FROM notifier.delivery",
        "SELECT unsubscribe_hash FROM notifier.destination",
        "UPDATE notifier.destination SET state = 'active'",
        "DELETE FROM notifier.delivery",
        "INSERT INTO notifier.told VALUES (gen_random_uuid(), gen_random_uuid(), '')",
    ],
)
async def test_the_gateway_reads_no_secret_and_writes_no_row(
    world: World, statement: str
) -> None:
    """Addresses go in by a function and never come back; the log has no bodies."""
    of = await world.subscriber(uuid4(), "webhook")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with world.alerts.gateway.transaction(of[0]) as connection:
            await connection.execute(statement)


async def test_functions_work_for_the_transactions_account_alone(
    world: World,
) -> None:
    """Another account's id is refused, another user's destination is not there."""
    mine = await world.subscriber(uuid4(), "webhook")
    theirs = await world.subscriber(uuid4(), "webhook")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with world.alerts.gateway.transaction(mine[0]) as connection:
            await connection.execute(
                "SELECT notifier.delete_destination($1, $2, $3)", *theirs, uuid4()
            )
    [row] = await world.published.fetch(
        "SELECT destination_id FROM notifier.destination WHERE user_id = $1", theirs[1]
    )
    name = row["destination_id"]
    assert await world.alerts.ask(mine, "test", name, NINE) is None
    assert await world.alerts.ask(theirs, "test", name, NINE) is not None
    async with world.alerts.gateway.transaction(mine[0]) as connection:
        gone = await connection.fetchval(
            "SELECT notifier.delete_destination($1, $2, $3)", *mine, name
        )
        assert gone is False
        seen = await connection.fetch("SELECT user_id FROM notifier.v1_destination")
    assert [one["user_id"] for one in seen] == [mine[1]]


async def test_everything_goes_with_the_account(world: World) -> None:
    """No row of a deleted user or account stays."""
    made = await world.connected()
    of = await world.subscriber(made.account_id, "webhook", threshold=0)
    await world.at(NINE)
    tables = ("alert_setting", "destination", "delivery", "movement_watch")
    await world.published.fetch(
        "DELETE FROM gateway.app_user WHERE user_id = $1", of[1]
    )
    for table in tables[:3]:
        assert await world.published.fetch(f"SELECT FROM notifier.{table}") == []
    await world.published.fetch("DELETE FROM gateway.account")
    for table in tables:
        assert await world.published.fetch(f"SELECT FROM notifier.{table}") == []
