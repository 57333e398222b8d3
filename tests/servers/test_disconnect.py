"""A disconnect in the middle of a collection, with all four services at work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from opseer_collector import app as collector
from opseer_collector.settings import Settings as CollectorSettings
from opseer_common import sealing
from opseer_common.database import Connection
from opseer_common.run import Lifetime
from opseer_common.testing.gateway import SETUP_CODE, Owner, RunningGateway
from opseer_common.testing.listening import free_port, listening
from opseer_common.testing.servers import FreshBus, FreshDatabase
from opseer_gateway import app as gateway
from opseer_gateway.settings import Settings as GatewaySettings
from opseer_mrr import app as mrr
from opseer_mrr.settings import Settings as MrrSettings
from opseer_notifier import app as notifier
from opseer_notifier.settings import Settings as NotifierSettings
from opseer_simulator.server import make_app
from opseer_simulator.simulation import Simulation

KEYS = tuple("rk_" + "test_" + letter * 24 for letter in "AB")
PATH = "/api/v1/integrations/stripe"
POINTS = 20


@dataclass(frozen=True)
class Running:
    """Four services, an account, and the administrator's connection."""

    gateway: RunningGateway
    owner: Owner
    admin: Connection

    async def connect(self, key: str) -> None:
        """Connect and return at once."""
        answer = await self.gateway.call(
            "PUT", PATH, owner=self.owner, json={"api_key": key}
        )
        assert answer.status in (200, 201), answer.text

    async def disconnect(self) -> None:
        """Disconnect."""
        answer = await self.gateway.call("DELETE", PATH, owner=self.owner)
        assert answer.status == 204

    async def rows(self) -> dict[str, int]:
        """Return how many rows each table of the account holds, where it holds any."""
        names = await self.admin.fetch(
            """
            SELECT DISTINCT a.attrelid::regclass::text AS name FROM pg_attribute a
            JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
            WHERE a.attname IN ('connection_id', 'source')
              AND c.relnamespace::regnamespace::text
                  IN ('gateway', 'collector', 'mrr', 'notifier')
              AND a.attrelid::regclass::text NOT IN
                  ('gateway.audit', 'gateway.key_counter', 'gateway.key_access_log')
            """
        )
        found = {}
        for (name,) in names:
            count = await self.admin.fetchval(f"SELECT count(*) FROM {name}")  # noqa: S608
            if count:
                found[name] = count
        channels = await self.admin.fetchval(
            "SELECT count(*) FROM notifier.report WHERE body::text LIKE '%stripe%'"
        )
        return {**found, **({"report": channels} if channels else {})}

    async def until_computed(self) -> None:
        """Wait until figures of a connection are there."""
        async with asyncio.timeout(30):
            while not await self.admin.fetchval("SELECT count(*) FROM notifier.report"):
                await asyncio.sleep(0.02)


@pytest.fixture
async def running(
    database: FreshDatabase, bus: FreshBus, tmp_path: Path
) -> AsyncIterator[Running]:
    """Return four services against two made-up companies that answer slowly."""
    ring = sealing.generate()
    private, public, code = (tmp_path / name for name in ("private", "public", "code"))
    private.write_bytes(sealing.private_document(ring))
    public.write_bytes(sealing.public_document(ring.public()))
    code.write_text(SETUP_CODE)
    port = free_port()
    async with AsyncExitStack() as stack:
        app = make_app(Simulation(7, date(2026, 11, 24), 3), KEYS)
        base = await stack.enter_async_context(listening(app))

        def wired(service: str) -> dict[str, object]:
            return {
                "database_url": database.login_url(service),
                "nats_url": bus.url,
                "nats_seed_file": bus.seed_file(service),
            }

        settings = GatewaySettings(
            **wired("gateway"),  # type: ignore[arg-type]
            sealing_public_file=public,
            setup_code_file=code,
            port=port,
            stripe_api_base=base,
            signup="open",
        )
        await gateway.build(settings)(Lifetime(stack, None))
        await collector.build(
            CollectorSettings(
                **wired("collector"),  # type: ignore[arg-type]
                sealing_key_file=private,
                stripe_api_base=base,
                stripe_rate=500,
            )
        )(Lifetime(stack, None))
        await mrr.build(MrrSettings(**wired("mrr")))(Lifetime(stack, None))  # type: ignore[arg-type]
        await notifier.build(NotifierSettings(**wired("notifier")))(  # type: ignore[arg-type]
            Lifetime(stack, None)
        )
        session = await stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        )
        found = RunningGateway(
            f"http://127.0.0.1:{port}", session, base, database.admin_url
        )
        admin = await asyncpg.connect(database.admin_url)
        stack.push_async_callback(admin.close)
        yield Running(found, await found.sign_up("owner@example.com"), admin)


@pytest.mark.parametrize(
    "points",
    [pytest.param(4, id="4"), pytest.param(POINTS, marks=pytest.mark.deep, id="20")],
)
async def test_nothing_is_left_whenever_it_comes(running: Running, points: int) -> None:
    """Rule: at any point of a collection, 5 s later no row of the source is left.

    What late messages and a run under way still bring changes nothing, and the next
    connect, by another company's key, starts with none of the old rows.
    """
    began = time.monotonic()
    await running.connect(KEYS[0])
    await running.until_computed()
    whole = time.monotonic() - began
    await running.disconnect()
    for point in range(points):
        await running.connect(KEYS[point % 2])
        await asyncio.sleep(whole * point / points)
        await running.disconnect()
        deadline = time.monotonic() + 5
        while (left := await running.rows()) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        assert left == {}, f"after {point} of {points}"
    await asyncio.sleep(whole)
    assert await running.rows() == {}
    kept = await running.admin.fetch("SELECT what, source FROM gateway.audit")
    assert len([row for row in kept if row["source"] == "stripe"]) >= 2 * points
