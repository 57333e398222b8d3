"""The process's HTTP session with the providers: limited, and to public hosts."""

from __future__ import annotations

import socket
from typing import Final

import aiohttp
from aiohttp.abc import ResolveResult
from typing_extensions import override

from opseer_common.addresses import is_public

PUBLIC_HOSTS: Final = frozenset(
    {"api.stripe.com", "api.revenuecat.com", "api.polar.sh", "sandbox-api.polar.sh"}
)
"""Where the bases lead to unless an operator sets others (docs/SETTINGS.md)."""


class _Resolver(aiohttp.ThreadedResolver):
    """Resolves names; the providers' own lead to public addresses or nowhere."""

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        inside = not all(is_public(str(one["host"])) for one in found)
        if inside and host in PUBLIC_HOSTS:
            raise OSError("the name leads to a private address")
        return found


def open_session(
    total: float = 30, sock_connect: float = 5, sock_read: float = 10
) -> aiohttp.ClientSession:
    """Return the process's session: no cookies, no proxies, times limited (seconds)."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=64, ttl_dns_cache=300, resolver=_Resolver()
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(
            total=total, sock_connect=sock_connect, sock_read=sock_read
        ),
        trust_env=False,
        auto_decompress=True,
    )
