"""Notifiers that are killed while they send (kill -9), again and again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from opseer_common import sealing
from opseer_common.clock import utc_now
from opseer_common.contracts.daily_report import DailyReport, Metric, ReportChannel
from opseer_common.contracts.destination import SlackAddress, WebhookAddress
from opseer_common.testing.receivers import WEBHOOK_SECRET

if TYPE_CHECKING:
    from tests.servers.notifier.conftest import World

    from opseer_common.testing.servers import FreshBus

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.deep]
USERS = 60
_KEYS = ("mrr", "revenue", "orders", "new_subs", "churned")


def notifier(world: World, bus: FreshBus, folder: Path) -> subprocess.Popen[bytes]:
    """Start the service as a process of its own."""
    keys = folder / "delivery-key.json"
    keys.write_bytes(sealing.private_document(world.alerts.ring))
    environment = {
        "PATH": os.defpath,
        "OPSEER_DATABASE_URL": world.database.login_url("notifier"),
        "OPSEER_NATS_URL": bus.url,
        "OPSEER_DELIVERY_KEY_FILE": str(keys),
        "OPSEER_ALLOW_PRIVATE_DESTINATIONS": "1",
    }
    if (seed := bus.seed_file("notifier")) is not None:
        environment["OPSEER_NATS_SEED_FILE"] = str(seed)
    command = [sys.executable, "-m", "opseer_notifier"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


async def subscribers(world: World) -> None:
    """Make users who are due this minute, with a report that is whole."""
    at = utc_now().replace(second=0, microsecond=0)
    day = at.date() - timedelta(days=1)
    metrics = tuple(Metric(key, key, 1, 1, 1, "ok", None) for key in _KEYS)  # type: ignore[arg-type]
    channel = ReportChannel("stripe", "usd", "live", metrics)
    body = msgspec.json.encode(DailyReport(day, "UTC", "📊", (channel,))).decode()
    for number in range(USERS):
        made = await world.published.connect(
            (await world.published.fetch("SELECT gen_random_uuid() AS id"))[0]["id"]
        )
        of = await world.subscriber(made.account_id, at=f"{at:%H:%M}")
        slack = world.receivers.address("slack").replace("/B0/", f"/B{number}/")
        hook = WebhookAddress(world.receivers.address("webhook"), WEBHOOK_SECRET)
        await world.alerts.destination(of, "slack", SlackAddress(slack))
        await world.alerts.destination(of, "webhook", hook)
        await world.published.fetch(
            "INSERT INTO notifier.report VALUES ($1, $2, 'UTC', 1, $3, now())",
            *(made.account_id, day, body),
        )
    await world.published.fetch(
        "UPDATE notifier.alert_setting SET next_fire_at = $1", at
    )


async def sent(world: World) -> int:
    """Count what was written down as sent."""
    return (await world.states()).count("sent")


async def open_deliveries(world: World) -> int:
    """Count what is neither sent nor given up."""
    [row] = await world.published.fetch(
        """
        SELECT count(*) FILTER (WHERE d.state IN ('pending', 'retrying'))
            + (2 * (SELECT count(*) FROM notifier.alert_setting) - count(*)) AS n
        FROM notifier.delivery d
        """
    )
    return int(row["n"])


async def send_and_kill(world: World, process: subprocess.Popen[bytes]) -> None:
    """Kill a notifier when it has sent ten, or there is nothing left to send.

    Others are on their way then. Not when ten arrived: a notifier that is killed before
    the first answer gets nowhere, however often it is started.
    """
    try:
        before = await sent(world)
        while await open_deliveries(world):
            if await sent(world) >= before + 10:
                break
            await asyncio.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    # As if the minute of the leases had passed, and the time to the next attempt.
    await world.published.execute(
        "UPDATE notifier.delivery SET leased_until = now()"
        " WHERE leased_until IS NOT NULL;"
        "UPDATE notifier.delivery SET not_before = now() WHERE state = 'retrying'"
    )


async def test_nobody_gets_a_report_twice(
    world: World, module_bus: FreshBus, tmp_path: Path
) -> None:
    """Slack has no id to drop a second one by: each channel got one, or perhaps one.

    Webhooks all came; what came twice has the same id, at most once per kill.
    """
    await subscribers(world)
    world.receivers.slow = 0.2
    kills = 0
    async with asyncio.timeout(110):
        while await open_deliveries(world):
            await send_and_kill(world, notifier(world, module_bus, tmp_path))
            kills += 1
    rows = await world.log()
    states = Counter((row["channel"], row["state"]) for row in rows)
    assert len(rows) == 2 * USERS
    assert states["webhook", "sent"] == USERS
    assert states["slack", "sent"] + states["slack", "perhaps_sent"] == USERS
    taken = world.receivers.taken
    slack = Counter(one.path for one in taken if one.kind == "slack")
    assert max(slack.values()) == 1
    hooks = Counter(one.headers.get("webhook-id") for one in taken)
    del hooks[None]
    assert len(hooks) == USERS
    assert max(hooks.values()) <= kills
    assert kills > 1
