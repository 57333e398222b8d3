"""Requests to addresses that users typed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from opseer_common.testing.listening import free_port, listening
from opseer_notifier.domain.outcome import Again, Refused, Unknown
from opseer_notifier.senders.outbound import (
    GuardedResolver,
    InsideError,
    Outbound,
    Reply,
    SendError,
)


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """Return a server that redirects, floods, or hangs up."""

    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/flood"})

    async def flood(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 300_000)

    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    app = web.Application()
    app.add_routes(
        [
            web.post("/redirect", redirect),
            web.post("/flood", flood),
            web.post("/hang-up", hang_up),
        ]
    )
    async with listening(app) as url:
        yield url


@pytest.fixture
async def guarded() -> AsyncIterator[Outbound]:
    """Return what users' addresses are posted to with."""
    found = Outbound(open_to_all=False)
    yield found
    await found.close()


@pytest.fixture
async def opened() -> AsyncIterator[Outbound]:
    """Return what may go anywhere."""
    found = Outbound(open_to_all=True)
    yield found
    await found.close()


async def refusal(outbound: Outbound, url: str) -> object:
    """Return the outcome of a post that got no answer."""
    with pytest.raises(SendError) as caught:
        await outbound.post(url, b"{}", {})
    return caught.value.outcome


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "ftp://example.com/", "https://", "nonsense"),
        *("https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest"),
        *("https://10.0.0.1/", "https://[::ffff:10.0.0.1]/", "https://localhost/"),
        *("https://user:pass@example.com/", "https://1.1.1.1:22/", "https://127.1/"),
        *("https://0x7f000001/", "https://2130706433/", "https://[fe80::1%25lo]/"),
    ],
)
async def test_nothing_inside_is_reached(guarded: Outbound, url: str) -> None:
    """By address, by name, in disguise: refused for good, before anything is sent."""
    assert isinstance(await refusal(guarded, url), Refused)


async def test_a_name_with_one_private_address_is_refused(
    guarded: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several addresses each is judged: the order is not ours to choose."""

    async def both(*_: object, **__: object) -> list[object]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("1.1.1.1", 443)), (*kind, ("10.0.0.1", 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    outcome = await refusal(guarded, "https://rebinding.example/")
    assert isinstance(outcome, Refused)
    assert outcome.code == "FORBIDDEN_ADDRESS"


async def test_what_was_resolved_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The addresses that were judged are handed on as numbers, once resolved."""
    calls = []

    async def one(host: str, *_: object, **__: object) -> list[object]:
        calls.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", one)
    [found] = await GuardedResolver().resolve("example.com", 443)
    assert (found["host"], found["flags"]) == ("93.184.216.34", socket.AI_NUMERICHOST)
    assert calls == ["example.com"]

    async def inside(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 443, 0, 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", inside)
    with pytest.raises(InsideError):
        await GuardedResolver().resolve("example.com", 443)


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("120", None, 120),
        ("999999999999", None, 86_400),
        ("Tue, 24 Nov 2026 09:02:00 GMT", "Tue, 24 Nov 2026 09:00:00 GMT", 120),
        ("Tue, 24 Nov 2026 08:00:00 GMT", "Tue, 24 Nov 2026 09:00:00 GMT", 0),
        ("Tue, 24 Nov 2026 09:02:00 GMT", None, None),
        ("Tue, 24 Nov 2026 09:02:00 GMT", "soon", None),
        ("-1", None, None),
        ("", "Tue, 24 Nov 2026 09:00:00 GMT", None),
    ],
)
def test_when_to_try_again(value: str, date: str | None, seconds: int | None) -> None:
    """In seconds, or as an instant by the clock of who says it; a day at most."""
    headers = {"Retry-After": value} | ({} if date is None else {"Date": date})
    assert Reply(429, headers, b"").retry_after == seconds


async def test_redirects_are_answers(opened: Outbound, server: str) -> None:
    """They are not followed, wherever they lead."""
    assert (await opened.post(f"{server}/redirect", b"{}", {})).status == 302


async def test_an_answer_is_cut(opened: Outbound, server: str) -> None:
    """64 KiB are read of any."""
    assert len((await opened.post(f"{server}/flood", b"{}", {})).body) == 64 * 1024


async def test_who_is_not_there_is_tried_again(opened: Outbound) -> None:
    """No connection: nothing was sent. The words don't hold the address."""
    outcome = await refusal(opened, f"http://127.0.0.1:{free_port()}/secret")
    assert isinstance(outcome, Again)
    assert "secret" not in repr(outcome)


async def test_who_hangs_up_may_have_read_it(opened: Outbound, server: str) -> None:
    """A connection that ends without an answer says nothing."""
    assert isinstance(await refusal(opened, f"{server}/hang-up"), Unknown)


async def test_who_is_slow_may_have_read_it(
    opened: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does one that never answers."""
    timeout = aiohttp.ClientTimeout(total=0.2)
    monkeypatch.setattr("opseer_notifier.senders.outbound._TIMEOUT", timeout)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        outcome = await refusal(opened, f"http://127.0.0.1:{port}/")
    assert isinstance(outcome, Unknown)
