"""Answers that are kept in the process while what they were made of stays the same.

A kept answer is used only where the revisions of the account's rows, read at most
`FRESH_SECONDS` ago, are those that it was made under. Whatever else this process does
for somebody (a write, or a read that is not kept) makes the revisions be read again:
who has seen that a run is over sees its figures, too.

A request that was answered within that time and comes again byte by byte is answered
before anything else looks at it: host, session and revisions were checked then.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from aiohttp import web
from multidict import CIMultiDict

from opseer_common.errors import RefusedError
from opseer_gateway.domain.visitors import Visitor
from opseer_gateway.web.headers import ALWAYS
from opseer_gateway.web.problems import REQUEST_ID, Handler
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions

FRESH_SECONDS: Final = 0.1
LONGEST_SECONDS: Final = 15.0
"""How long an answer is kept at most: pages say how long ago things were."""
MOST_BYTES: Final = 32 * 1024 * 1024
_LARGEST: Final = 1024 * 1024
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_MODIFIED: Final = 304
_OK: Final = 200
_TELLING: Final = ("Host", "Authorization", "Cookie")
_NONE: Final = ("",)
_MOST_REPEATS: Final = 4096
_KEPT: web.RequestKey[bool] = web.RequestKey("kept", bool)
Key = tuple[Visitor, str]
Tag = Callable[[UUID], Awaitable[str]]
Count = Callable[[web.Request, web.StreamResponse, float], None]


@dataclass(frozen=True, slots=True)
class _Answer:
    """One answer as it was sent."""

    tag: str
    until: float
    body: bytes
    etag: str
    headers: CIMultiDict[str]
    short: CIMultiDict[str]
    """The headers where the client has the body already."""


class Kept:
    """Keeps the answers of the routes that it is given."""

    def __init__(
        self,
        sessions: Sessions,
        tag: Tag,
        count: Count,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask `tag` for the revisions of an account; tell `count` of repeats."""
        self._sessions = sessions
        self._count = count
        self._read_tag = tag
        self._now = monotonic
        self._tags: dict[UUID, tuple[float, str]] = {}
        self._answers: OrderedDict[Key, _Answer] = OrderedDict()
        self._bytes = 0
        self._repeats: dict[bytes, tuple[float, _Answer]] = {}

    def routes(self, routes: list[Route]) -> list[Route]:
        """Return the routes with the answers of those that read kept."""
        return [
            dataclasses.replace(route, handle=self._keeping(route.handle))
            if route.method == "GET"
            else route
            for route in routes
        ]

    @web.middleware
    async def repeats(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Answer at once what was answered a moment ago. Comes before all others."""
        if request.method != "GET":
            return await handler(request)
        began = self._now()
        until, found = self._repeats.get(_print(request), (0.0, None))
        if found is None or until < began:
            return await handler(request)
        request[REQUEST_ID] = secrets.token_hex(16)
        answer = _response(request, found)
        self._count(request, answer, self._now() - began)
        return answer

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Forget what another request may have changed, or seen changed."""
        try:
            return await handler(request)
        finally:
            if request.method not in _SAFE:
                self._answers.clear()
                self._bytes = 0
            if request.method not in _SAFE or _KEPT not in request:
                self._tags.clear()
                self._repeats.clear()

    def _keeping(self, handle: Handler) -> Handler:
        """Return `handle` behind the kept answers."""

        async def answered(request: web.Request) -> web.StreamResponse:
            request[_KEPT] = True
            try:
                visitor = await self._sessions.visitor(request)
            except RefusedError:
                return await handle(request)
            key = (visitor, request.path_qs)
            read_at, tag = await self._tag(visitor.account_id)
            found = self._answers.get(key)
            if found is None or found.tag != tag or found.until < self._now():
                made = await handle(request)
                kept = self._keep(key, tag, made)
                if kept is None:
                    return made
                found = kept
            self._repeat(request, read_at, found)
            return _response(request, found)

        return answered

    def _repeat(self, request: web.Request, read_at: float, answer: _Answer) -> None:
        """Note that the very same request may be answered so for a moment."""
        if len(self._repeats) >= _MOST_REPEATS:
            self._repeats.clear()
        until = min(read_at + FRESH_SECONDS, answer.until)
        self._repeats[_print(request)] = until, answer

    async def _tag(self, account_id: UUID) -> tuple[float, str]:
        """Return the account's revisions and when, a moment ago, they were read."""
        now = self._now()
        found = self._tags.get(account_id)
        if found is None or now - found[0] > FRESH_SECONDS:
            found = now, await self._read_tag(account_id)
            self._tags[account_id] = found
        return found

    def _keep(self, key: Key, tag: str, made: web.StreamResponse) -> _Answer | None:
        """Keep an answer, and drop the oldest ones where there is no room.

        None for one that is not to be kept: a refusal, or one that sets a cookie.
        """
        if not isinstance(made, web.Response) or made.status != _OK or made.cookies:
            return None
        body = made.body
        if not isinstance(body, bytes) or len(body) > _LARGEST:
            return None
        etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
        kept = _Answer(
            tag=tag,
            until=self._now() + LONGEST_SECONDS,
            body=body,
            etag=etag,
            headers=CIMultiDict({**made.headers, "ETag": etag, **ALWAYS}),
            short=CIMultiDict({"ETag": etag, **ALWAYS}),
        )
        self._drop(key)
        self._answers[key] = kept
        self._bytes += len(body)
        while self._bytes > MOST_BYTES:
            self._drop(next(iter(self._answers)))
        return kept

    def _drop(self, key: Key) -> None:
        gone = self._answers.pop(key, None)
        self._bytes -= len(gone.body) if gone else 0


def _print(request: web.Request) -> bytes:
    """Return a hash of all that an answer hangs on: no token stays in memory for it."""
    sent = request.headers
    parts = [request.raw_path]
    for name in _TELLING:
        parts += sent.getall(name, _NONE)
    words = "\0".join(parts).encode("utf-8", "replace")
    return hashlib.blake2b(words, digest_size=32).digest()


def _response(request: web.Request, kept: _Answer) -> web.Response:
    """Return the answer, or that it is the one that the client has."""
    if _has(request.headers.get("If-None-Match"), kept.etag):
        return web.Response(status=_NOT_MODIFIED, headers=kept.short)
    return web.Response(body=kept.body, headers=kept.headers)


def _has(sent: str | None, etag: str) -> bool:
    """Tell whether If-None-Match names the answer (RFC 9110, 13.1.2: weakly)."""
    if sent is None:
        return False
    names = [name.strip().removeprefix("W/") for name in sent.split(",")]
    return etag in names or "*" in names
