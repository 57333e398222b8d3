"""Answers that break the protocol itself: tried again, then the provider is away."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from opseer_collector.domain.fetching import ProviderAwayError
from opseer_collector.providers.attempts import UnreadableError
from opseer_collector.providers.session import PUBLIC_HOSTS, open_session
from opseer_collector.providers.stripe.client import Place, StripeClient
from opseer_collector.providers.stripe.pace import Pacer
from opseer_common.sealing import Secret

PLACE = Place("/v1/charges", "charges")
GOOD = b'{"ok": 1}'


def answer(body: bytes, length: int | None = None, *headers: str) -> bytes:
    """Return an answer whose length may be a lie."""
    lines = (
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    )
    return "\r\n".join((*lines, "", "")).encode() + body


class Wire:
    """A server that writes bytes, each connection's in one go, and then closes it."""

    def __init__(self, *answers: bytes) -> None:
        """Write these in order; the last one repeats."""
        self.answers = list(answers)
        self.asked = 0
        self.drip = 0.0

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one request."""
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            for part in [text] if not self.drip else [bytes([one]) for one in text]:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(self.drip)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def client_of(
    wire: Wire, scheme: str = "http", **limits: float
) -> AsyncIterator[StripeClient]:
    """Run the server, and a client of it that waits for nothing."""
    serving: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(wire.serve(reader, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    base = f"{scheme}://127.0.0.1:{port}"
    async with server, open_session(**limits) as session:
        key = Secret("rk_" + "test_" + "z" * 24)
        yield StripeClient(session, base, key, Pacer(5000), _no_sleep)
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)


async def get(client: StripeClient) -> dict[str, Any]:
    """Read the place."""
    return await client.get(PLACE, {"limit": "100"}, dict[str, Any])


@pytest.mark.parametrize(
    "broken",
    [
        answer(GOOD, len(GOOD) + 5),
        answer(GOOD, len(GOOD) - 2),
        answer(GOOD, None, "Content-Encoding: gzip"),
        answer(gzip.compress(GOOD)[:14], None, "Content-Encoding: gzip"),
        b"",
        b"no HTTP at all\r\n\r\n",
    ],
    ids=["too short", "too long", "no gzip", "cut gzip", "nothing", "no HTTP"],
)
async def test_a_broken_answer_is_asked_for_again(broken: bytes) -> None:
    """The connection is dropped, the next one serves; no half answer is taken."""
    wire = Wire(broken, answer(GOOD))
    async with client_of(wire) as client:
        assert await get(client) == {"ok": 1}
    assert wire.asked == 2


async def test_extra_bytes_are_of_no_answer() -> None:
    """They end the connection, and no later answer begins with them."""
    wire = Wire(answer(GOOD) + b"HTTP/1.1 200 OK", answer(GOOD))
    async with client_of(wire) as client:
        assert await get(client) == {"ok": 1}
        assert await get(client) == {"ok": 1}


async def test_a_server_that_never_answers_is_left() -> None:
    """Silence ends in a timeout, as often as is tried."""
    wire = Wire(answer(b"", 10))
    wire.drip = 0.5
    async with client_of(wire, sock_read=0.02) as client:
        with pytest.raises(ProviderAwayError):
            await get(client)
    assert wire.asked == 6


async def test_a_drip_ends_with_the_time_of_the_whole() -> None:
    """A byte now and then is no answer."""
    wire = Wire(answer(GOOD))
    wire.drip = 0.01
    async with client_of(wire, total=0.1, sock_read=0.08) as client:
        with pytest.raises(ProviderAwayError):
            await get(client)
    assert wire.asked == 6


async def test_without_tls_nothing_is_sent() -> None:
    """A server that cannot prove who it is never sees the key."""
    wire = Wire(answer(GOOD))
    async with client_of(wire, scheme="https", total=0.1) as client:
        with pytest.raises(ProviderAwayError):
            await get(client)
    assert wire.asked == 0


async def test_an_old_server_that_closes_each_time_is_fine() -> None:
    """HTTP/1.0 is an answer as well."""
    wire = Wire(answer(GOOD).replace(b"HTTP/1.1", b"HTTP/1.0"))
    async with client_of(wire) as client:
        assert await get(client) == {"ok": 1}


async def test_a_provider_does_not_live_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its name never leads to a private address; one set by hand may."""

    async def resolve(self: object, host: str, *_: object) -> list[dict[str, Any]]:
        """Find every name on this machine."""
        address = {"host": "127.0.0.1", "port": 443, "family": socket.AF_INET}
        return [{"hostname": host, **address, "proto": 0, "flags": 0}]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    async with open_session() as session:
        connector = session.connector
        assert isinstance(connector, aiohttp.TCPConnector)
        for host in PUBLIC_HOSTS:
            with pytest.raises(OSError, match="private"):
                await connector._resolver.resolve(host, 443)
        assert await connector._resolver.resolve("stripe.internal", 443)


async def test_a_name_that_leads_nowhere_is_a_provider_that_is_away() -> None:
    """No address, no answer."""
    async with open_session() as session:
        client = StripeClient(
            session, "http://nowhere.invalid", Secret("x"), Pacer(5000), _no_sleep
        )
        with pytest.raises(ProviderAwayError):
            await get(client)


async def _no_sleep(seconds: float) -> None:
    """Wait for nothing."""


async def test_nesting_without_end_is_unreadable() -> None:
    """A thousand levels are no page."""
    deep = b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b',"has_more":false}'
    async with client_of(Wire(answer(deep))) as client:
        with pytest.raises(UnreadableError):
            await get(client)
