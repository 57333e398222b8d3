"""The mrr service put together: the only module that knows all of its parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from opseer_common.attempts import StoredAttempts
from opseer_common.bus import Bus
from opseer_common.channels import CHANNELS
from opseer_common.database import Database
from opseer_common.outbox import Relay
from opseer_common.run import Lifetime
from opseer_mrr import consumers, schedule
from opseer_mrr.actions import Computing
from opseer_mrr.settings import Settings
from opseer_mrr.store.estimates import Estimates
from opseer_mrr.store.figures import SCHEMA, PostgresStore
from opseer_mrr.store.given import GivenStore


def build(settings: Settings) -> Callable[[Lifetime], Awaitable[None]]:
    """Return what starts the service: database, bus, relay, sweep, in this order."""

    async def start(lifetime: Lifetime) -> None:
        database = await Database.connect(settings.database_url)
        lifetime.on_stop(database.close)
        store = PostgresStore(database, frozenset(CHANNELS))
        computing = Computing(store, Estimates(database), GivenStore(database))
        bus = Bus(
            "mrr",
            settings.nats_url,
            settings.nats_seed_file,
            StoredAttempts(database, SCHEMA),
        )
        consumers.listen(bus, computing)
        lifetime.on_stop(bus.stop)
        await bus.start()
        lifetime.watch(bus.refused)
        lifetime.background(Relay(database, SCHEMA, bus.publish).run(), "relay")
        lifetime.background(schedule.run(store, computing), "sweep")

    return start
