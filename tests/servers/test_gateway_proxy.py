"""Behind a reverse proxy: a real one, that does what docs/OPERATIONS.md shows."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from opseer_common.testing.gateway import (
    PASSWORD,
    SETUP_CODE,
    RunningGateway,
)
from opseer_common.testing.listening import listening

PUBLIC = "opseer.example.com"
VISITOR = "203.0.113.7"


@pytest.fixture
async def gateway(start_gateway: object) -> RunningGateway:
    """Return a gateway that knows its public address and its proxy."""
    assert callable(start_gateway)
    started: RunningGateway = await start_gateway(
        public_url=f"https://{PUBLIC}", trusted_proxies=("127.0.0.1",), signup="closed"
    )
    return started


@pytest.fixture
async def proxy(gateway: RunningGateway) -> AsyncIterator[str]:
    """Return the address of a proxy that keeps the host and names the visitor."""

    async def forward(request: web.Request) -> web.StreamResponse:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name not in ("Connection", "Content-Length", "Transfer-Encoding")
        }
        headers |= {"X-Forwarded-For": VISITOR, "X-Forwarded-Proto": "https"}
        async with gateway.session.request(
            request.method,
            gateway.url + request.path_qs,
            headers=headers,
            data=await request.read(),
            allow_redirects=False,
        ) as answer:
            passed = web.Response(status=answer.status, body=await answer.read())
            for name, value in answer.headers.items():
                if name not in ("Content-Length", "Transfer-Encoding", "Server"):
                    passed.headers.add(name, value)
            return passed

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    async with listening(app) as url:
        yield url


async def test_a_browser_sets_up_through_the_proxy(
    gateway: RunningGateway, proxy: str
) -> None:
    """Forms, secure cookies, redirects and HSTS work under the public name alone."""
    headers = {"Host": PUBLIC}
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(proxy, cookie_jar=jar) as session:
        async with session.get("/setup", headers=headers) as page:
            text = await page.text()
            assert page.headers["Strict-Transport-Security"].startswith("max-age=")
            (cookie,) = page.headers.getall("Set-Cookie")
        assert cookie.startswith("__Host-opseer_form=")
        assert "; Secure" in cookie
        token = re.search(r'name="csrf" value="([0-9a-f]{64})"', text)
        assert token is not None
        fields = {
            "csrf": token.group(1),
            "setup_code": SETUP_CODE,
            "email": "owner@example.com",
            "password": PASSWORD,
        }
        sent = headers | {
            "Cookie": cookie.partition(";")[0],
            "Origin": f"https://{PUBLIC}",
            "Sec-Fetch-Site": "same-origin",
        }
        async with session.post("/setup", data=fields, headers=sent) as done:
            assert done.status == 200, await done.text()
            assert done.headers["Set-Cookie"].startswith("__Host-opseer_session=")
        elsewhere = headers | {"Host": "evil.example"}
        async with session.get("/setup", headers=elsewhere) as refused:
            assert refused.status == 421


async def test_links_behind_the_proxy(gateway: RunningGateway, proxy: str) -> None:
    """A link that is handed out carries the public address."""
    owner = await gateway.sign_up()
    headers = {"Host": PUBLIC, "Authorization": f"Bearer {owner.token}"}
    invited = {"email": "guest@example.com"}
    async with (
        aiohttp.ClientSession(proxy) as session,
        session.post("/api/v1/invitations", json=invited, headers=headers) as answer,
    ):
        link = (await answer.json())["link"]
    assert link.startswith(f"https://{PUBLIC}/invite/")
