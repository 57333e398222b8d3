"""Requests to addresses that users typed: guarded, without redirects, small answers.

A name is resolved once, every address it has is judged, and those very addresses are
connected to: a name that changes its mind in between (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override
from yarl import URL

from opseer_common.addresses import is_address, is_public
from opseer_common.errors import OpseerError
from opseer_notifier.domain.outcome import Again, Outcome, Refused, Unknown

_TIMEOUT: Final = aiohttp.ClientTimeout(total=20, sock_connect=5, sock_read=15)
_RESOLVE_SECONDS: Final = 5.0
_LARGEST_ANSWER: Final = 64 * 1024
_PORTS: Final = frozenset({80, 443})
_FREE_PORTS: Final = 1024
_HIGHEST_DELAY: Final = 86_400


class InsideError(OpseerError):
    """A URL that leads to where it must not."""


class SendError(OpseerError):
    """An attempt that got no answer; `outcome` is what follows from it."""

    def __init__(self, outcome: Outcome) -> None:
        """Keep the outcome."""
        super().__init__(type(outcome).__name__)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `body` is its first 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as one short printable line."""
        words = self.body.decode("utf-8", "replace").split()
        return "".join(c for c in " ".join(words) if c.isprintable())[:200]

    @property
    def retry_after(self) -> int | None:
        """The seconds that the header Retry-After asks for, a day at most.

        An instant in it is one of the answering server's clock (RFC 9110, 10.2.3).
        """
        value = self.headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return min(int(value[:9]), _HIGHEST_DELAY)
        try:
            then = parsedate_to_datetime(value)
            answered = parsedate_to_datetime(self.headers.get("Date", ""))
            wanted = ceil((then - answered).total_seconds())
        except (ValueError, TypeError):
            return None
        return max(0, min(wanted, _HIGHEST_DELAY))


class GuardedResolver(AbstractResolver):
    """Resolves to addresses of the public internet, or not at all."""

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return every address of `host`.

        Raises InsideError where one of them is private, OSError where there is none.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                found = await loop.getaddrinfo(
                    host, port, type=socket.SOCK_STREAM, family=socket.AF_UNSPEC
                )
        except TimeoutError:
            raise OSError("the name was not resolved in time") from None
        if not all(is_public(str(address[0])) for *_, address in found):
            raise InsideError("the name leads to a private address")
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=family,
                proto=proto,
                flags=socket.AI_NUMERICHOST,
            )
            for family, _, proto, _, address in found
        ]

    @override
    async def close(self) -> None:
        """Hold nothing."""


class Outbound:
    """Posts to URLs. `open_to_all` is for hosts that the operator chose."""

    def __init__(self, *, open_to_all: bool) -> None:
        """Connect nothing yet; inside a running loop."""
        self._open = open_to_all
        # A kept connection may be closed while a request is on its way: then nobody
        # knows whether the message was taken. So each has a connection of its own.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=None if open_to_all else GuardedResolver(),
                force_close=True,
                limit=64,
                use_dns_cache=False,
            ),
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "Opseer"},
            requote_redirect_url=False,
        )

    async def close(self) -> None:
        """Close what is open."""
        await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Post and return the answer, whatever its status; redirects are not followed.

        SendError where none arrived; its words hold nothing of the URL, a secret.
        """
        try:
            target = self._checked(url)
            async with self._session.post(
                target,
                data=body,
                headers=dict(headers),
                allow_redirects=False,
                timeout=_TIMEOUT,
            ) as answer:
                return Reply(answer.status, answer.headers, await _head(answer))
        except (InsideError, aiohttp.InvalidURL) as error:
            words = str(error) if isinstance(error, InsideError) else "no URL"
            raise SendError(Refused("FORBIDDEN_ADDRESS", words)) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise SendError(Again("UNREACHABLE", _why(error))) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            words = f"no answer arrived ({type(error).__name__})"
            raise SendError(Unknown("NO_ANSWER", words)) from None

    def _checked(self, url: str) -> URL:
        """Return the URL. InsideError for one that is not taken."""
        target = URL(url)
        host = target.host
        if target.scheme not in ("http", "https") or not host:
            raise InsideError("not an http address")
        if self._open:
            return target
        if target.scheme != "https":
            raise InsideError("only https is taken")
        if target.user or target.password:
            raise InsideError("a login in the address is not taken")
        if target.port not in _PORTS and (target.port or 0) < _FREE_PORTS:
            raise InsideError("this port is not taken")
        # An address is connected to as it stands, without the resolver.
        if is_address(host) and not is_public(host):
            raise InsideError("a private address")
        return target


async def _head(answer: aiohttp.ClientResponse) -> bytes:
    """Return the first 64 KiB of the body."""
    found = b""
    while len(found) < _LARGEST_ANSWER:
        part = await answer.content.read(_LARGEST_ANSWER - len(found))
        if not part:
            break
        found += part
    return found


def _why(error: Exception) -> str:
    """Return why there is no connection, without the address."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host's name is not known"
    if isinstance(error, aiohttp.ClientSSLError):
        return "the certificate is not valid"
    return "the host cannot be reached"
