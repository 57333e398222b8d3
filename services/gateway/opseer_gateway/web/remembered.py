"""Who holds a token, remembered for a moment: the check of every request costs less."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from opseer_gateway.domain.visitors import Visitor
from opseer_gateway.web.problems import Handler
from opseer_gateway.web.sessions import Recognise

SECONDS: Final = 0.9
"""With the moment that an answer is kept for (kept.py) a second in all."""
_MOST: Final = 10_000
_READS: Final = frozenset({"GET", "HEAD"})


class Remembered:
    """Asks about once a second about a token that is good.

    Any write through this process, signing out among them, forgets all.
    """

    def __init__(
        self,
        recognise: Recognise,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask `recognise` about tokens."""
        self._recognise = recognise
        self._now = monotonic
        self._known: dict[bytes, tuple[float, Visitor]] = {}

    async def by_session(self, token: str) -> Visitor | None:
        """Return who holds a session token."""
        return await self._visitor(b"session", token, self._recognise.by_session)

    async def by_api_token(self, token: str) -> Visitor | None:
        """Return whose API token it is."""
        return await self._visitor(b"token", token, self._recognise.by_api_token)

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Check a write anew, and all that follow it."""
        if request.method in _READS:
            return await handler(request)
        self._known.clear()
        try:
            return await handler(request)
        finally:
            self._known.clear()

    async def _visitor(
        self, kind: bytes, token: str, ask: Callable[[str], Awaitable[Visitor | None]]
    ) -> Visitor | None:
        # Its hash: no token stays in memory for this.
        key = hashlib.sha256(kind + token.encode("utf-8", "replace")).digest()
        found = self._known.get(key)
        if found is not None and self._now() - found[0] <= SECONDS:
            return found[1]
        visitor = await ask(token)
        if visitor is None:
            self._known.pop(key, None)
            return None
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = self._now(), visitor
        return visitor
