"""Streams and durables: pure data, and the one step that lays them down.

Only `opseer migrate` applies this. Services bind to what is there: FastStream's own
declaring would overwrite a stream's limits with its defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from opseer_common.contracts import (
    MESSAGES,
    CollectionRequested,
    IntegrationConnected,
    IntegrationDisconnected,
    Message,
    MrrComputed,
    RevenueCollected,
)

DAY: Final = 86_400
DEADLETTER: Final = "DEADLETTER"
MAX_ATTEMPTS: Final = 6

HEARS: Mapping[str, tuple[type[Message], ...]] = MappingProxyType(
    {
        "collector": (
            IntegrationConnected,
            IntegrationDisconnected,
            CollectionRequested,
        ),
        "mrr": (RevenueCollected, IntegrationDisconnected),
        "notifier": (RevenueCollected, MrrComputed, IntegrationDisconnected),
    }
)
"""Which service hears which messages; a test compares it with the subscribers."""


def dead_letter_subject(durable: str) -> str:
    """Return the subject on which `durable` parks what it gives up."""
    return f"deadletter.{durable}"


def streams(replicas: int = 1) -> tuple[StreamConfig, ...]:
    """Return every stream. News is kept for a week, dead letters for 90 days."""
    subjects: dict[str, list[str]] = {}
    for message in MESSAGES:
        if message.stored:
            subjects.setdefault(message.stream(), []).append(message.subject)
    limits = dict.fromkeys(subjects, (7 * DAY, 64 << 20))
    subjects[DEADLETTER] = ["deadletter.*"]
    limits[DEADLETTER] = (90 * DAY, 16 << 20)
    return tuple(
        StreamConfig(
            name=name,
            subjects=subjects[name],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            max_age=limits[name][0],
            max_bytes=limits[name][1],
            duplicate_window=600,
            deny_delete=True,
            num_replicas=replicas,
            description="laid down by opseer migrate",
        )
        for name in subjects
    )


def consumers() -> tuple[tuple[str, ConsumerConfig], ...]:
    """Return every durable beside its stream.

    `max_deliver` is without limit: attempts are counted in Postgres, where trouble
    with the bus or the database does not count.
    """
    return tuple(
        (
            message.stream(),
            ConsumerConfig(
                durable_name=message.durable(service),
                filter_subject=message.subject,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=30,
                max_deliver=-1,
                max_ack_pending=64,
            ),
        )
        for service, messages in HEARS.items()
        for message in messages
    )


async def apply(js: JetStreamContext, replicas: int = 1) -> None:
    """Make or update every stream and durable."""
    for stream in streams(replicas):
        assert stream.name is not None  # noqa: S101 - for the type checker
        try:
            await js.stream_info(stream.name)
        except NotFoundError:
            await js.add_stream(stream)
        else:
            await js.update_stream(stream)
    for name, consumer in consumers():
        await js.add_consumer(name, consumer)
