"""How Polar refuses and limits."""

from __future__ import annotations

from opseer_simulator.channels.serving import ChannelRefusal

METRICS = "metrics:read"
ORDERS = "orders:read"
REFUNDS = "refunds:read"
ORGANIZATIONS = "organizations:read"
RIGHTS = frozenset({METRICS, ORDERS, REFUNDS, ORGANIZATIONS})

DOMAIN = "api"


def lacking(scope: str) -> ChannelRefusal:
    """Return 403 for a scope that the token lacks."""
    text = "The request requires higher privileges than provided by the access token."
    return ChannelRefusal(
        403,
        {"error": "insufficient_scope", "detail": text, "scope": scope},
        {
            "WWW-Authenticate": 'Bearer realm="polar", error="insufficient_scope", '
            f'error_description="{text}", scope="{scope}"'
        },
    )


def invalid(*faults: tuple[str, str, str]) -> ChannelRefusal:
    """Return 422 for parameters: each with its name, a message and a type."""
    detail = [
        {"loc": ["query", name], "msg": message, "type": kind}
        for name, message, kind in faults
    ]
    return ChannelRefusal(422, {"error": "RequestValidationError", "detail": detail})


class PolarDialect:
    """Polar's words for what the door decides."""

    def too_many(self, wait: int) -> ChannelRefusal:
        """Return 429 with the seconds to wait."""
        return ChannelRefusal(
            429,
            {"error": "RateLimitExceeded", "detail": "Too many requests."},
            {"Retry-After": str(wait)},
        )

    def locked(self) -> ChannelRefusal:
        """Return 409, which is what Polar has for it."""
        return ChannelRefusal(
            409, {"error": "ResourceLocked", "detail": "Try again in a moment."}
        )

    def broken(self, status: int) -> ChannelRefusal:
        """Return a 5xx."""
        return ChannelRefusal(
            status,
            {"error": "InternalServerError", "detail": "Internal Server Error"},
        )

    def no_such_route(self, path: str) -> ChannelRefusal:
        """Return 404."""
        return ChannelRefusal(
            404, {"error": "ResourceNotFound", "detail": f"Not found: {path}"}
        )

    def not_allowed(self) -> ChannelRefusal:
        """Return 401."""
        text = "The access token is missing, expired, revoked or malformed."
        return ChannelRefusal(
            401,
            {"error": "Unauthorized", "detail": text},
            {"WWW-Authenticate": 'Bearer realm="polar", error="invalid_token"'},
        )

    def domain(self, _path: str) -> str:
        """Return the one rate-limit domain there is."""
        return DOMAIN

    def headers(self, _used: int, _most: int | None) -> dict[str, str]:
        """Return no headers."""
        return {}
