"""The collector as a process that is killed, and another one that comes after it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from opseer_common import sealing
from opseer_common.clock import utc_now
from opseer_common.testing.servers import FreshBus, FreshDatabase

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany


def environment_of(
    database: FreshDatabase, bus: FreshBus, collector: Collector, folder: Path
) -> dict[str, str]:
    """Return what a collector process reads."""
    keys = folder / "keys.json"
    keys.write_bytes(sealing.private_document(collector.sealed.ring))
    seed = bus.seed_file("collector")
    return {
        "OPSEER_DATABASE_URL": database.login_url("collector"),
        "OPSEER_NATS_URL": bus.url,
        **({} if seed is None else {"OPSEER_NATS_SEED_FILE": str(seed)}),
        "OPSEER_SEALING_KEY_FILE": str(keys),
        "OPSEER_STRIPE_API_BASE": collector.company.base,
        "OPSEER_STRIPE_RATE": "500",
    }


@asynccontextmanager
async def started(
    environment: dict[str, str],
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a collector process; none is left behind."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "opseer_collector"),
        env=environment,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_killed_process_leaves_a_run_that_another_finishes(
    database: FreshDatabase,
    bus: FreshBus,
    company: StripeCompany,
    collector: Collector,
    tmp_path: Path,
) -> None:
    """Kill -9 in mid-run, the lease ends, the next process shows the same figures."""
    company.now = utc_now()
    environment = environment_of(database, bus, collector, tmp_path)
    made = await collector.connect()
    company.account.latency_ms = 100
    async with started(environment) as first, asyncio.timeout(30):
        while company.account.calls.total() < 5:
            await asyncio.sleep(0.01)
        first.kill()
        assert await first.wait() == -signal.SIGKILL
    assert (await collector.run(made))["state"] == "running"
    await collector.sealed.execute(
        "UPDATE collector.run SET leased_until = now() - interval '1 second'"
    )
    company.account.latency_ms = 0
    async with started(environment) as second, asyncio.timeout(30):
        while (await collector.connection(made))["state"] != "connected":
            await asyncio.sleep(0.05)
        second.terminate()
        assert await second.wait() == 0
    collected_at = (await collector.connection(made))["last_collected_at"]
    assert await collector.figures(made) == company.truth(at=collected_at)
    assert (await collector.run(made))["fence"] == 2
