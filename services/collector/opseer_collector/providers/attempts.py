"""Trying a call again, and reading what comes: one way for every provider.

Retries happen here and nowhere else.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import aiohttp
import msgspec
import structlog

from opseer_collector.domain.fetching import ProviderAwayError
from opseer_common.errors import OpseerError

MAX_BODY: Final = 8 << 20
OK: Final = 200
SERVER_ERROR: Final = 500
RETRIED: Final = frozenset({408, 409, 423, 425, 429})
"""Statuses below 500 that pass."""
_TRIES: Final = 6
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0
_CHUNK: Final = 1 << 16
_log = structlog.get_logger()

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


class PermissionMissingError(OpseerError):
    """The key may not read this. `rights` are the provider's names, empty if untold."""

    def __init__(self, rights: frozenset[str] = frozenset()) -> None:
        """Keep the rights that would help."""
        super().__init__(f"missing {', '.join(sorted(rights)) or 'permission'}")
        self.rights = rights


class UnreadableError(OpseerError):
    """An answer that stays unreadable, or a request that is refused as such.

    `path` says where: a JSON path, or a word for the whole answer.
    """

    def __init__(self, path: str) -> None:
        """Keep where."""
        super().__init__(f"unreadable: {path}")
        self.path = path


class TryAgainError(Exception):
    """One try failed. `unreadable` where an answer came that could not be read.

    `asked` are the seconds that the provider asks to wait.
    """

    def __init__(
        self, why: str, *, unreadable: bool = False, asked: float | None = None
    ) -> None:
        """Keep why, for the log."""
        super().__init__(why)
        self.unreadable = unreadable
        self.asked = asked


class Attempts:
    """The calls of one run to a provider, which share a budget of further tries."""

    def __init__(self, name: str, budget: int, sleep: Sleep) -> None:
        """Say `name` where it stays away."""
        self._name = name
        self._budget = budget
        self._sleep = sleep

    async def until_read(
        self,
        where: str,
        once: Callable[[], Awaitable[T]],
        failed: Callable[[TryAgainError], None] = lambda _: None,
    ) -> T:
        """Return what `once` gives; `failed` hears of each try that did not.

        Raises what else `once` raises at once, and after all tries ProviderAwayError,
        or UnreadableError where answers came.
        """
        number = 0
        while True:
            try:
                return await once()
            except TryAgainError as error:
                _log.info("again", path=where, why=str(error))
                self._budget -= 1
                number += 1
                if self._budget < 0:
                    raise ProviderAwayError(f"{self._name} fails too often.") from None
                if number == _TRIES:
                    raise self._given_up(error) from None
                await self._sleep(_wait(number, error.asked))
                failed(error)

    def _given_up(self, error: TryAgainError) -> OpseerError:
        if error.unreadable:
            return UnreadableError(str(error))
        return ProviderAwayError(f"{self._name}: {error}.")


def _wait(number: int, asked: float | None) -> float:
    """Return the wait after try `number`: full jitter, or what was asked for."""
    if asked is not None:
        return asked
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (number - 1))
    return random.uniform(0, longest)  # noqa: S311 - spreads calls, no secret


def broken(error: Exception) -> TryAgainError:
    """Return what a connection or a body that broke means."""
    unreadable = isinstance(error, aiohttp.ClientPayloadError)
    return TryAgainError(type(error).__name__, unreadable=unreadable)


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """Read at most MAX_BODY bytes, after unpacking."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MAX_BODY:
            raise TryAgainError("body over 8 MiB", unreadable=True)
    return bytes(body)


def check_json(response: aiohttp.ClientResponse, body: bytes) -> None:
    """Return for an answer that can be JSON.

    An empty one, or a page of a proxy, is as if the provider was away.
    """
    if response.content_type != "application/json" or not body:
        raise TryAgainError("no JSON")


def decoded(body: bytes, shape: type[T]) -> T:
    """Decode a body; TryAgainError where it does not fit."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise TryAgainError(path_of(error), unreadable=True) from None
    except (msgspec.DecodeError, RecursionError):
        raise TryAgainError("invalid JSON", unreadable=True) from None


def path_of(error: msgspec.ValidationError) -> str:
    """Return the JSON path that a validation error names."""
    _, _, rest = str(error).partition("at `")
    return rest.partition("`")[0] or "$"


def whole_seconds(text: str | None) -> float | None:
    """Read a header of whole seconds; everything else than a sane number is None."""
    if not text or not text.isascii() or not text.isdigit() or len(text) > 4:  # noqa: PLR2004
        return None
    return float(text)
