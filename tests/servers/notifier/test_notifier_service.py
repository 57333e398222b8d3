"""Gateway and notifier together: what is set here is sent there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from opseer_common.run import Lifetime
from opseer_common.testing.gateway import Owner, RunningGateway
from opseer_common.testing.receivers import WEBHOOK_SECRET, Receivers, receivers
from opseer_common.testing.servers import FreshBus, FreshDatabase
from opseer_notifier import app as notifier
from opseer_notifier.settings import Settings

if TYPE_CHECKING:
    from tests.servers.conftest import StartGateway

ALERTS = "/api/v1/alerts"


@pytest.fixture
async def stand_ins() -> AsyncIterator[Receivers]:
    """Return where messages arrive."""
    async with receivers() as found:
        yield found


@pytest.fixture
async def running(
    start_gateway: StartGateway, database: FreshDatabase, bus: FreshBus, tmp_path: Path
) -> AsyncIterator[RunningGateway]:
    """Return a gateway beside a notifier that holds the other half of its key."""
    found = await start_gateway(allow_private_destinations=True)
    settings = Settings(
        database_url=database.login_url("notifier"),
        nats_url=bus.url,
        nats_seed_file=bus.seed_file("notifier"),
        delivery_key_file=tmp_path / "delivery-key.json",
        allow_private_destinations=True,
    )
    async with AsyncExitStack() as stack:
        await notifier.build(settings)(Lifetime(stack, None))
        yield found


async def ended(gateway: RunningGateway, owner: Owner, path: str) -> Any:
    """Return a delivery when it is not pending any more."""
    while True:
        found = (await gateway.call("GET", path, owner=owner)).json
        if found["state"] not in ("pending", "sent") or found["sent_at"]:
            return found
        await asyncio.sleep(0.05)


async def test_a_test_message_and_its_result(
    running: RunningGateway, stand_ins: Receivers
) -> None:
    """The address sealed here opens there; the log says how each attempt went."""
    owner = await running.sign_up()
    webhook = {"url": stand_ins.address("webhook"), "secret": WEBHOOK_SECRET}
    body = {"destinations": [{"kind": "webhook", **webhook}]}
    await running.call("PUT", ALERTS, owner=owner, json=body)
    asked = await running.call("POST", f"{ALERTS}/test", owner=owner)
    assert asked.status == 202
    path = f"/api/v1/deliveries/{asked.json['delivery_id']}"
    assert (await ended(running, owner, path))["state"] == "sent"
    [taken] = stand_ins.taken
    assert taken.headers["webhook-id"] == asked.json["delivery_id"]
    assert taken.body["type"] == "test"
    stand_ins.answers("webhook", 410)
    again = await running.call("POST", f"{path}/resend", owner=owner)
    assert again.json["delivery_id"] == asked.json["delivery_id"]
    async with asyncio.timeout(10):
        while (await ended(running, owner, path))["state"] != "disabled":
            await asyncio.sleep(0.05)
    shown = (await running.call("GET", ALERTS, owner=owner)).json
    [destination] = shown["destinations"]
    assert destination["state"] == "disabled"
    assert destination["last_error"]["code"] == "GONE"
