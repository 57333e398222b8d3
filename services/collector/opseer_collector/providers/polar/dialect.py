"""How Polar refuses and limits (source: its API reference)."""

from __future__ import annotations

from collections.abc import Mapping

from opseer_collector.domain.fetching import KeyRefusedError
from opseer_collector.providers.attempts import (
    PermissionMissingError,
    UnreadableError,
    whole_seconds,
)
from opseer_collector.providers.reading import Limit, ParameterError, count
from opseer_common.errors import OpseerError


class PolarDialect:
    """Polar's."""

    name = "Polar"

    def refusal(self, status: int, body: bytes) -> OpseerError:
        """Return what an answer of status 4xx means. Its words are not repeated."""
        del body
        match status:
            case 401:
                return KeyRefusedError(
                    "Polar does not accept the token: it has expired or was revoked."
                )
            case 403:
                return PermissionMissingError()
            case 404 | 422:
                return ParameterError(f"HTTP {status}")
            case _:
                return UnreadableError(f"HTTP {status}")

    def asked_wait(self, headers: Mapping[str, str], body: bytes) -> float | None:
        """Return Retry-After in seconds."""
        del body
        return whole_seconds(headers.get("Retry-After"))

    def limit(self, headers: Mapping[str, str]) -> Limit:
        """Return what the headers say where there are any."""
        most = count(headers.get("X-RateLimit-Limit"))
        left = count(headers.get("X-RateLimit-Remaining"))
        used = None if most is None or left is None else most - left
        return Limit(used=used, most=most)
