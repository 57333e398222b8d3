"""Connections that do not get to the point, with short timers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from opseer_gateway.web import bodies, guard
from opseer_gateway.web.bodies import BodyTimer
from opseer_gateway.web.problems import problems

SHORT = 0.3
PATIENT = 20
"""So long that what ends a connection sooner is not the timer."""
LARGE = 32 * 1024 * 1024
"""Far more than the kernel keeps for a peer that does not read."""
HEAD = b"POST /x HTTP/1.1\r\nHost: localhost\r\n"


class QuickHandler(guard.GuardedHandler):
    """Waits for a head for a moment only."""

    __slots__ = ()
    head_seconds = SHORT
    take_seconds = SHORT


@pytest.fixture
def shared() -> set[str]:
    """Return the addresses that many visitors come from."""
    return set()


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch, shared: set[str]) -> AsyncIterator[int]:
    """Return the port of a guarded server that answers with what it got."""
    monkeypatch.setattr(guard.GuardedServer, "handler", QuickHandler)

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def large(_: web.Request) -> web.Response:
        return web.Response(body=bytes(LARGE))

    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(SHORT * 3)
        return web.Response(body=b"ok")

    app = web.Application(middlewares=[problems, BodyTimer(SHORT).middleware])
    app.router.add_post("/x", echo)
    app.router.add_get("/large", large)
    app.router.add_get("/slow", slow)
    runner = guard.GuardedRunner(
        app, is_shared=shared.__contains__, access_log=None, lingering_time=0.1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def send(port: int, *parts: bytes, pause: float = 0) -> bytes:
    """Send parts with pauses; return the answer, nothing if cut off without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(2000), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_production_timers() -> None:
    """A head has 5 s, a body 10 s."""
    assert (guard.HEAD_SECONDS, bodies.BODY_SECONDS) == (5, 10)


async def test_silence(port: int) -> None:
    """A connection that says nothing is closed."""
    assert await send(port) == b""


async def test_half_a_head(port: int) -> None:
    """A head that is never finished is closed."""
    assert await send(port, HEAD) == b""


async def test_dripping_head(port: int) -> None:
    """Single bytes do not wind the timer up."""
    drip = [bytes([byte]) for byte in HEAD]
    assert await send(port, *drip, pause=SHORT / 5) == b""


async def test_dripping_body(port: int) -> None:
    """A body that comes too slowly is 408 and the end of the connection."""
    head = HEAD + b"Content-Length: 20\r\n\r\n"
    answer = await send(port, head, b"a", b"b", pause=SHORT / 4)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"REQUEST_TIMEOUT" in answer


async def test_slow_but_in_time(port: int) -> None:
    """A request in several pieces is answered when each part is in time."""
    parts = (HEAD, b"Content-Length: 2\r\n\r\n", b"ok")
    answer = await send(port, *parts, pause=SHORT / 10)
    assert answer.endswith(b"\r\n\r\nok")


async def test_idle_between_requests(port: int) -> None:
    """The head's timer does not run between two requests of a connection."""
    request = HEAD + b"Content-Length: 2\r\n\r\nok"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(request)
        assert (await reader.read(2000)).endswith(b"ok")
        await asyncio.sleep(SHORT * 2)
    writer.close()


async def ask(port: int) -> bytes:
    """Make a request on a connection of its own."""
    return await send(port, HEAD + b"Content-Length: 2\r\n\r\nok")


async def test_quiet_connections_make_room(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit the oldest connection that says nothing goes, for a new one."""
    monkeypatch.setattr(guard, "MOST_CONNECTIONS", 2)
    monkeypatch.setattr(QuickHandler, "head_seconds", PATIENT)
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    assert (await ask(port)).endswith(b"ok")
    first, _ = held[0]
    assert await asyncio.wait_for(first.read(), PATIENT / 2) == b""
    for _, writer in held:
        writer.close()


async def test_requests_under_way_are_not_cut_off(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all are being answered, it is the new connection that is closed."""
    monkeypatch.setattr(guard, "MOST_CONNECTIONS", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await asyncio.sleep(SHORT / 5)
    assert await ask(port) == b""
    assert (await reader.read(2000)).endswith(b"ok")
    writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"Content-Length: 2\r\n\r\no",
        b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["the rest of a body is missing", "the answer is not read"],
)
async def test_who_does_not_go_on_makes_room(
    port: int, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """A request under way that waits for its peer does not keep others out."""
    monkeypatch.setattr(guard, "MOST_CONNECTIONS", 1)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    await asyncio.sleep(SHORT / 3)
    assert (await ask(port)).endswith(b"ok")
    writer.close()


async def test_an_answer_that_nobody_takes(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is thrown away, with its connection."""
    monkeypatch.setattr(guard, "FLUSH_SECONDS", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    writer.write(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await asyncio.sleep(SHORT * 2)
    taken = 0
    with contextlib.suppress(ConnectionError):
        while part := await asyncio.wait_for(reader.read(LARGE), 5):
            taken += len(part)
    assert 0 < taken < LARGE
    writer.close()


async def test_an_answer_that_is_taken_slowly(port: int) -> None:
    """Arrives whole, although it takes longer than one may stand still."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    writer.write(b"GET /large HTTP/1.0\r\nHost: localhost\r\n\r\n")
    taken = 0
    while part := await asyncio.wait_for(reader.read(2**21), 5):
        taken += len(part)
        await asyncio.sleep(SHORT / 10)
    assert taken > LARGE
    writer.close()


@pytest.mark.parametrize(
    ("proxies", "closed"), [(set(), 3), ({"127.0.0.1"}, 0)], ids=["visitor", "proxy"]
)
async def test_quiet_connections_of_one_address(
    port: int,
    shared: set[str],
    proxies: set[str],
    closed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One address holds few of them, unless many visitors come from it."""
    shared |= proxies
    monkeypatch.setattr(guard, "MOST_WAITING_OF_ONE", 2)
    monkeypatch.setattr(QuickHandler, "head_seconds", PATIENT)
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
    for reader, _ in held[:closed]:
        assert await asyncio.wait_for(reader.read(), PATIENT / 2) == b""
    await asyncio.sleep(SHORT / 3)
    assert not any(reader.at_eof() for reader, _ in held[closed:])
    for _, writer in held:
        writer.close()
