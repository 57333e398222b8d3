"""A collector without its bus that collects from the company's app and shop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from tests.servers.driving import Driven

from opseer_collector.actions import Collecting, intake
from opseer_collector.domain.fetching import Provider
from opseer_collector.providers.polar.collect import PolarProvider
from opseer_collector.providers.revenuecat.collect import RevenueCatProvider
from opseer_collector.providers.session import open_session
from opseer_collector.store.connections import Connections
from opseer_collector.store.publishing import Publisher
from opseer_collector.store.rows import Rows
from opseer_collector.store.runs import Runs
from opseer_common.contracts import (
    CollectionProgressed,
    CollectionRequested,
    Source,
)
from opseer_common.contracts.collection import RunKind
from opseer_common.database import Database
from opseer_common.testing.listening import listening
from opseer_common.testing.sealed import SealedConnection, SealedKeys, sealed_keys
from opseer_common.testing.servers import FreshDatabase
from opseer_simulator.channels_mounted import ChannelKeys
from opseer_simulator.server import make_app
from opseer_simulator.simulation import Simulation

HASTE = 0.01
KEYS: Mapping[Source, str] = {
    "revenuecat": "sk_" + "AbCdEfGhIjKlMnOpQrSt",
    "polar": "polar_" + "oat_" + "AbCdEfGhIjKlMnOpQrSt",
}


class Company:
    """The simulator in this process, at an instant that tests move."""

    def __init__(self) -> None:
        """Open a company 130 days before now."""
        self.now = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
        epoch = (self.now - timedelta(days=130)).date()
        self.simulation = Simulation(1, epoch, 12, self.clock)
        channels = ChannelKeys((KEYS["revenuecat"],), (KEYS["polar"],))
        self.app = make_app(self.simulation, [], channels)
        self.base = ""
        self._client: aiohttp.ClientSession | None = None

    def clock(self) -> datetime:
        """Return the company's instant: the collector lives in it too."""
        return self.now

    def use(self, client: aiohttp.ClientSession) -> None:
        """Control it through `client`."""
        self._client = client

    async def truth(self, source: Source, **query: str) -> dict[date, dict[str, Any]]:
        """Return what the business's own ledger says, by day."""
        found = await self._call("GET", f"{source}/truth", params=query)
        return {date.fromisoformat(day["date"]): day for day in found["days"]}

    async def state(self, source: Source) -> dict[str, Any]:
        """Return how a channel stands."""
        found: dict[str, Any] = await self._call("GET", f"{source}/state")
        return found

    async def control(self, path: str, body: object) -> None:
        """Tell the simulator to behave differently."""
        await self._call("POST", path, json=body)

    async def calls(self, source: Source) -> Mapping[str, int]:
        """Return how often each path was asked, and ask from zero on."""
        found = await self._call("GET", f"{source}/calls")
        await self._call("DELETE", f"{source}/calls")
        paths: Mapping[str, int] = found["paths"]
        return paths

    async def restore(self) -> None:
        """Let both channels behave well again."""
        for source in KEYS:
            await self.control(f"{source}/key", {"state": "valid"})
            await self.control(f"{source}/permissions", {"missing": []})
            await self._call("DELETE", f"{source}/faults")
            await self.control(f"{source}/limits", {"domains": {}})
        await self.control("revenuecat/projects", {"count": 1})
        await self.control("revenuecat/stores", {"stripe": False})
        await self.control("revenuecat/shape", {})
        await self.control("polar/settings", {})

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        assert self._client is not None
        url = f"{self.base}/_control/{path}"
        async with self._client.request(method, url, **more) as answer:
            body = await answer.read()
            assert answer.status == 200, body
            return msgspec.json.decode(body)


class ChannelCollector(Driven):
    """One collector without its bus: what its runner and consumers call."""

    def __init__(
        self,
        own: Database,
        sealed: SealedKeys,
        company: Company,
        session: aiohttp.ClientSession,
    ) -> None:
        """Wire the real parts to the company's instant and server."""
        self.company = company
        self.sealed = sealed
        self.connections = Connections(own)
        self.runs = Runs(own, "test")
        self.clock = company.clock
        self.told: list[CollectionProgressed] = []
        self.waits: list[float] = []
        self.providers: dict[str, Provider] = {
            "revenuecat": RevenueCatProvider(
                session, {"live": f"{company.base}/revenuecat"}, self._sleep
            ),
            "polar": PolarProvider(
                session, {"live": f"{company.base}/polar"}, self._sleep
            ),
        }
        self.collecting = Collecting(
            (self.runs, Rows(own), Publisher(own)),
            self.providers,
            sealed.ring.open,
            self._announce,
            company.clock,
            heartbeat_seconds=0.05,
        )

    async def _sleep(self, seconds: float) -> None:
        """Note a wait, and wait a hundredth of it: a minute is over in 0.6 s."""
        self.waits.append(seconds)
        await asyncio.sleep(seconds * HASTE)

    async def _announce(self, message: CollectionProgressed) -> None:
        self.told.append(message)

    async def connect(
        self, source: Source, channel: object = None, **settings: Any
    ) -> SealedConnection:
        """Connect an account and hear of it."""
        made = await self.sealed.connect(
            KEYS[source], source=source, environment="live", **settings
        )
        await self.choose(made, channel or {})
        await self.connections.connected(made.begun(), self.company.now)
        return made

    async def collect(
        self, source: Source, channel: object = None, **settings: Any
    ) -> SealedConnection:
        """Connect an account and drive its first run."""
        made = await self.connect(source, channel, **settings)
        assert await self.drive_all() == 1
        return made

    async def choose(
        self, of: SealedConnection, channel: object, currency: str | None = None
    ) -> None:
        """Change what the gateway keeps of the channel: a new revision."""
        await self.sealed.execute(
            """
            UPDATE gateway.opseer_user_integration SET channel = $2,
                settlement_currency = $3, settings_revision = settings_revision + 1
            WHERE connection_id = $1
            """,
            of.connection_id,
            msgspec.json.encode(channel).decode(),
            currency,
        )

    async def ask(self, of: SealedConnection, kind: RunKind) -> UUID:
        """Hear that the gateway asks for a run, and drive it."""
        run_id = uuid4()
        asked = CollectionRequested.of(
            of.account_id, of.source, of.connection_id, run_id, kind
        )
        await self.connections.requested(asked, self.company.now)
        assert await self.drive_all() >= 1
        return run_id

    async def forget(self) -> None:
        """End what a test connected: its daily rounds are not the next one's."""
        rows = await self.sealed.fetch(
            "DELETE FROM gateway.opseer_user_integration RETURNING connection_id"
        )
        if rows:
            await self.connections.sweep(self.company.now)

    async def figures(self, of: SealedConnection) -> dict[date, dict[str, Any]]:
        """Return the published rows by day and name: value, reason, currency."""
        rows = await self.sealed.fetch(
            "SELECT * FROM collector.metric_daily WHERE connection_id = $1"
            " ORDER BY day, name",
            of.connection_id,
        )
        found: dict[date, dict[str, Any]] = {}
        for row in rows:
            found.setdefault(row["day"], {})[row["name"]] = dict(row)
        return found

    async def values(self, of: SealedConnection, name: str) -> dict[date, Any]:
        """Return the published values of one name by day."""
        figures = await self.figures(of)
        return {day: row[name]["value"] for day, row in figures.items() if name in row}

    async def connection(self, of: SealedConnection) -> dict[str, Any]:
        """Return the collector's own row."""
        [row] = await self.sealed.fetch(
            "SELECT * FROM collector.connection WHERE connection_id = $1",
            of.connection_id,
        )
        return {
            **dict(row),
            "permissions": msgspec.json.decode(row["permissions"]),
            "flags": set(row["flags"]),
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def company() -> AsyncIterator[Company]:
    """Return the company, listening."""
    made = Company()
    async with listening(made.app) as made.base, aiohttp.ClientSession() as client:
        made.use(client)
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_collector(
    module_database: FreshDatabase, company: Company
) -> AsyncIterator[ChannelCollector]:
    """Return the collector of a module's tests: each has accounts of its own."""
    own = await Database.connect(module_database.login_url("collector"))
    session = open_session()
    async with sealed_keys(module_database) as sealed:
        monkeypatch = pytest.MonkeyPatch()
        monkeypatch.setattr(intake, "_GATHER_SECONDS", 0)  # nobody comes meanwhile
        yield ChannelCollector(own, sealed, company, session)
        monkeypatch.undo()
    await session.close()
    await own.close()


@pytest_asyncio.fixture(loop_scope="module")
async def collector(
    shared_collector: ChannelCollector, company: Company
) -> AsyncIterator[ChannelCollector]:
    """Return the collector; what a test changes of the providers ends with it."""
    shared_collector.waits.clear()
    for source in KEYS:
        await company.calls(source)
    yield shared_collector
    await company.restore()
    await shared_collector.forget()
