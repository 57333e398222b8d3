"""A write of the API that comes again with its Idempotency-Key is done once.

Its answer is sent again for a day (draft-ietf-httpapi-idempotency-key-header-07). An
answer may hold what is shown once, an API token: it is sealed with a key made of the
visitor's own token and the Idempotency-Key, which nobody but the visitor has.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from opseer_common.clock import Clock
from opseer_common.errors import RefusedError
from opseer_gateway.domain.idempotency import Earlier
from opseer_gateway.domain.refusals import WaitError
from opseer_gateway.web.problems import Handler
from opseer_gateway.web.sessions import Sessions

HEADER: Final = "Idempotency-Key"
FORM: Final = "[!-~]{1,255}"
_REPLAYED: Final = "Idempotency-Replayed"
_API: Final = "/api/v1/"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NONCE_BYTES: Final = 12


class Ledger(Protocol):
    """Where writes are noted."""

    async def begin(  # noqa: D102
        self, account_id: UUID, key_hash: bytes, request_hash: bytes, now: datetime
    ) -> Earlier | None: ...
    async def finish(  # noqa: D102
        self, account_id: UUID, key_hash: bytes, answer: bytes
    ) -> None: ...
    async def forget(self, account_id: UUID, key_hash: bytes) -> None: ...  # noqa: D102


class _Answer(msgspec.Struct, frozen=True):
    """An answer as it is kept."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Key:
    """What a visitor's token and Idempotency-Key give: a name, and keys.

    Requests are hashed with a key: a password in one could be guessed by its hash.
    """

    name: bytes
    hashing: bytes = field(repr=False)
    sealing: bytes = field(repr=False)

    @classmethod
    def of(cls, token: str, sent: str) -> _Key:
        """Return it; nothing leads back from it."""

        def made(purpose: bytes) -> bytes:
            return hmac.digest(token.encode(), purpose + sent.encode(), "sha256")

        return cls(
            made(b"opseer idempotency name\0"),
            made(b"opseer request\0"),
            made(b"opseer answer\0"),
        )

    async def hash(self, request: web.Request) -> bytes:
        head = f"{request.method} {request.raw_path}\n{request.content_type}\n"
        text = head.encode() + await request.read()
        return hmac.digest(self.hashing, text, "sha256")

    def seal(self, answer: _Answer) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        text = msgspec.msgpack.encode(answer)
        return nonce + AESGCM(self.sealing).encrypt(nonce, text, self.name)

    def open(self, sealed: bytes) -> _Answer:
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        text = AESGCM(self.sealing).decrypt(nonce, rest, self.name)
        return msgspec.msgpack.decode(text, type=_Answer)


class Idempotency:
    """Stands before every write of somebody who is signed in."""

    def __init__(self, ledger: Ledger, sessions: Sessions, clock: Clock) -> None:
        """Note writes in `ledger`."""
        self._ledger = ledger
        self._sessions = sessions
        self._clock = clock

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Do a write, or answer as before.

        RefusedError: INVALID_IDEMPOTENCY_KEY; IDEMPOTENCY_KEY_REUSED where the key
        came with another write; IN_PROGRESS where the write is under way.
        """
        sent = request.headers.getall(HEADER, [])
        if not sent or request.method in _SAFE or not request.path.startswith(_API):
            return await handler(request)
        visitor = await self._sessions.find(request)
        token = request.headers.get("Authorization") or self._sessions.token(request)
        if visitor is None or token is None:
            return await handler(request)
        if len(sent) != 1 or re.fullmatch(FORM, sent[0]) is None:
            raise RefusedError(
                "INVALID_IDEMPOTENCY_KEY",
                "An Idempotency-Key has 1 to 255 visible ASCII characters.",
            )
        key = _Key.of(token, sent[0])
        request_hash = await key.hash(request)
        now = self._clock()
        of = visitor.account_id, key.name
        earlier = await self._ledger.begin(*of, request_hash, now)
        if earlier is None:
            return await self._first(request, handler, of, key)
        return _again(earlier, request_hash, key)

    async def _first(
        self,
        request: web.Request,
        handler: Handler,
        of: tuple[UUID, bytes],
        key: _Key,
    ) -> web.StreamResponse:
        """Do the write and keep its answer; a refused one may come again, corrected."""
        try:
            answer = await handler(request)
        except Exception:
            await self._ledger.forget(*of)
            raise
        body = answer.body if isinstance(answer, web.Response) else None
        kept = _Answer(
            answer.status,
            answer.content_type,
            body if isinstance(body, bytes) else b"",
        )
        await self._ledger.finish(*of, key.seal(kept))
        return answer


def _again(earlier: Earlier, request_hash: bytes, key: _Key) -> web.Response:
    """Return the answer of a write that was done."""
    if earlier.request_hash != request_hash:
        raise RefusedError(
            "IDEMPOTENCY_KEY_REUSED", "The Idempotency-Key came with another request."
        )
    if earlier.answer is None:
        raise WaitError("IN_PROGRESS", "The same request is under way.", 1)
    kept = key.open(earlier.answer)
    answer = web.Response(status=kept.status, headers={_REPLAYED: "true"})
    if kept.body:
        answer.content_type, answer.body = kept.content_type, kept.body
    return answer
