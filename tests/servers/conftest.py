"""What the tests on real servers share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from opseer_common import sealing
from opseer_common.database import Database
from opseer_common.demo_account import DEMO_KEY, DEMO_KEYS
from opseer_common.run import Lifetime
from opseer_common.testing.gateway import SETUP_CODE, Owner, RunningGateway
from opseer_common.testing.listening import free_port, listening
from opseer_common.testing.pair import Pair
from opseer_common.testing.published import Publisher, publisher
from opseer_common.testing.servers import FreshBus, FreshDatabase
from opseer_gateway.app import build
from opseer_gateway.settings import Settings
from opseer_simulator.channels_mounted import ChannelKeys
from opseer_simulator.server import make_app
from opseer_simulator.simulation import Simulation


@pytest.fixture
async def pair(database: FreshDatabase, bus: FreshBus) -> AsyncIterator[Pair]:
    """Return a gateway and a collector on fresh streams."""
    databases = {
        name: await Database.connect(database.login_url(name))
        for name in ("gateway", "collector")
    }
    made = Pair(databases, bus)
    yield made
    for end in (made.gateway, made.collector):
        await end.stop()
    for opened in databases.values():
        await opened.close()


PROVIDER_KEYS = (
    *("rk_" + mode + letter * 24 for mode in ("live_", "test_") for letter in "Ab"),
    DEMO_KEY,
)
CHANNEL_KEYS = ChannelKeys(
    revenuecat=("sk_" + "C" * 24, DEMO_KEYS["revenuecat"]),
    polar=("polar_" + "oat_" + "C" * 24, DEMO_KEYS["polar"]),
    polar_sandbox=("polar_" + "oat_" + "S" * 24,),
)


class StartGateway(Protocol):
    """Starts a gateway with settings of one's own."""

    async def __call__(self, **settings: Any) -> RunningGateway:
        """Return it when it listens."""
        ...


@pytest.fixture
async def provider_url() -> AsyncIterator[str]:
    """Return the simulator's address; it knows the keys of `PROVIDER_KEYS`."""
    async with listening(_simulator()) as url:
        yield url


def _simulator() -> web.Application:
    simulation = Simulation(7, date(2026, 11, 24), 3)
    return make_app(simulation, PROVIDER_KEYS, CHANNEL_KEYS)


@pytest.fixture
async def start_gateway(
    database: FreshDatabase, bus: FreshBus, provider_url: str, tmp_path: Path
) -> AsyncIterator[StartGateway]:
    """Return what starts gateways; they end with the test."""
    async with _starter(database, bus, provider_url, tmp_path) as start:
        yield start


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_gateway(
    module_database: FreshDatabase,
    module_bus: FreshBus,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[RunningGateway]:
    """Return a gateway with demo data for all tests of a module, on its loop.

    Sign-up is open: each test makes an account of its own.
    """
    folder = tmp_path_factory.mktemp("gateway")
    async with (
        listening(_simulator()) as provider,
        _starter(module_database, module_bus, provider, folder) as start,
    ):
        yield await start(demo_api_base=provider)


@pytest_asyncio.fixture(loop_scope="module")
async def owner_of_own(shared_gateway: RunningGateway) -> Owner:
    """Return a new account on the shared gateway."""
    return await shared_gateway.sign_up(f"{uuid4().hex[:12]}@example.com")


@asynccontextmanager
async def _starter(
    database: FreshDatabase, bus: FreshBus, provider_url: str, folder: Path
) -> AsyncIterator[StartGateway]:
    public = folder / "sealing-public.json"
    public.write_bytes(sealing.public_document(sealing.generate().public()))
    delivery_ring = sealing.generate()
    delivery = folder / "delivery-public.json"
    delivery.write_bytes(sealing.public_document(delivery_ring.public()))
    private = folder / "delivery-key.json"
    private.write_bytes(sealing.private_document(delivery_ring))
    code = folder / "setup-code"
    code.write_text(SETUP_CODE + "\n")
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        )

        async def start(**settings: Any) -> RunningGateway:
            port = free_port()
            given = {
                "database_url": database.login_url("gateway"),
                "nats_url": bus.url,
                "nats_seed_file": bus.seed_file("gateway"),
                "sealing_public_file": public,
                "delivery_public_file": delivery,
                "setup_code_file": code,
                "port": port,
                "stripe_api_base": provider_url,
                "revenuecat_api_base": f"{provider_url}/revenuecat",
                "polar_api_base": f"{provider_url}/polar",
                "polar_sandbox_api_base": f"{provider_url}/polar-sandbox",
                "signup": "open",
            }
            await build(Settings(**{**given, **settings}))(Lifetime(stack, None))
            return RunningGateway(
                f"http://127.0.0.1:{port}", client, provider_url, database.admin_url
            )

        yield start


@pytest.fixture
async def gateway(start_gateway: StartGateway) -> RunningGateway:
    """Return a gateway whose sign-up is open."""
    return await start_gateway()


@pytest.fixture
async def owner(gateway: RunningGateway) -> Owner:
    """Return a signed-up account."""
    return await gateway.sign_up()


@pytest.fixture
async def world(database: FreshDatabase) -> AsyncIterator[Publisher]:
    """Return what writes as the services that a test does not run."""
    async with publisher(database) as found:
        yield found
