"""The notifier put together: the only module that knows all of its parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from opseer_common.attempts import StoredAttempts
from opseer_common.bus import Bus
from opseer_common.clock import Clock, utc_now
from opseer_common.database import Database
from opseer_common.outbox import Relay
from opseer_common.run import Lifetime
from opseer_notifier import consumers, schedule
from opseer_notifier.actions import Building
from opseer_notifier.settings import Settings
from opseer_notifier.store import SCHEMA, PostgresStore


def build(
    settings: Settings, clock: Clock = utc_now
) -> Callable[[Lifetime], Awaitable[None]]:
    """Return what starts the service: database, bus, relay, sweep, in this order."""

    async def start(lifetime: Lifetime) -> None:
        database = await Database.connect(settings.database_url)
        lifetime.on_stop(database.close)
        store = PostgresStore(database)
        building = Building(store, clock)
        bus = Bus(
            "notifier",
            settings.nats_url,
            settings.nats_seed_file,
            StoredAttempts(database, SCHEMA),
        )
        consumers.listen(bus, building)
        lifetime.on_stop(bus.stop)
        await bus.start()
        lifetime.watch(bus.refused)
        lifetime.background(Relay(database, SCHEMA, bus.publish).run(), "relay")
        lifetime.background(schedule.run(store, building, clock), "sweep")

    return start
