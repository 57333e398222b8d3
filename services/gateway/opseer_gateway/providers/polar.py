"""Whether Polar takes a token: a metric of today, and the organizations that it sees.

A token works in production or in the sandbox, and does not say which.
"""

from __future__ import annotations

import asyncio
from datetime import UTC
from typing import Final

import aiohttp
import msgspec

from opseer_common.clock import Clock
from opseer_common.errors import RefusedError
from opseer_common.sealing import Secret
from opseer_gateway.domain.channel import Accepted, ProviderProject
from opseer_gateway.domain.integrations import Environment
from opseer_gateway.providers.asking import (
    FORBIDDEN,
    OK,
    SECONDS,
    UNAUTHORIZED,
    ask,
    unavailable,
)

_PAGE: Final = "100"


class _Organizations(msgspec.Struct):
    items: list[ProviderProject]


class PolarProvider:
    """Polar and its sandbox, or the bundled simulator for demo data."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        bases: tuple[str, str | None],
        demo_base: str | None,
        clock: Clock,
    ) -> None:
        """Call production and sandbox (None: not tried), `demo_base` for a demo."""
        self._session = session
        self._bases = bases
        self._demo_base = demo_base
        self._clock = clock

    async def try_key(self, key: Secret, *, livemode: bool, demo: bool) -> Accepted:
        """Return where the token works, and its organizations where it may read them.

        Raises RefusedError: AUTH_FAILED, PROVIDER_UNAVAILABLE (also when Polar does
        not answer within 10 s, or with something else than was asked).
        """
        del livemode
        places: list[tuple[str | None, Environment]] = [
            (self._bases[0], "live"),
            (self._bases[1], "test"),
        ]
        if demo:
            places = [(self._demo_base, "demo")]
        try:
            async with asyncio.timeout(SECONDS):
                return await self._first(places, key)
        except TimeoutError:
            raise unavailable("Polar did not answer within 10 seconds.") from None
        except aiohttp.ClientError:
            raise unavailable("Polar could not be reached.") from None

    async def _first(
        self, places: list[tuple[str | None, Environment]], key: Secret
    ) -> Accepted:
        """Return the first place that takes the token."""
        known = [(base, name) for base, name in places if base is not None]
        if not known:
            raise unavailable("This installation has no demo data: no simulator.")
        for base, environment in known:
            if await self._is_taken(base, key):
                organizations = await self._organizations(base, key)
                return Accepted(environment, organizations)
        tried = " and its sandbox" if len(known) > 1 else ""
        raise RefusedError(
            "AUTH_FAILED",
            f"Polar{tried} refused this token: expired, revoked or mistyped. Make "
            "a new organization access token.",
        )

    async def _is_taken(self, base: str, key: Secret) -> bool:
        """Ask for one metric of today. AUTH_FAILED where the token may not read it."""
        today = self._clock().astimezone(UTC).date().isoformat()
        params = [
            *(("start_date", today), ("end_date", today)),
            *(("interval", "day"), ("metrics", "orders")),
        ]
        status, _ = await ask(self._session, f"{base}/v1/metrics/", key, params)
        if status == UNAUTHORIZED:
            return False
        if status == FORBIDDEN:
            raise RefusedError(
                "AUTH_FAILED",
                "The token may not read metrics: give it the scopes metrics:read, "
                "refunds:read and organizations:read.",
            )
        if status != OK:
            raise unavailable(f"Polar answered with status {status}.")
        return True

    async def _organizations(
        self, base: str, key: Secret
    ) -> tuple[ProviderProject, ...]:
        """Return what the token sees; nothing where it may not read them."""
        url = f"{base}/v1/organizations/"
        status, body = await ask(self._session, url, key, [("limit", _PAGE)])
        if status == FORBIDDEN:
            return ()
        if status != OK:
            raise unavailable(f"Polar answered with status {status}.")
        try:
            return tuple(msgspec.json.decode(body, type=_Organizations).items)
        except msgspec.DecodeError:
            raise unavailable("Polar's answer was no list of organizations.") from None
