"""The notifier put together: the only module that knows all of its parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from opseer_common.attempts import StoredAttempts
from opseer_common.bus import Bus
from opseer_common.clock import Clock, utc_now
from opseer_common.database import Database
from opseer_common.key_files import RingFile
from opseer_common.outbox import Relay
from opseer_common.run import Lifetime, every
from opseer_notifier import consumers, schedule
from opseer_notifier.actions.building import Building
from opseer_notifier.actions.delivering import Delivering
from opseer_notifier.actions.planning import Planning
from opseer_notifier.domain.parcel import Sender
from opseer_notifier.senders.discord import DiscordSender
from opseer_notifier.senders.mail import MailSender
from opseer_notifier.senders.others import AppriseSender
from opseer_notifier.senders.outbound import Outbound
from opseer_notifier.senders.slack import SlackSender
from opseer_notifier.senders.telegram import TelegramSender
from opseer_notifier.senders.webhook import WebhookSender
from opseer_notifier.settings import Settings
from opseer_notifier.store.deliveries import DeliveryStore
from opseer_notifier.store.notices import NoticeStore
from opseer_notifier.store.planning import PlanningStore
from opseer_notifier.store.reports import SCHEMA, PostgresStore


def build(
    settings: Settings, clock: Clock = utc_now
) -> Callable[[Lifetime], Awaitable[None]]:
    """Return what starts the service: database, bus, relay, then what runs by time."""

    async def start(lifetime: Lifetime) -> None:
        database = await Database.connect(settings.database_url, size=12)
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
        if settings.delivery_key_file is not None:
            ring = RingFile(settings.delivery_key_file)
            _deliver(lifetime, settings, Parts(database, store, ring, clock))

    return start


@dataclass(frozen=True, slots=True)
class Parts:
    """What delivering stands on."""

    database: Database
    figures: PostgresStore
    ring: RingFile
    clock: Clock


def _deliver(lifetime: Lifetime, settings: Settings, parts: Parts) -> None:
    """Start what plans, tells and sends."""
    clock = parts.clock
    planning = Planning(PlanningStore(parts.database), clock)
    notices = NoticeStore(parts.database)
    delivering = Delivering(
        DeliveryStore(parts.database),
        parts.figures,
        parts.ring,
        senders(lifetime, settings),
        clock,
        f"{settings.public_url}/dashboard" if settings.public_url else None,
    )
    lifetime.on_stop(delivering.close)
    lifetime.background(schedule.drain(planning.plan), "planning")
    lifetime.background(schedule.drain(delivering.deliver), "delivering")
    lifetime.background(
        every(schedule.TROUBLE_SECONDS, lambda: schedule.tell(notices, clock)),
        "troubles",
    )


def senders(lifetime: Lifetime, settings: Settings) -> Mapping[str, Sender]:
    """Return a sender per kind of destination; what they open ends with `lifetime`."""
    typed = Outbound(open_to_all=settings.allow_private_destinations)
    chosen = Outbound(open_to_all=True)
    for one in (typed, chosen):
        lifetime.on_stop(one.close)
    return {
        "slack": SlackSender(typed),
        "discord": DiscordSender(typed),
        "telegram": TelegramSender(chosen, settings.telegram_api_base),
        "email": MailSender(settings.smtp, settings.smtp_from, settings.public_url),
        "webhook": WebhookSender(typed),
        "apprise": AppriseSender(allowed=settings.allow_private_destinations),
    }
