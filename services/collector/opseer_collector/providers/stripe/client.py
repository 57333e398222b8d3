"""One key's conversation with Stripe's API: paced, retried here and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import aiohttp
import structlog

from opseer_collector.domain.fetching import Key, ProviderAwayError
from opseer_collector.providers.attempts import (
    OK,
    RETRIED,
    SERVER_ERROR,
    Attempts,
    Sleep,
    TryAgainError,
    broken,
    check_json,
    decoded,
    read_body,
    whole_seconds,
)
from opseer_collector.providers.stripe.errors import refusal
from opseer_collector.providers.stripe.pace import Pacer

VERSION: Final = "2025-08-27.basil"
"""The last version that shows coupons inline in lists (docs/decisions)."""
_RETRY_BUDGET: Final = 60
_LONGEST_ASKED: Final = 60.0
_SMALLEST_PAGE: Final = 5
_TOO_MANY: Final = 429
_log = structlog.get_logger()

T = TypeVar("T")
Params = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Place:
    """A path and the endpoint that its limit is counted under."""

    path: str
    endpoint: str


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
        self._attempts = Attempts("Stripe", _RETRY_BUDGET, sleep)

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
        return await self._attempts.until_read(
            place.endpoint,
            lambda: self._once(place, asked, shape),
            lambda failed: _halve(asked, failed),
        )

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
                body = await read_body(response)
                self._heed(place, response)
                _judge(response, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise broken(error) from None
        self._pacer.answered(
            place.endpoint, asyncio.get_running_loop().time() - asked_at
        )
        return decoded(body, shape)

    def _heed(self, place: Place, response: aiohttp.ClientResponse) -> None:
        """Slow down where Stripe says that calls are too many."""
        reason = response.headers.get("Stripe-Rate-Limited-Reason", "")
        limited = response.status == _TOO_MANY and reason
        if limited and self._pacer.refused(place.endpoint, reason):
            _log.warning("slower", endpoint=place.endpoint, reason=reason[:40])


def _judge(response: aiohttp.ClientResponse, body: bytes) -> None:
    """Return for a JSON answer of status 200; raise for every other."""
    status = response.status
    if status == OK:
        check_json(response, body)
        return
    advice = response.headers.get("Stripe-Should-Retry", "")
    if status >= SERVER_ERROR or status in RETRIED or advice == "true":
        if advice == "false" and status != _TOO_MANY:
            raise ProviderAwayError(f"Stripe: HTTP {status}, not to be tried again.")
        asked = whole_seconds(response.headers.get("Retry-After"))
        if asked is not None:
            asked = min(asked, _LONGEST_ASKED)
        raise TryAgainError(f"HTTP {status}", asked=asked)
    if status < 400:  # noqa: PLR2004 - HTTP's number
        raise TryAgainError(f"HTTP {status}")
    raise refusal(status, body)


def _halve(params: dict[str, str | Sequence[str]], failed: TryAgainError) -> None:
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
