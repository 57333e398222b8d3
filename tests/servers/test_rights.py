"""What each service's user may do on the bus, tried out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import nats
import pytest
from nats.aio.client import Client

from opseer_common import rights
from opseer_common.contracts import MESSAGES, CollectionProgressed
from opseer_common.testing.pair import Pair, until
from opseer_common.testing.servers import FreshBus

SERVICES = tuple(rights.SAYS)
FOREIGN = (
    "$JS.API.STREAM.MSG.GET.INTEGRATION",
    "$JS.API.DIRECT.GET.INTEGRATION",
    "$JS.API.STREAM.CREATE.EVIL",
    "$JS.API.STREAM.UPDATE.INTEGRATION",
    "$JS.API.STREAM.DELETE.INTEGRATION",
    "$JS.API.STREAM.PURGE.INTEGRATION",
    "$JS.API.STREAM.SNAPSHOT.INTEGRATION",
    "$JS.API.CONSUMER.CREATE.INTEGRATION",
    "$JS.API.CONSUMER.DURABLE.CREATE.INTEGRATION.evil",
    "$JS.API.CONSUMER.DELETE.REVENUE.mrr-revenue-collected",
    "$JS.API.STREAM.LIST",
    "$SYS.REQ.SERVER.PING",
    "deadletter.other",
)


@asynccontextmanager
async def user(bus: FreshBus, name: str) -> AsyncIterator[tuple[Client, list[str]]]:
    """Connect as a service; the list fills with what the server refuses."""
    refused: list[str] = []

    async def note(error: Exception) -> None:
        refused.append(str(error).lower())

    client = await nats.connect(
        bus.url,
        nkeys_seed=str(bus.seed_file(name)),
        inbox_prefix=rights.inbox_prefix(name).encode(),
        error_cb=note,
        allow_reconnect=False,
    )
    try:
        yield client, refused
    finally:
        await client.close()


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_publishes_its_own_subjects_alone(
    bus: FreshBus, name: str
) -> None:
    """Rule: every subject that is not said by a service is refused to it."""
    own = {message.subject for message in rights.SAYS[name]}
    others = {message.subject for message in MESSAGES} - own
    async with user(bus, name) as (client, refused):
        for subject in (*others, *FOREIGN):
            before = len(refused)
            await client.publish(subject, b"x")
            await client.flush()
            await until(lambda before=before: len(refused) > before)  # type: ignore[misc]
            assert "permissions violation" in refused[-1], subject
        before = len(refused)
        for subject in own:
            await client.publish(subject, b"x")
        await client.flush()
        await asyncio.sleep(0.1)
        assert len(refused) == before


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_reads_its_own_inbox_alone(bus: FreshBus, name: str) -> None:
    """Rule: no wildcard, no stream, no other service's replies."""
    foreign = [">", "_INBOX.>", "$JS.>", "$SYS.>", "integration.>", "*.connected"]
    foreign += [f"{rights.inbox_prefix(o)}.>" for o in SERVICES if o != name]
    if name != "gateway":
        foreign.append(CollectionProgressed.subject)
    async with user(bus, name) as (client, refused):
        for subject in foreign:
            before = len(refused)
            await client.subscribe(subject)
            await client.flush()
            await until(lambda before=before: len(refused) > before)  # type: ignore[misc]
            assert "permissions violation" in refused[-1], subject


async def test_a_stranger_is_not_let_in(bus: FreshBus) -> None:
    """Rule: no connection without one of the known keys."""
    address = urlsplit(bus.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"CONNECT {}\r\nPING\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    assert b"Authorization Violation" in answer
    assert b"PONG" not in answer


async def test_a_refused_right_ends_the_service(pair: Pair) -> None:
    """Rule: a denied publish is fatal, because waiting for it would be silent."""
    await pair.gateway.start()
    await pair.gateway._broker.publish(b"{}", "mrr.computed")
    with pytest.raises(Exception, match="permissions violation"):
        await asyncio.wait_for(pair.gateway.refused, 5)
