"""What each service may do on the bus: an nkey per service, deny by default."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from opseer_common.contracts import (
    CollectionFailed,
    CollectionProgressed,
    CollectionRequested,
    IntegrationConnected,
    IntegrationDisconnected,
    Message,
    MrrComputed,
    ReportBuilt,
    ReportDelivered,
    RevenueCollected,
)
from opseer_common.topology import HEARS, dead_letter_subject

SAYS: Mapping[str, tuple[type[Message], ...]] = MappingProxyType(
    {
        "gateway": (
            IntegrationConnected,
            IntegrationDisconnected,
            CollectionRequested,
        ),
        "collector": (RevenueCollected, CollectionFailed, CollectionProgressed),
        "mrr": (MrrComputed,),
        "notifier": (ReportBuilt, ReportDelivered),
    }
)
"""Which service says which messages; a test compares it with the code."""

ADMIN = "provision"
USERS: tuple[str, ...] = (ADMIN, *SAYS)
"""The users of the bus. The admin's seed is used by `opseer migrate` alone."""


def inbox_prefix(service: str) -> str:
    """Return the prefix of the replies that only `service` may read."""
    return f"_INBOX_{service}"


def may_publish(service: str) -> tuple[str, ...]:
    """Return every subject that `service` may publish to."""
    subjects = [message.subject for message in SAYS[service]]
    for message in HEARS.get(service, ()):
        stream, durable = message.stream(), message.durable(service)
        subjects += [
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
            f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
            f"$JS.ACK.{stream}.{durable}.>",
            dead_letter_subject(durable),
        ]
    return tuple(subjects)


def may_subscribe(service: str) -> tuple[str, ...]:
    """Return every subject that `service` may subscribe to."""
    own = f"{inbox_prefix(service)}.>"
    return (own, CollectionProgressed.subject) if service == "gateway" else (own,)


def accounts_block(public_keys: Mapping[str, str]) -> str:
    """Return the `accounts` part of a nats-server configuration.

    `public_keys` has one nkey public key per name in `USERS`.
    """
    users = [f"      {{ nkey: {public_keys[ADMIN]} }}"]
    users += [_user(name, public_keys[name]) for name in SAYS]
    lines = ",\n".join(users)
    return (
        "accounts {\n"
        "  OPSEER {\n"
        "    jetstream: enabled\n"
        "    users: [\n"
        f"{lines}\n"
        "    ]\n"
        "  }\n"
        "}\n"
    )


def _user(service: str, public_key: str) -> str:
    """Return one user with its rights."""
    publish = ", ".join(f'"{subject}"' for subject in may_publish(service))
    subscribe = ", ".join(f'"{subject}"' for subject in may_subscribe(service))
    return (
        f"      {{ nkey: {public_key}, permissions: {{\n"
        f"          publish: [{publish}],\n"
        f"          subscribe: [{subscribe}] }} }}"
    )
