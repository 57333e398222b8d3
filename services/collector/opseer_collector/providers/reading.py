"""One key's conversation with a JSON API, for one run: limited, tried again, judged.

What differs between providers is a `Dialect`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

import aiohttp
import structlog

from opseer_collector.domain.fetching import Key
from opseer_collector.providers.attempts import (
    OK,
    RETRIED,
    SERVER_ERROR,
    Attempts,
    Sleep,
    TryAgainError,
    UnreadableError,
    broken,
    check_json,
    decoded,
    read_body,
    whole_seconds,
)
from opseer_common.errors import OpseerError

_RETRY_BUDGET: Final = 30
LONGEST_ASKED: Final = 120.0
_MINUTE: Final = 60.0
_MARGIN: Final = 0.1
_TIMEOUT: Final = aiohttp.ClientTimeout(total=60, sock_connect=5, sock_read=45)
"""Figures are computed while we wait: that takes ten seconds and more."""
_log = structlog.get_logger()

T = TypeVar("T")


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
        self._attempts = Attempts(dialect.name, _RETRY_BUDGET, sleep)
        self._minutes: dict[str, _Minute] = {}

    async def get(
        self, place: Place, params: Sequence[tuple[str, str]], shape: type[T]
    ) -> T:
        """Read one answer as `shape`.

        Raises KeyRefusedError, PermissionMissingError and ParameterError at once, and
        after all tries ProviderAwayError, or UnreadableError where answers came.
        """
        return await self._attempts.until_read(
            place.path, lambda: self._once(place, params, shape)
        )

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
                body = await read_body(response)
                self._minutes[place.domain].heed(self._dialect.limit(response.headers))
                self._judge(response, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise broken(error) from None
        return decoded(body, shape)

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
        if status == OK:
            check_json(response, body)
            return
        if status >= SERVER_ERROR or status in RETRIED:
            asked = self._dialect.asked_wait(response.headers, body)
            if asked is not None:
                asked = min(asked, LONGEST_ASKED)
            raise TryAgainError(f"HTTP {status}", asked=asked)
        if status < 400:  # noqa: PLR2004 - HTTP's number
            raise TryAgainError(f"HTTP {status}")
        raise self._dialect.refusal(status, body)


def count(text: str | None) -> int | None:
    """Read a header of a count; everything else than a sane number is None."""
    found = whole_seconds(text)
    return None if found is None else int(found)
