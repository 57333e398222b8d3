"""Entries 35 to 54: bodies that are not small, strict JSON."""

from __future__ import annotations

import gzip
from dataclasses import dataclass

import pytest
from typing_extensions import override

from opseer_common.testing.gateway import Owner, RunningGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = "/api/v1/projects"
JSON = "application/json"
GOOD = b'{"name":"x"}'
INVALID, TEXT = (400, "INVALID_JSON"), (422, "INVALID_TEXT")
LARGE, MEDIA = (413, "BODY_TOO_LARGE"), (415, "UNSUPPORTED_MEDIA_TYPE")
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class BodyEntry:
    """A body with its type and coding, and the answer."""

    number: int
    what: str
    body: bytes
    answer: tuple[int, str]
    kind: str = JSON
    coding: str = "identity"

    @override
    def __str__(self) -> str:
        """Return the test's id."""
        return f"{self.number} {self.what}"


ENTRIES = (
    BodyEntry(35, "empty", b"", INVALID),
    BodyEntry(36, "no JSON", b"{name: 1}", INVALID),
    BodyEntry(36, "two values", GOOD + b"{}", INVALID),
    BodyEntry(37, "NaN", b'{"name":NaN}', INVALID),
    BodyEntry(37, "Infinity", b'{"name":-Infinity}', INVALID),
    BodyEntry(37, "1e400", b'{"name":1e400}', INVALID),
    BodyEntry(38, "deep array", b"[" * 8000 + b"]" * 8000, INVALID),
    BodyEntry(38, "deep object", b'{"a":' * 9 + b"1" + b"}" * 9, INVALID),
    BodyEntry(39, "5,000 digits", b'{"name":' + b"9" * 5000 + b"}", INVALID),
    BodyEntry(40, "bad UTF-8", b'{"name":"\xff\xfe"}', INVALID),
    BodyEntry(40, "overlong UTF-8", b'{"name":"\xc0\xaf"}', INVALID),
    BodyEntry(41, "UTF-16", GOOD.decode().encode("utf-16"), INVALID),
    BodyEntry(41, "UTF-16 without a mark", GOOD.decode().encode("utf-16-le"), INVALID),
    BodyEntry(42, "byte order mark", b"\xef\xbb\xbf" + GOOD, INVALID),
    BodyEntry(43, "lone surrogate", b'{"name":"\\ud800"}', TEXT),
    BodyEntry(43, "lone surrogate as a name", b'{"\\udfff":1}', TEXT),
    BodyEntry(44, "NUL", b'{"name":"a\\u0000b"}', TEXT),
    BodyEntry(45, "list", b"[]", (422, "TYPE")),
    BodyEntry(45, "text", b'"x"', (422, "TYPE")),
    BodyEntry(45, "null", b"null", (422, "TYPE")),
    BodyEntry(46, "16 KiB and a byte", b" " * (16 * 1024 + 1), LARGE),
    BodyEntry(48, "gzip", gzip.compress(GOOD), MEDIA, coding="gzip"),
    BodyEntry(48, "bomb", gzip.compress(b" " * 5_000_000), MEDIA, coding="gzip"),
    BodyEntry(48, "deflate", GOOD, MEDIA, coding="deflate"),
    BodyEntry(49, "multipart", GOOD, MEDIA, "multipart/form-data; boundary=x"),
    BodyEntry(50, "JSON as text", GOOD, MEDIA, "text/plain"),
    BodyEntry(51, "form", b"name=x", MEDIA, FORM),
    BodyEntry(51, "JSON as a form", GOOD, MEDIA, FORM),
    BodyEntry(52, "no type", GOOD, MEDIA, ""),
    BodyEntry(53, "unknown charset", GOOD, MEDIA, f"{JSON}; charset=bogus"),
    BodyEntry(53, "other charset", GOOD, MEDIA, f"{JSON}; charset=utf-16"),
    BodyEntry(54, "many names", b"{" + b'"a":1,' * 1_000_000 + b'"name":"x"}', LARGE),
)


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
async def test_refused_bodies(
    gateway: RunningGateway, account: Owner, entry: BodyEntry
) -> None:
    """The body is refused with the rule that it breaks, and the connection is whole."""
    kind = f"Content-Type: {entry.kind}\r\n" if entry.kind else ""
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{kind}"
        f"Authorization: Bearer {account.token}\r\nContent-Encoding: {entry.coding}\r\n"
        f"Content-Length: {len(entry.body)}\r\n\r\n"
    )
    status, code = entry.answer
    said = await gateway.send(
        head.encode() + entry.body[: 20 * 1024],
        enough=b'"code":"%s"' % code.encode(),
    )
    assert said.startswith(b"HTTP/1.1 %d " % status), said
    assert b"application/problem+json" in said


async def test_46_ends_the_connection(gateway: RunningGateway, account: Owner) -> None:
    """What does not fit is not read to its end: the connection is closed."""
    body = b" " * (16 * 1024 + 1)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n"
        f"Authorization: Bearer {account.token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    said = await gateway.send(head.encode() + body)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in said


async def test_48_is_not_even_unpacked(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """What only calls itself compressed is refused without a word in the log."""
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n"
        f"Content-Encoding: gzip\r\nContent-Length: {len(GOOD)}\r\n"
        "Connection: close\r\n\r\n"
    )
    said = await gateway.send(head.encode() + GOOD)
    assert said.startswith(b"HTTP/1.1 415 ")
    assert [record.name for record in caplog.records] == []


async def test_47_promised_giant(gateway: RunningGateway) -> None:
    """A Content-Length of 10 GB is 413 at once, without reading."""
    head = b"POST /api/v1/projects HTTP/1.1\r\nHost: localhost\r\n"
    head += b"Content-Length: 10000000000\r\n\r\n"
    said = await gateway.send(head, enough=b"BODY_TOO_LARGE")
    assert said.startswith(b"HTTP/1.1 413 ")


async def test_54_small_parts(gateway: RunningGateway, account: Owner) -> None:
    """In chunks, too, a body ends at 16 KiB."""
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n"
        f"Authorization: Bearer {account.token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"400\r\n" + b" " * 0x400 + b"\r\n"
    said = await gateway.send(head.encode() + chunk * 17, enough=b"BODY_TOO_LARGE")
    assert said.startswith(b"HTTP/1.1 413 ")
