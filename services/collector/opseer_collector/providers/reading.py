"""One key's conversation with a JSON API, for one run: limited, tried again, judged.

Retries happen here and nowhere else. What differs between providers is a `Dialect`.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

import aiohttp
import msgspec
import structlog

from opseer_collector.domain.fetching import Key, ProviderAwayError
from opseer_common.errors import OpseerError

MAX_BODY: Final = 8 << 20
_TRIES: Final = 6
_RETRY_BUDGET: Final = 30
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0
LONGEST_ASKED: Final = 120.0
_MINUTE: Final = 60.0
_MARGIN: Final = 0.1
_RETRIED: Final = frozenset({408, 409, 423, 425, 429})
_SERVER_ERROR: Final = 500
_OK: Final = 200
_CHUNK: Final = 1 << 16
_TIMEOUT: Final = aiohttp.ClientTimeout(total=60, sock_connect=5, sock_read=45)
"""Figures are computed while we wait: that takes ten seconds and more."""
_log = structlog.get_logger()

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


class PermissionMissingError(OpseerError):
    """The key may not read this."""


class UnreadableError(OpseerError):
    """An answer that stays unreadable, or a request that is refused as such.

    `path` says where: a JSON path, or a word for the whole answer.
    """

    def __init__(self, path: str) -> None:
        """Keep where."""
        super().__init__(f"unreadable: {path}")
        self.path = path


class ParameterError(UnreadableError):
    """A request whose parameters the provider does not take."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What an answer tells about the limit: calls in this minute, and how many may."""

    used: int | None = None
    most: int | None = None


class Dialect(Protocol):
    """How a provider says what happened."""

    name: str

    def refusal(self, status: int, body: bytes) -> OpseerError:
        """Return what an answer of status 4xx, 429 and its like aside, means."""
        ...

    def asked_wait(self, headers: Mapping[str, str], body: bytes) -> float | None:
        """Return the seconds that the provider asks to wait; None where it does not."""
        ...

    def limit(self, headers: Mapping[str, str]) -> Limit:
        """Return what the headers tell about the limit."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A path, and the part of the API whose limit it counts under."""

    path: str
    domain: str = ""


class _TryAgainError(Exception):
    """One try failed. `unreadable` where an answer came that could not be read."""

    def __init__(
        self, why: str, *, unreadable: bool = False, asked: float | None = None
    ) -> None:
        super().__init__(why)
        self.unreadable = unreadable
        self.asked = asked


@dataclass(slots=True)
class _Minute:
    """The calls of the last minute in one domain, and what may be made of them."""

    sent: deque[float] = field(default_factory=deque)
    most: int | None = None
    full: bool = False

    def wait(self, now: float) -> float:
        """Return how long the next call waits so that it is not one too many."""
        while self.sent and self.sent[0] <= now - _MINUTE:
            self.sent.popleft()
            self.full = False
        mine_are_all = self.most is not None and len(self.sent) >= self.most
        if not self.sent or not (self.full or mine_are_all):
            return 0.0
        return self.sent[0] + _MINUTE + _MARGIN - now

    def heed(self, limit: Limit) -> None:
        """Learn from an answer."""
        if limit.most is not None and limit.most > 0:
            self.most = limit.most
            self.full = limit.used is not None and limit.used >= limit.most


class JsonReader:
    """Reads with one key, for one run."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base: str,
        key: Key,
        dialect: Dialect,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Call below `base` with `key`; the version is part of each path."""
        self._session = session
        self._base = base
        self._key = key
        self._dialect = dialect
        self._sleep = sleep
        self._budget = _RETRY_BUDGET
        self._minutes: dict[str, _Minute] = {}

    async def get(
        self, place: Place, params: Sequence[tuple[str, str]], shape: type[T]
    ) -> T:
        """Read one answer as `shape`.

        Raises KeyRefusedError, PermissionMissingError and ParameterError at once, and
        after all tries ProviderAwayError, or UnreadableError where answers came.
        """
        name = self._dialect.name
        for number in range(_TRIES):
            try:
                return await self._once(place, params, shape)
            except _TryAgainError as failed:
                _log.info("again", path=place.path, why=str(failed))
                self._budget -= 1
                if self._budget < 0:
                    raise ProviderAwayError(f"{name} fails too often.") from None
                if number == _TRIES - 1:
                    if failed.unreadable:
                        raise UnreadableError(str(failed)) from None
                    raise ProviderAwayError(f"{name}: {failed}.") from None
                await self._sleep(_wait(number, failed.asked))
        raise AssertionError(place)  # pragma: no cover - the loop returns or raises

    async def _once(
        self, place: Place, params: Sequence[tuple[str, str]], shape: type[T]
    ) -> T:
        """Try once, when there is room in the minute."""
        await self._turn(place.domain)
        try:
            async with self._session.get(
                self._base + place.path,
                params=[*params],
                headers={
                    "Authorization": f"Bearer {self._key.reveal()}",
                    "Accept": "application/json",
                },
                allow_redirects=False,
                timeout=_TIMEOUT,
            ) as response:
                body = await _body(response)
                self._minutes[place.domain].heed(self._dialect.limit(response.headers))
                self._judge(response, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            unreadable = isinstance(error, aiohttp.ClientPayloadError)
            raise _TryAgainError(type(error).__name__, unreadable=unreadable) from None
        try:
            return msgspec.json.decode(body, type=shape)
        except msgspec.ValidationError as error:
            raise _TryAgainError(path_of(error), unreadable=True) from None
        except (msgspec.DecodeError, RecursionError):
            raise _TryAgainError("invalid JSON", unreadable=True) from None

    async def _turn(self, domain: str) -> None:
        minute = self._minutes.setdefault(domain, _Minute())
        loop = asyncio.get_running_loop()
        wait = minute.wait(loop.time())
        if wait > 0:
            _log.info("waits for the next minute", seconds=round(wait))
            await self._sleep(wait)
            minute.full = False
        minute.sent.append(loop.time())

    def _judge(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        """Return for a JSON answer of status 200; raise for every other."""
        status = response.status
        if status == _OK:
            if response.content_type != "application/json" or not body:
                raise _TryAgainError("no JSON", unreadable=True)
            return
        if status >= _SERVER_ERROR or status in _RETRIED:
            asked = self._dialect.asked_wait(response.headers, body)
            raise _TryAgainError(f"HTTP {status}", asked=asked)
        if status < 400:  # noqa: PLR2004 - HTTP's number
            raise _TryAgainError(f"HTTP {status}")
        raise self._dialect.refusal(status, body)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Read at most MAX_BODY bytes, after unpacking."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MAX_BODY:
            raise _TryAgainError("body over 8 MiB", unreadable=True)
    return bytes(body)


def _wait(number: int, asked: float | None) -> float:
    """Return the wait before the next try: full jitter, or what was asked for."""
    if asked is not None:
        return min(asked, LONGEST_ASKED)
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**number)
    return random.uniform(0, longest)  # noqa: S311 - spreads calls, no secret


def seconds(text: str | None) -> float | None:
    """Read a header of whole seconds; everything else than a sane number is None."""
    if not text or not text.isascii() or not text.isdigit() or len(text) > 4:  # noqa: PLR2004
        return None
    return float(text)


def count(text: str | None) -> int | None:
    """Read a header of a count; everything else than a sane number is None."""
    found = seconds(text)
    return None if found is None else int(found)


def path_of(error: msgspec.ValidationError) -> str:
    """Return the JSON path that a validation error names."""
    _, _, rest = str(error).partition("at `")
    return rest.partition("`")[0] or "$"
