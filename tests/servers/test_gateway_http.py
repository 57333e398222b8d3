"""What the gateway takes from the network, and what it says."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest

from opseer_common.testing.gateway import Owner, RunningGateway

PATH = "/api/v1/integrations/stripe"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def owner(gateway: RunningGateway) -> Owner:
    """Return a signed-up account."""
    return await gateway.sign_up()


async def raw(gateway: RunningGateway, sent: bytes) -> bytes:
    """Send bytes as they are, and return what comes until the connection ends."""
    host, port = urlsplit(gateway.url).hostname, urlsplit(gateway.url).port
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(sent)
        await writer.drain()
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


def status_of(answer: bytes) -> int:
    """Return the status of a raw answer; 0 for none."""
    return int(answer[9:12]) if answer else 0


async def test_health(gateway: RunningGateway) -> None:
    """/healthz says that the process lives, /readyz that database and bus answer."""
    assert (await gateway.call("GET", "/healthz")).status == 200
    ready = await gateway.call("GET", "/readyz")
    assert (ready.status, ready.json["parts"]) == (200, {"database": True, "bus": True})


async def test_headers_of_an_answer(gateway: RunningGateway) -> None:
    """Every answer has the security headers, and no version of a server."""
    for path in ("/healthz", "/login", "/api/v1/integrations", "/nowhere"):
        headers = (await gateway.call("GET", path)).headers
        assert headers["Content-Security-Policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; "
            "img-src 'self' data:; connect-src 'self'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
        )
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Server"] == "opseer"
        assert "Strict-Transport-Security" not in headers


async def test_https_is_said(start_gateway: Any) -> None:
    """With a public https URL: HSTS, and cookies that are Secure and __Host-."""
    gateway = await start_gateway(public_url="https://opseer.example.com")
    owner = await gateway.sign_up()
    body = {"email": owner.email, "password": "correct horse battery"}
    answer = await gateway.call("POST", "/api/v1/auth/login", json=body)
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-opseer_session=")
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/alerts",
        "/api/v1/projects",
        "/api/v1/invitations",
        "/api/v1/mrr/nothing?source=stripe",
        "/api/v1/integrations/paypal",
        "/api/v1/integrations/..%2f..%2fetc%2fpasswd",
        "/api/v1/tokens/%00",
        "//api/v1/mrr",
    ],
)
async def test_unknown_paths(gateway: RunningGateway, owner: Owner, path: str) -> None:
    """A path that is not served is a 404 problem with a request id."""
    answer = await gateway.call("GET", path, owner=owner)
    if answer.status == 405:  # DELETE alone is served there
        assert answer.code == "METHOD_NOT_ALLOWED"
        return
    assert (answer.status, answer.code) == (404, "NOT_FOUND")
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


async def test_wrong_method(gateway: RunningGateway) -> None:
    """A method that a path does not have is 405 and says which it has."""
    answer = await gateway.call("DELETE", "/api/v1/setup")
    assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        (JSON, b"", 400, "INVALID_JSON"),
        (JSON, b'{"api_key":"x","api_key":"y"}', 400, "DUPLICATE_FIELD"),
        (JSON, b'{"api_key":null}', 422, "TYPE"),
        (JSON, b'{"api_key":"x","account_id":"y"}', 422, "UNKNOWN_FIELD"),
        ({"Content-Type": "text/plain"}, b"{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (
            {"Content-Type": "application/x-www-form-urlencoded"},
            b"api_key=x",
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            {"Content-Type": "application/json; charset=bogus"},
            b"{}",
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            {**JSON, "Content-Encoding": "gzip"},
            b"\x1f\x8b",
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (JSON, b" " * (16 * 1024 + 1), 413, "BODY_TOO_LARGE"),
    ],
)
async def test_bodies(
    gateway: RunningGateway,
    owner: Owner,
    headers: dict[str, str],
    body: bytes,
    status: int,
    code: str,
) -> None:
    """A body that is not small, strict JSON is refused with the rule it breaks."""
    answer = await gateway.call("PUT", PATH, owner=owner, data=body, headers=headers)
    assert (answer.status, answer.code) == (status, code)


async def test_largest_body(gateway: RunningGateway, owner: Owner) -> None:
    """16 KiB are still read."""
    body = b'{"api_key":"' + b"x" * (16 * 1024 - 14) + b'"}'
    answer = await gateway.call("PUT", PATH, owner=owner, data=body, headers=JSON)
    assert answer.code == "INVALID_FORMAT"


async def test_promised_giant(gateway: RunningGateway) -> None:
    """A Content-Length of 10 GB is refused at once, without reading."""
    head = b"POST /api/v1/setup HTTP/1.1\r\nHost: localhost\r\n"
    answer = await raw(gateway, head + b"Content-Length: 10000000000\r\n\r\n")
    assert status_of(answer) == 413


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
async def test_other_hosts(gateway: RunningGateway, head: bytes) -> None:
    """A request for another host's name is 421."""
    answer = await raw(
        gateway, head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    )
    assert status_of(answer) == 421


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n",
    ],
)
async def test_not_http(gateway: RunningGateway, head: bytes) -> None:
    """What is not clean HTTP is a 400 problem and the end of the connection."""
    answer = await raw(gateway, head)
    assert status_of(answer) == 400
    assert b"application/problem+json" in answer
    assert b"aiohttp" not in answer


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_foreign_writes(
    gateway: RunningGateway, owner: Owner, headers: dict[str, str]
) -> None:
    """A write with our cookie that another site's page sent is 403."""
    session = await gateway.sign_in(owner)
    answer = await gateway.call("DELETE", PATH, headers={**session, **headers})
    assert (answer.status, answer.code) == (403, "FORBIDDEN_ORIGIN")


async def test_own_writes(gateway: RunningGateway, owner: Owner) -> None:
    """Our own page, and a script without a browser, may write with the cookie."""
    session = await gateway.sign_in(owner)
    for headers in (
        {},
        {"Origin": gateway.url},
        {"Sec-Fetch-Site": "same-origin"},
    ):
        answer = await gateway.call("DELETE", PATH, headers={**session, **headers})
        assert answer.status == 204


async def test_no_cors(gateway: RunningGateway) -> None:
    """No other site is ever allowed to read."""
    headers = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "PUT",
    }
    answer = await gateway.call("OPTIONS", PATH, headers=headers)
    assert answer.status == 405
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_description(gateway: RunningGateway) -> None:
    """The OpenAPI document names the routes, and its references lead somewhere."""
    document = (await gateway.call("GET", "/api/v1/openapi.json")).json
    assert set(document["paths"][PATH.replace("stripe", "{source}")]) == {
        "get",
        "put",
        "patch",
        "delete",
    }
    schemas = document["components"]["schemas"]
    row = document["paths"]["/api/v1/integrations/{source}"]["get"]["responses"]["200"]
    name = row["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    assert "settlement_currency" in schemas[name]["properties"]
