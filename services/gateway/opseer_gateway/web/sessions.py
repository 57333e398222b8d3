"""How a visitor is recognised: an API token, or the session's cookie."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final, Protocol

from aiohttp import web

from opseer_common.errors import RefusedError
from opseer_gateway.domain.refusals import unauthenticated
from opseer_gateway.domain.visitors import ABSOLUTE, Visitor

_NAME: Final = "opseer_session"
_FORM_NAME: Final = "opseer_form"
_HOST: Final = "__Host-"
_READS: Final = frozenset({"GET", "HEAD"})
VISITOR: web.RequestKey[Visitor] = web.RequestKey("visitor", Visitor)
"""Who sent a request, once that was asked."""


class Recognise(Protocol):
    """Who holds a token."""

    async def by_session(self, token: str) -> Visitor | None:
        """Return who holds a session token."""
        ...

    async def by_api_token(self, token: str) -> Visitor | None:
        """Return whose API token it is."""
        ...


class Sessions:
    """Cookies and tokens. `__Host-` and Secure only where visitors come by https."""

    def __init__(self, recognise: Recognise, *, secure: bool) -> None:
        """Ask `recognise` about tokens."""
        self._recognise = recognise
        self._secure = secure
        prefix = _HOST if secure else ""
        self._name = prefix + _NAME
        self._form_name = prefix + _FORM_NAME

    async def visitor(self, request: web.Request) -> Visitor:
        """Return who is asking.

        Raises RefusedError: UNAUTHENTICATED, READ_ONLY_TOKEN for a write with a token
        that may only read.
        """
        found = await self.find(request)
        if found is None:
            raise unauthenticated()
        if found.scope == "read" and request.method not in _READS:
            raise RefusedError("READ_ONLY_TOKEN", "This API token may only read.")
        request[VISITOR] = found
        return found

    async def find(self, request: web.Request) -> Visitor | None:
        """Return who is asking, or None.

        An Authorization header alone decides where there is one. RefusedError
        (DUPLICATE_COOKIE) for two session cookies: one may be planted.
        """
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                return None
            return await self._recognise.by_api_token(token.strip(" "))
        cookie = self.token(request)
        return await self._recognise.by_session(cookie) if cookie else None

    def token(self, request: web.Request) -> str | None:
        """Return the session's token that a browser sent, as it is."""
        return self._cookie(request, self._name)

    def enter(self, answer: web.StreamResponse, token: str) -> None:
        """Hand a session's token to the browser."""
        self._set(answer, self._name, token, int(ABSOLUTE.total_seconds()))

    def leave(self, answer: web.StreamResponse) -> None:
        """Make the browser forget everything."""
        answer.del_cookie(
            self._name,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Lax",
        )
        answer.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'

    def form_seed(self, request: web.Request) -> str:
        """Return what form tokens of this browser hang on: session or form cookie."""
        return (
            self.token(request)
            or self._cookie(request, self._form_name)
            or secrets.token_urlsafe(32)
        )

    def keep_form_seed(
        self, request: web.Request, answer: web.StreamResponse, seed: str
    ) -> None:
        """Leave the seed with a browser that has none yet."""
        if self.token(request) or self._cookie(request, self._form_name):
            return
        self._set(answer, self._form_name, seed, None)

    def check_form(self, request: web.Request, sent: str) -> None:
        """Refuse a form that was not ours. RefusedError(FORBIDDEN_ORIGIN)."""
        right = form_token(self.form_seed(request))
        if not hmac.compare_digest(right.encode(), sent.encode("utf-8", "replace")):
            raise RefusedError(
                "FORBIDDEN_ORIGIN", "The form is too old. Go back and try again."
            )

    def _set(
        self, answer: web.StreamResponse, name: str, value: str, age: int | None
    ) -> None:
        """Set a cookie that no script and no other site gets."""
        answer.set_cookie(
            name,
            value,
            max_age=age,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=self._secure,
        )

    def _cookie(self, request: web.Request, name: str) -> str | None:
        """Return a cookie's value."""
        found = []
        for header in request.headers.getall("Cookie", []):
            for part in header.split(";"):
                key, _, value = part.partition("=")
                if key.strip() == name:
                    found.append(value.strip().strip('"'))
        if len(found) > 1:
            raise RefusedError("DUPLICATE_COOKIE", "There are two session cookies.")
        return found[0] if found else None


def form_token(seed: str) -> str:
    """Return the token that a form of our pages carries."""
    return hashlib.sha256(b"opseer form\0" + seed.encode()).hexdigest()
