"""How RevenueCat refuses and limits (source: its API v2 specification)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from opseer_collector.domain.fetching import KeyRefusedError
from opseer_collector.providers.attempts import (
    PermissionMissingError,
    UnreadableError,
    whole_seconds,
)
from opseer_collector.providers.reading import Limit, ParameterError, count
from opseer_common.errors import OpseerError

_MILLISECONDS = 1000


class _Error(msgspec.Struct):
    type: str = ""
    param: str | None = None
    backoff_ms: int | None = None


class RevenueCatDialect:
    """RevenueCat's."""

    name = "RevenueCat"

    def refusal(self, status: int, body: bytes) -> OpseerError:
        """Return what an answer of status 4xx means."""
        error = _error_of(body)
        match status:
            case 401:
                return KeyRefusedError(
                    "RevenueCat does not accept the key: it was revoked or deleted."
                )
            case 403:
                return PermissionMissingError()
            case 400 | 404 | 422:
                return ParameterError(f"HTTP {status} {error.param or error.type}")
            case _:
                return UnreadableError(f"HTTP {status} {error.type}".strip())

    def asked_wait(self, headers: Mapping[str, str], body: bytes) -> float | None:
        """Return the longer of the header's and the body's wait, in seconds."""
        waits = [whole_seconds(headers.get("Retry-After"))]
        backoff = _error_of(body).backoff_ms
        if backoff is not None and backoff >= 0:
            waits.append(float(-(-backoff // _MILLISECONDS)))
        return max((wait for wait in waits if wait is not None), default=None)

    def limit(self, headers: Mapping[str, str]) -> Limit:
        """Return the two numbers that come with each answer."""
        return Limit(
            used=count(headers.get("RevenueCat-Rate-Limit-Current-Usage")),
            most=count(headers.get("RevenueCat-Rate-Limit-Current-Limit")),
        )


def _error_of(body: bytes) -> _Error:
    try:
        return msgspec.json.decode(body, type=_Error)
    except msgspec.DecodeError:
        return _Error()
