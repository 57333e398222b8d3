"""One key's conversation with Stripe's API: paced, retried here and nowhere else."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import aiohttp
import msgspec
import structlog
from aiohttp.abc import ResolveResult
from typing_extensions import override

from opseer_collector.domain.fetching import Key, ProviderAwayError
from opseer_collector.providers.stripe.errors import UnreadableError, refusal
from opseer_collector.providers.stripe.pace import Pacer
from opseer_common.addresses import is_public

VERSION: Final = "2025-08-27.basil"
"""The last version that shows coupons inline in lists (docs/decisions)."""
PUBLIC_HOSTS: Final = frozenset(
    {"api.stripe.com", "api.revenuecat.com", "api.polar.sh", "sandbox-api.polar.sh"}
)
"""Where the bases lead to unless an operator sets others (docs/SETTINGS.md)."""
MAX_BODY: Final = 8 << 20
_TRIES: Final = 6
_RETRY_BUDGET: Final = 60
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0
_LONGEST_ASKED: Final = 60.0
_SMALLEST_PAGE: Final = 5
_RETRIED: Final = frozenset({408, 409, 425, 429})
_SERVER_ERROR: Final = 500
_OK: Final = 200
_TOO_MANY: Final = 429
_CHUNK: Final = 1 << 16
_log = structlog.get_logger()

T = TypeVar("T")
Params = Mapping[str, str | Sequence[str]]
Sleep = Callable[[float], Awaitable[None]]


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


@dataclass(frozen=True, slots=True)
class Place:
    """A path and the endpoint that its limit is counted under."""

    path: str
    endpoint: str


class _TryAgainError(Exception):
    """One try failed. `unreadable` where an answer came that could not be read."""

    def __init__(
        self, why: str, *, unreadable: bool = False, asked: float | None = None
    ) -> None:
        super().__init__(why)
        self.unreadable = unreadable
        self.asked = asked


class StripeClient:
    """Reads with one key, for one run."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base: str,
        key: Key,
        pacer: Pacer,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Call `base` (without /v1) with `key` at the pace of `pacer`."""
        self._session = session
        self._base = base
        self._key = key
        self._pacer = pacer
        self._sleep = sleep
        self._budget = _RETRY_BUDGET

    def in_flight(self, place: Place) -> int:
        """Return how many calls at once use the pace of `place` up."""
        return self._pacer.in_flight(place.endpoint)

    async def get(self, place: Place, params: Params, shape: type[T]) -> T:
        """Read one answer as `shape`.

        A page that fails is asked for again in a smaller size. Raises KeyRefusedError
        and PermissionMissingError at once, and after all tries ProviderAwayError, or
        UnreadableError where answers came.
        """
        asked = dict(params)
        for number in range(_TRIES):
            try:
                return await self._once(place, asked, shape)
            except _TryAgainError as failed:
                _log.info("again", endpoint=place.endpoint, why=str(failed))
                self._budget -= 1
                if self._budget < 0:
                    raise ProviderAwayError("Stripe fails too often.") from None
                if number == _TRIES - 1:
                    if failed.unreadable:
                        raise UnreadableError(str(failed)) from None
                    raise ProviderAwayError(f"Stripe: {failed}.") from None
                await self._sleep(_wait(number, failed.asked))
                _halve(asked, failed)
        raise AssertionError(place)  # pragma: no cover - the loop returns or raises

    async def _once(self, place: Place, params: Params, shape: type[T]) -> T:
        """Try once."""
        await self._pacer.turn(place.endpoint)
        asked_at = asyncio.get_running_loop().time()
        try:
            async with self._session.get(
                self._base + place.path,
                params=_pairs(params),
                headers={
                    "Authorization": f"Bearer {self._key.reveal()}",
                    "Stripe-Version": VERSION,
                },
                allow_redirects=False,
            ) as response:
                body = await _body(response)
                self._heed(place, response)
                _judge(response, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            unreadable = isinstance(error, aiohttp.ClientPayloadError)
            raise _TryAgainError(type(error).__name__, unreadable=unreadable) from None
        self._pacer.answered(
            place.endpoint, asyncio.get_running_loop().time() - asked_at
        )
        try:
            return msgspec.json.decode(body, type=shape)
        except msgspec.ValidationError as error:
            raise _TryAgainError(path_of(error), unreadable=True) from None
        except (msgspec.DecodeError, RecursionError):
            raise _TryAgainError("invalid JSON", unreadable=True) from None

    def _heed(self, place: Place, response: aiohttp.ClientResponse) -> None:
        """Slow down where Stripe says that calls are too many."""
        reason = response.headers.get("Stripe-Rate-Limited-Reason", "")
        limited = response.status == _TOO_MANY and reason
        if limited and self._pacer.refused(place.endpoint, reason):
            _log.warning("slower", endpoint=place.endpoint, reason=reason[:40])


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Read at most MAX_BODY bytes, after unpacking."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MAX_BODY:
            raise _TryAgainError("body over 8 MiB", unreadable=True)
    return bytes(body)


def _judge(response: aiohttp.ClientResponse, body: bytes) -> None:
    """Return for a JSON answer of status 200; raise for every other."""
    status = response.status
    if status == _OK:
        if response.content_type != "application/json" or not body:
            raise _TryAgainError("no JSON")
        return
    advice = response.headers.get("Stripe-Should-Retry", "")
    if status >= _SERVER_ERROR or status in _RETRIED or advice == "true":
        if advice == "false" and status != _TOO_MANY:
            raise ProviderAwayError(f"Stripe: HTTP {status}, not to be tried again.")
        asked = _retry_after(response.headers.get("Retry-After", ""))
        raise _TryAgainError(f"HTTP {status}", asked=asked)
    if status < 400:  # noqa: PLR2004 - HTTP's number
        raise _TryAgainError(f"HTTP {status}")
    raise refusal(status, body)


def _retry_after(text: str) -> float | None:
    """Read Retry-After in seconds; everything else than a sane number is ignored."""
    if not text.isascii() or not text.isdigit() or len(text) > 4:  # noqa: PLR2004
        return None
    return min(float(text), _LONGEST_ASKED)


def _wait(number: int, asked: float | None) -> float:
    """Return the wait before the next try: full jitter, or what Stripe asked for."""
    if asked is not None:
        return asked
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**number)
    return random.uniform(0, longest)  # noqa: S311 - spreads calls, no secret


def _halve(params: dict[str, str | Sequence[str]], failed: _TryAgainError) -> None:
    """Ask for a smaller page next time: fat pages break (stripe-apps#954)."""
    limit = params.get("limit")
    if isinstance(limit, str) and failed.asked is None and "429" not in str(failed):
        params["limit"] = str(max(min(int(limit), _SMALLEST_PAGE), int(limit) // 2))


def _pairs(params: Params) -> list[tuple[str, str]]:
    """Return the query in Stripe's form; arrays are given with their brackets."""
    return [
        (name, one)
        for name, value in params.items()
        for one in ([value] if isinstance(value, str) else value)
    ]


def path_of(error: msgspec.ValidationError) -> str:
    """Return the JSON path that a validation error names."""
    _, _, rest = str(error).partition("at `")
    return rest.partition("`")[0] or "$"
