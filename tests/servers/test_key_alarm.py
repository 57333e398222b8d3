"""Keys that are opened too often, by the collector's login: who sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from opseer_common.database import Database
from opseer_common.testing.gateway import Owner, RunningGateway

if TYPE_CHECKING:
    from opseer_common.testing.servers import FreshDatabase

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEY = "rk_" + "test_" + "A" * 24
ROW = "/api/v1/integrations/stripe"
USUAL = 30


async def connected(gateway: RunningGateway, owner: Owner) -> None:
    """Connect the owner's account."""
    answer = await gateway.call("PUT", ROW, owner=owner, json={"api_key": KEY})
    assert answer.status == 201, answer.text


async def opened(
    gateway: RunningGateway, database: FreshDatabase, owner: Owner, times: int
) -> None:
    """Open the account's key so often, as the collector."""
    [row] = await gateway.fetch(
        """
        SELECT connection_id FROM gateway.opseer_user_integration
        WHERE account_id = $1
        """,
        owner.account_id,
    )
    collector = await Database.connect(database.login_url("collector"))
    try:
        async with collector.transaction(owner.account_id) as connection:
            for _ in range(times):
                record = await connection.fetch(
                    "SELECT FROM gateway.read_sealed_key($1, 'stripe', $2)",
                    *(owner.account_id, row["connection_id"]),
                )
                assert len(record) == 1
    finally:
        await collector.close()


async def notices(gateway: RunningGateway, owner: Owner) -> list[dict[str, Any]]:
    """Return the notices of the integration's row."""
    row = (await gateway.call("GET", ROW, owner=owner)).json
    found: list[dict[str, Any]] = row.get("notices", [])
    return found


async def measured(gateway: RunningGateway) -> dict[str, float]:
    """Return the gauges that name no route."""
    lines = (await gateway.call("GET", "/metrics")).text.splitlines()
    pairs = [line.split(" ") for line in lines if line.startswith("opseer_")]
    return {name: float(value) for name, value in pairs if "{" not in name}


async def test_a_key_opened_too_often_is_said(
    shared_gateway: RunningGateway, module_database: FreshDatabase
) -> None:
    """Thirty openings in an hour are usual; one more is in its row and in /metrics."""
    gateway = shared_gateway
    watched = await gateway.sign_up("watched@example.com")
    other = await gateway.sign_up("other@example.com")
    await connected(gateway, watched)
    await connected(gateway, other)
    await opened(gateway, module_database, watched, USUAL)
    assert await notices(gateway, watched) == []
    await opened(gateway, module_database, watched, 1)
    [notice] = await notices(gateway, watched)
    assert notice["code"] == "KEY_OPENINGS"
    assert "31 times within an hour" in notice["detail"]
    assert await notices(gateway, other) == []
    gauges = await measured(gateway)
    assert gauges["opseer_connections"] == 2
    assert gauges["opseer_key_openings"] == USUAL + 1
    assert gauges["opseer_key_alarms"] == 1


async def test_an_alarm_is_the_accounts_own(
    shared_gateway: RunningGateway, module_database: FreshDatabase
) -> None:
    """The gateway's login sees no alarm but of the account that it works for."""
    gateway = shared_gateway
    mine = await gateway.sign_up("mine@example.com")
    await connected(gateway, mine)
    await opened(gateway, module_database, mine, USUAL + 1)
    database = await Database.connect(module_database.login_url("gateway"))
    try:
        for account_id, count in ((mine.account_id, 1), (uuid4(), 0), (None, 0)):
            async with database.transaction(account_id) as connection:
                rows = await connection.fetch("SELECT FROM gateway.door_key_alarm")
            assert len(rows) == count
    finally:
        await database.close()


async def test_another_key_begins_anew(
    shared_gateway: RunningGateway, module_database: FreshDatabase
) -> None:
    """What was opened before does not stand against the key that replaced it."""
    gateway = shared_gateway
    owner = await gateway.sign_up("replaced@example.com")
    await connected(gateway, owner)
    await opened(gateway, module_database, owner, USUAL + 1)
    answer = await gateway.call("PUT", ROW, owner=owner, json={"api_key": KEY})
    assert answer.status == 200
    assert await notices(gateway, owner) == []
