"""A running gateway as a test sees it: over HTTP, and from behind as administrator."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import asyncpg
import msgspec

SETUP_CODE = "let-me-in"
PASSWORD = "correct horse battery"  # noqa: S105 - made up
_PATIENCE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def code(self) -> str:
        """The code of a problem document."""
        if self.headers["Content-Type"] != "application/problem+json":
            raise AssertionError(self.headers["Content-Type"])
        return str(self.json["code"])


@dataclass(frozen=True, slots=True)
class Owner:
    """An account and its API token."""

    account_id: UUID
    token: str
    email: str


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """The gateway, the provider it was pointed at, and its database."""

    url: str
    session: aiohttp.ClientSession
    provider_url: str
    admin_url: str

    async def call(
        self,
        method: str,
        path: str,
        *,
        owner: Owner | None = None,
        json: object = None,
        data: bytes | Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request, without following redirects."""
        sent = dict(headers or {})
        if owner is not None:
            sent["Authorization"] = f"Bearer {owner.token}"
        async with self.session.request(
            method,
            self.url + path,
            json=json,
            data=data,
            headers=sent,
            allow_redirects=False,
        ) as answer:
            cookies = {name: morsel.value for name, morsel in answer.cookies.items()}
            return Answer(answer.status, answer.headers, cookies, await answer.read())

    async def send(
        self, *parts: bytes, pause: float = 0, enough: bytes | None = None
    ) -> bytes:
        """Send bytes as they are; return what comes until the connection ends.

        Or until `enough` has come. `pause` is in seconds, after each part. Nothing is
        what one gets of a connection that is cut off.
        """
        address = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            async with asyncio.timeout(_PATIENCE_SECONDS):
                if enough is not None:
                    return await reader.readuntil(enough)
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def sign_up(self, email: str = "owner@example.com") -> Owner:
        """Make an account."""
        body = {"setup_code": SETUP_CODE, "email": email, "password": PASSWORD}
        answer = await self.call("POST", "/api/v1/setup", json=body)
        if "token" not in answer.json:
            raise AssertionError(answer.text)
        return Owner(UUID(answer.json["account_id"]), answer.json["token"], email)

    async def sign_in(self, owner: Owner) -> Mapping[str, str]:
        """Sign in with the password; return the headers of the browser's session."""
        body = {"email": owner.email, "password": PASSWORD}
        answer = await self.call("POST", "/api/v1/auth/login", json=body)
        if not answer.cookies:
            raise AssertionError(answer.text)
        pairs = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
        return {"Cookie": pairs}

    async def control(self, path: str, body: object) -> None:
        """Tell the simulator to behave differently."""
        async with self.session.post(
            f"{self.provider_url}/_control/{path}", json=body
        ) as answer:
            answer.raise_for_status()

    async def provider_calls(self) -> int:
        """Return how many requests the provider got."""
        async with self.session.get(f"{self.provider_url}/_control/calls") as answer:
            return int((await answer.json())["total"])

    async def fetch(self, query: str, *values: object) -> Sequence[asyncpg.Record]:
        """Read the database as its administrator."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()
