"""Whether RevenueCat takes a key: one read of the projects that it sees."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
import msgspec

from opseer_common.errors import RefusedError
from opseer_common.sealing import Secret
from opseer_gateway.domain.channel import Accepted, ProviderProject
from opseer_gateway.providers.asking import (
    FORBIDDEN,
    OK,
    SECONDS,
    UNAUTHORIZED,
    ask,
    unavailable,
)

_PAGE: Final = "20"


class _Projects(msgspec.Struct):
    items: list[ProviderProject]
    next_page: str | None = None


class RevenueCatProvider:
    """RevenueCat, or the bundled simulator for demo data."""

    def __init__(
        self, session: aiohttp.ClientSession, base: str, demo_base: str | None
    ) -> None:
        """Call `base`, and `demo_base` for a demo; neither has a version part."""
        self._session = session
        self._base = base
        self._demo_base = demo_base

    async def try_key(self, key: Secret, *, livemode: bool, demo: bool) -> Accepted:
        """Return the projects that the key sees. Its keys have no modes.

        Raises RefusedError: AUTH_FAILED, PROVIDER_UNAVAILABLE (also when RevenueCat
        does not answer within 10 s, or with something else than projects).
        """
        del livemode
        base = self._demo_base if demo else self._base
        if base is None:
            raise unavailable("This installation has no demo data: no simulator.")
        try:
            async with asyncio.timeout(SECONDS):
                projects = await self._projects(f"{base}/v2/projects", key)
        except TimeoutError:
            raise unavailable("RevenueCat did not answer within 10 seconds.") from None
        except aiohttp.ClientError:
            raise unavailable("RevenueCat could not be reached.") from None
        if not projects:
            raise RefusedError(
                "AUTH_FAILED",
                "RevenueCat shows this key no project. Make a secret API key v2 in the "
                "settings of the project that you want to see.",
            )
        return Accepted("demo" if demo else "live", tuple(projects))

    async def _projects(self, url: str, key: Secret) -> list[ProviderProject]:
        """Read every page."""
        found: list[ProviderProject] = []
        params = [("limit", _PAGE)]
        while True:
            status, body = await ask(self._session, url, key, params)
            if status in (UNAUTHORIZED, FORBIDDEN):
                raise RefusedError("AUTH_FAILED", _why_refused(status))
            if status != OK:
                raise unavailable(f"RevenueCat answered with status {status}.")
            try:
                page = msgspec.json.decode(body, type=_Projects)
            except msgspec.DecodeError:
                raise unavailable("RevenueCat's answer was no project list.") from None
            found += page.items
            if not page.next_page or not page.items:
                return found
            params = [("limit", _PAGE), ("starting_after", page.items[-1].id)]


def _why_refused(status: int) -> str:
    if status == FORBIDDEN:
        return (
            "The key may not list projects: give it the permissions "
            "project_configuration:projects:read, charts_metrics:overview:read and "
            "charts_metrics:charts:read."
        )
    return (
        "RevenueCat refused this key: revoked, mistyped, or a key of API v1. Make a "
        "secret API key v2."
    )
