"""A collector without its bus, and the made-up company that it collects from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from tests.servers.driving import Driven

from opseer_collector.actions import Collecting, Histories
from opseer_collector.domain.fetching import Environment
from opseer_collector.providers.session import open_session
from opseer_collector.providers.stripe.collect import StripeProvider
from opseer_collector.providers.stripe.history import StripeHistory
from opseer_collector.store.connections import Connections
from opseer_collector.store.history import HistoryStore
from opseer_collector.store.publishing import Publisher
from opseer_collector.store.rows import Rows
from opseer_collector.store.runs import Runs
from opseer_common.contracts import CollectionProgressed, CollectionRequested
from opseer_common.contracts.collection import RunKind
from opseer_common.database import Database
from opseer_common.testing.listening import listening
from opseer_common.testing.sealed import SealedConnection, SealedKeys, sealed_keys
from opseer_common.testing.servers import FreshDatabase
from opseer_simulator.control import ACCOUNT
from opseer_simulator.faults import Account
from opseer_simulator.office import Office
from opseer_simulator.server import make_app
from opseer_simulator.simulation import Simulation, truth_of


class StripeCompany:
    """The simulator in this process, at an instant that tests move."""

    key = "rk_" + "test_" + "a" * 24

    def __init__(
        self, seed: int = 1, script: Callable[[date], Office] | None = None
    ) -> None:
        """Open a company 130 days before now: of a seed, or as a script founds it."""
        self.now = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
        self.scripted = script is not None
        epoch = (self.now - timedelta(days=130)).date()
        found = None if script is None else partial(script, epoch)
        self.simulation = Simulation(seed, epoch, 60, self.clock, found)
        self.app = make_app(self.simulation, [self.key])
        self.base = ""

    @property
    def account(self) -> Account:
        """Return the switches of the account."""
        return self.app[ACCOUNT]

    def clock(self) -> datetime:
        """Return the company's instant: the collector lives in it too."""
        return self.now

    def truth(
        self, zone: str = "UTC", at: datetime | None = None
    ) -> list[tuple[Any, ...]]:
        """Return what the company's own ledger says about the 91 days up to `at`.

        Each is day, net, charges, their amount, refunds, their amount, failed
        payments, disputes.
        """
        today = (at or self.now).astimezone(ZoneInfo(zone)).date()
        first = today - timedelta(days=90)
        return [
            (
                *(day.date, day.net_revenue, day.charges_count, day.charges_amount),
                *(day.refunds_count, day.refunds_amount),
                *(day.failed_payments, day.disputes),
            )
            for day in truth_of(self.simulation, zone, first, today).days
        ]


@pytest.fixture
async def company(request: pytest.FixtureRequest) -> AsyncIterator[StripeCompany]:
    """Return the company that a test asks for, listening."""
    made = StripeCompany(**getattr(request, "param", {}))
    async with listening(made.app) as made.base:
        yield made


@pytest.fixture
async def sealed(database: FreshDatabase) -> AsyncIterator[SealedKeys]:
    """Return what writes integrations with keys that open."""
    async with sealed_keys(database) as found:
        yield found


class Collector(Driven):
    """One collector without its bus: what its runner and consumers call."""

    def __init__(
        self,
        own: Database,
        sealed: SealedKeys,
        company: StripeCompany,
        session: aiohttp.ClientSession,
    ) -> None:
        """Wire the real parts to the company's instant and server."""
        self.company = company
        self.sealed = sealed
        self.connections = Connections(own)
        self.runs = Runs(own, "test")
        self.clock = company.clock
        self.rows = Rows(own)
        self.publisher = Publisher(own)
        self.told: list[CollectionProgressed] = []
        self.bases: dict[Environment, str] = {"test": company.base}
        provider = StripeProvider(session, self.bases, rate=500, sleep=self._no_sleep)
        history = StripeHistory(
            session, {"test": company.base}, rate=500, sleep=self._no_sleep
        )
        self.collecting = Collecting(
            (self.runs, self.rows, self.publisher),
            {"stripe": provider},
            sealed.ring.open,
            self._announce,
            company.clock,
            heartbeat_seconds=0.05,
            histories=Histories(
                HistoryStore(own),
                {"stripe": history},
                (self.runs, self.rows, self.publisher),
                self._announce,
                company.clock,
                look_seconds=0,
            ),
        )

    async def _no_sleep(self, seconds: float) -> None:
        """Wait for nothing between tries."""

    async def _announce(self, message: CollectionProgressed) -> None:
        self.told.append(message)

    async def connect(self, timezone: str = "UTC") -> SealedConnection:
        """Connect an account and hear of it."""
        made = await self.sealed.connect(self.company.key, timezone=timezone)
        await self.connections.connected(made.begun(), self.company.now)
        return made

    async def collect(self, timezone: str = "UTC") -> SealedConnection:
        """Connect an account and drive its first run."""
        made = await self.connect(timezone)
        assert await self.drive_all() == 1
        return made

    async def request(self, of: SealedConnection, run_id: UUID, kind: RunKind) -> None:
        """Hear that the gateway asks for a run."""
        asked = CollectionRequested.of(
            of.account_id, "stripe", of.connection_id, run_id, kind
        )
        await self.connections.requested(asked, self.company.now)

    async def daily(self, of: SealedConnection) -> list[dict[str, Any]]:
        """Return the daily rows, ascending."""
        rows = await self.sealed.fetch(
            "SELECT * FROM collector.revenue_daily_cache WHERE connection_id = $1"
            " ORDER BY day",
            of.connection_id,
        )
        return [dict(row) for row in rows]

    async def figures(self, of: SealedConnection) -> list[tuple[Any, ...]]:
        """Return the figures of the daily rows, as `truth` has them."""
        return [
            (
                *(row["day"], row["net_revenue_minor"], row["charges_count"]),
                *(row["charges_amount_minor"], row["refunds_count"]),
                *(row["refunds_amount_minor"], row["failed_payments"]),
                row["disputes"],
            )
            for row in await self.daily(of)
        ]

    async def connection(self, of: SealedConnection) -> dict[str, Any]:
        """Return the collector's row of a connection."""
        [row] = await self.sealed.fetch(
            "SELECT * FROM collector.connection WHERE connection_id = $1",
            of.connection_id,
        )
        return dict(row)

    async def run(self, of: SealedConnection) -> dict[str, Any]:
        """Return the newest run of a connection."""
        rows = await self.sealed.fetch(
            "SELECT * FROM collector.run WHERE connection_id = $1"
            " ORDER BY created_at DESC, fence DESC LIMIT 1",
            of.connection_id,
        )
        return dict(rows[0])

    async def said(self) -> list[str]:
        """Return the subjects that wait to be carried to the bus."""
        rows = await self.sealed.fetch(
            "SELECT subject FROM collector.outbox ORDER BY id"
        )
        return [row["subject"] for row in rows]


@pytest.fixture
async def collector(
    database: FreshDatabase, sealed: SealedKeys, company: StripeCompany
) -> AsyncIterator[Collector]:
    """Return a collector of the company."""
    own = await Database.connect(database.login_url("collector"))
    async with open_session() as session:
        yield Collector(own, sealed, company, session)
    await own.close()
