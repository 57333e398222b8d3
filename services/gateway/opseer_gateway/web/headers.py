"""The headers of every answer (OWASP ASVS 5.0, 3.4 and 14.3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aiohttp import web

from opseer_gateway.web.problems import REQUEST_ID

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; object-src 'none'"
)
ALWAYS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": CSP,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Server": "opseer",
    }
)
_FIRST: Final = next(iter(ALWAYS))
_HSTS: Final = "max-age=31536000; includeSubDomains"


class Headers:
    """Adds the headers to each answer before it is sent."""

    def __init__(self, *, secure: bool) -> None:
        """`secure`: visitors come over https."""
        self._secure = secure

    async def add(self, request: web.Request, answer: web.StreamResponse) -> None:
        """Add what is missing."""
        if _FIRST not in answer.headers:  # else it is an answer that was kept
            answer.headers.update(ALWAYS)
        answer.headers.setdefault("Cache-Control", "no-store")
        if self._secure:
            answer.headers["Strict-Transport-Security"] = _HSTS
        request_id = request.get(REQUEST_ID)
        if request_id is not None:
            answer.headers["X-Request-Id"] = request_id
