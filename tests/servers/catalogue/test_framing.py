"""Entries 55 to 88: bytes on the wire that are not, or barely, HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from typing_extensions import override

from opseer_common.testing.gateway import Owner, RunningGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
POST = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
CLOSE = b"Connection: close\r\n\r\n"
TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 32


@dataclass(frozen=True)
class RawEntry:
    """What is sent, and the statuses that are right; 0 is an end without an answer."""

    number: int
    what: str
    sent: bytes
    right: tuple[int, ...] = (400,)

    @override
    def __str__(self) -> str:
        """Return the test's id."""
        return f"{self.number} {self.what}"


ENTRIES = (
    RawEntry(
        55,
        "length and chunks",
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    RawEntry(
        56,
        "two lengths",
        POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    ),
    RawEntry(57, "xchunked", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    RawEntry(
        58, "identity", POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"
    ),
    RawEntry(
        58,
        "gzip",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    RawEntry(59, "space before the colon", POST + b"Content-Length : 2\r\n\r\n{}"),
    RawEntry(60, "length +2", POST + b"Content-Length: +2\r\n\r\n{}"),
    RawEntry(61, "length -1", POST + b"Content-Length: -1\r\n\r\n"),
    RawEntry(62, "NUL in a header", GET + b"X: \0\r\n" + CLOSE),
    RawEntry(63, "bare CR", GET + b"X: a\rb\r\n" + CLOSE),
    RawEntry(64, "bare LF", b"GET /healthz HTTP/1.1\nHost: localhost\n\n"),
    RawEntry(65, "folded header", GET + b"X: a\r\n b\r\n" + CLOSE),
    RawEntry(66, "no host", b"GET /healthz HTTP/1.1\r\n" + CLOSE, (400, 421)),
    RawEntry(67, "two hosts", GET + b"Host: localhost\r\n" + CLOSE),
    RawEntry(68, "HTTP/0.9", b"GET /healthz\r\n\r\n", (400, 0)),
    RawEntry(69, "HTTP/9.9", b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n"),
    RawEntry(70, "TLS hello", TLS_HELLO + b"\r\n\r\n"),
    RawEntry(
        71, "long header", GET + b"X: " + b"a" * 9000 + b"\r\n" + CLOSE, (400, 431)
    ),
    RawEntry(72, "200 headers", GET + b"X: a\r\n" * 200 + CLOSE),
    RawEntry(73, "20,000 headers", GET + b"X: a\r\n" * 20_000 + CLOSE, (400, 0)),
    RawEntry(
        74,
        "long address",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n" + CLOSE,
        (400, 414),
    ),
    RawEntry(
        75, "chunk size", POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"
    ),
    RawEntry(
        76, "Expect", POST + b"Content-Length: 2\r\nExpect: bogus\r\n\r\n{}", (417,)
    ),
    RawEntry(
        77, "TRACE", b"TRACE /healthz HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, (405,)
    ),
    RawEntry(
        78,
        "CONNECT",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n" + CLOSE,
        (400, 404, 405, 421),
    ),
    RawEntry(
        79,
        "method",
        b"BREW /healthz HTTP/1.1\r\nHost: localhost\r\n" + CLOSE,
        (400, 405),
    ),
    RawEntry(
        80,
        "override",
        b"GET /api/v1/setup HTTP/1.1\r\nHost: localhost\r\n"
        b"X-HTTP-Method-Override: POST\r\n" + CLOSE,
        (405,),
    ),
    RawEntry(82, "host", b"GET /healthz HTTP/1.1\r\nHost: evil\r\n" + CLOSE, (421,)),
    RawEntry(
        82,
        "port",
        b"GET /healthz HTTP/1.1\r\nHost: localhost:x\r\n" + CLOSE,
        (400, 421),
    ),
    *(
        RawEntry(
            82,
            f"with {sign}",
            b"GET /healthz HTTP/1.1\r\nHost: %s\r\n" % host + CLOSE,
            (400, 421),
        )
        for sign, host in (
            ("a user", b"evil@localhost"),
            ("a path", b"localhost/evil"),
            ("a query", b"localhost?evil"),
            ("a fragment", b"127.0.0.1#evil"),
            ("a quote", b'localhost"evil'),
        )
    ),
    RawEntry(
        83,
        "absolute form",
        b"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n" + CLOSE,
        (421,),
    ),
)


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
async def test_what_is_not_clean(gateway: RunningGateway, entry: RawEntry) -> None:
    """A problem, without a word of what was sent, and the end of the connection."""
    said = await gateway.send(entry.sent)
    status = int(said[9:12]) if said else 0
    assert status in entry.right, said
    if said:
        assert b"application/problem+json" in said
        assert b"opseer" in said
        assert b"aiohttp" not in said
        assert b"evil" not in said


async def test_79_says_what_may_be_done(gateway: RunningGateway) -> None:
    """405 names the methods that there are."""
    answer = await gateway.call("DELETE", "/api/v1/setup")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.deep
async def test_84_slow_headers(gateway: RunningGateway) -> None:
    """A head that drips is cut off 5 s after its first byte."""
    began = asyncio.get_running_loop().time()
    parts = [bytes([byte]) for byte in GET]
    assert await gateway.send(*parts, pause=0.3) == b""
    assert 4.5 < asyncio.get_running_loop().time() - began < 16


@pytest.mark.deep
async def test_85_slow_body(gateway: RunningGateway) -> None:
    """A body that drips is 408 when 10 s are over."""
    head = POST + b"Content-Type: application/json\r\nContent-Length: 60\r\n\r\n"
    said = await gateway.send(head, *[b"{"] * 30, pause=0.3)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"REQUEST_TIMEOUT" in said


@pytest.mark.deep
async def test_86_a_thousand_silent_connections(gateway: RunningGateway) -> None:
    """Those who say nothing make room: whoever asks is answered meanwhile."""
    address = gateway.url.removeprefix("http://").split(":")
    held = []
    for _ in range(1000):
        held.append(await asyncio.open_connection(address[0], int(address[1])))
        if len(held) % 100 == 0:
            assert (await gateway.send(GET + CLOSE)).startswith(b"HTTP/1.1 200 ")
    gone = [reader.at_eof() for reader, _ in held]
    assert gone.count(True) >= 1000 - 256
    for _, writer in held:
        writer.close()


async def test_87_three_in_a_row(gateway: RunningGateway) -> None:
    """Three requests at once on one connection are three answers, in order."""
    said = await gateway.send((GET + b"\r\n") * 2 + GET + CLOSE)
    assert said.count(b"HTTP/1.1 200 ") == 3


async def test_88_client_that_leaves(
    gateway: RunningGateway,
    owner_of_own: Owner,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Who leaves in the middle of a request leaves nothing half done, and no error."""
    address = gateway.url.removeprefix("http://").split(":")
    body = b'{"name":"left"}'
    head = (
        "POST /api/v1/projects HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: Bearer {owner_of_own.token}\r\n\r\n"
    ).encode()
    for sent in (head, head + body[:5], head + body):
        _, writer = await asyncio.open_connection(address[0], int(address[1]))
        writer.write(sent)
        await writer.drain()
        writer.transport.abort()
    await asyncio.sleep(0.2)
    listed = await gateway.call("GET", "/api/v1/projects", owner=owner_of_own)
    names = [row["name"] for row in listed.json["projects"]]
    assert names.count("left") <= 1
    assert "request failed" not in "".join(capfd.readouterr())
