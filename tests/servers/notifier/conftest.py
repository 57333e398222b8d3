"""A notifier's parts on a real database, and stand-ins for where messages go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest_asyncio

from opseer_common.contracts.destination import (
    Address,
    DestinationKind,
    DiscordAddress,
    SlackAddress,
    TelegramAddress,
    WebhookAddress,
)
from opseer_common.database import Database
from opseer_common.run import Lifetime
from opseer_common.testing.alerts import EIGHT, YESTERDAY, Alerts, alerts
from opseer_common.testing.published import Connected, Publisher, publisher
from opseer_common.testing.receivers import WEBHOOK_SECRET, Receivers, receivers
from opseer_common.testing.servers import FreshDatabase
from opseer_notifier import schedule
from opseer_notifier.actions.building import Building
from opseer_notifier.actions.delivering import Delivering
from opseer_notifier.actions.planning import Planning
from opseer_notifier.app import senders
from opseer_notifier.settings import Settings
from opseer_notifier.store.deliveries import DeliveryStore
from opseer_notifier.store.notices import NoticeStore
from opseer_notifier.store.planning import PlanningStore
from opseer_notifier.store.reports import PostgresStore


class Time:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = EIGHT

    def __call__(self) -> datetime:
        """Return the instant that it was set to."""
        return self.now


@dataclass(slots=True)
class World:
    """One notifier, the services that it reads, and those that it writes to."""

    clock: Time
    published: Publisher
    alerts: Alerts
    receivers: Receivers
    building: Building
    planning: Planning
    delivering: Delivering
    notices: NoticeStore
    database: FreshDatabase

    async def at(self, when: datetime) -> None:
        """Set the clock and do what is due then."""
        self.clock.now = when
        await self.planning.plan()
        await schedule.tell(self.notices, self.clock)
        await self.delivering.deliver()
        await self.delivering.settled()

    async def connected(self, *, until: date = YESTERDAY) -> Connected:
        """Return a Stripe connection of a new account with ten days of figures."""
        found = await self.published.connect(uuid4())
        await self.collect(found, until)
        return found

    async def collect(self, of: Connected, until: date, revision: int = 1) -> None:
        """Publish ten days of figures, and build reports of them."""
        for back in range(10):
            day = until - timedelta(days=back)
            await self.published.daily(of, day, 48_527, 17)
            if not await self.published.fetch(
                "SELECT FROM mrr.movement WHERE connection_id = $1 AND day = $2",
                *(of.connection_id, day),
            ):
                await self.published.movement(of, day, 1_231_725)
        await self.published.publish(of, revision, self.clock.now)
        await self.published.computed(of, revision)
        await self.building.build(of.account_id)

    def address(self, kind: DestinationKind) -> Address:
        """Return an address at the stand-ins."""
        if kind == "slack":
            return SlackAddress(self.receivers.address(kind))
        if kind == "discord":
            return DiscordAddress(self.receivers.address(kind))
        if kind == "telegram":
            return TelegramAddress("1:token", "42")
        return WebhookAddress(self.receivers.address("webhook"), WEBHOOK_SECRET)

    async def subscriber(
        self, account_id: UUID, *kinds: DestinationKind, **settings: Any
    ) -> tuple[UUID, UUID]:
        """Return (account, user) of a user with a destination of each kind."""
        of = account_id, await self.alerts.user(account_id)
        await self.alerts.settings(of, **settings)
        for kind in kinds:
            await self.alerts.destination(of, kind, self.address(kind))
        return of

    async def log(self) -> list[dict[str, Any]]:
        """Return every delivery, the oldest first."""
        rows = await self.published.fetch(
            "SELECT * FROM notifier.delivery ORDER BY due_at, channel, kind"
        )
        return [dict(row) for row in rows]

    async def states(self) -> list[str]:
        """Return the state of every delivery."""
        return [row["state"] for row in await self.log()]


_FORGET = """
    DELETE FROM gateway.account; DELETE FROM collector.connection;
    DELETE FROM collector.revenue_daily_cache; DELETE FROM mrr.computed;
    DELETE FROM mrr.movement; DELETE FROM mrr.movement_change;
    DELETE FROM notifier.report; DELETE FROM notifier.built_from;
    DELETE FROM notifier.outbox;
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parts(module_database: FreshDatabase) -> AsyncIterator[World]:
    """Return a notifier for all tests of a module."""
    async with AsyncExitStack() as stack:
        own = await Database.connect(module_database.login_url("notifier"), size=4)
        stack.push_async_callback(own.close)
        stand_ins = await stack.enter_async_context(receivers())
        writer = await stack.enter_async_context(alerts(module_database))
        clock = Time()
        settings = Settings(
            database_url="",
            nats_url="",
            allow_private_destinations=True,
            telegram_api_base=stand_ins.url,
        )
        figures = PostgresStore(own)
        yield World(
            clock=clock,
            published=await stack.enter_async_context(publisher(module_database)),
            alerts=writer,
            receivers=stand_ins,
            building=Building(figures, clock),
            planning=Planning(PlanningStore(own), clock),
            delivering=Delivering(
                DeliveryStore(own),
                figures,
                writer.ring,
                senders(Lifetime(stack, None), settings),
                clock,
                "https://opseer.example/dashboard",
            ),
            notices=NoticeStore(own),
            database=module_database,
        )


@pytest_asyncio.fixture(loop_scope="module")
async def world(parts: World) -> AsyncIterator[World]:
    """Return the notifier at 08:00 UTC, with nothing stored and nothing received."""
    parts.clock.now = EIGHT
    parts.receivers.forget()
    yield parts
    await parts.published.execute(_FORGET)
