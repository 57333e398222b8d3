"""How RevenueCat refuses, limits and names its domains."""

from __future__ import annotations

from opseer_simulator.channels.serving import ChannelRefusal

PROJECTS = "project_configuration:projects:read"
OVERVIEW = "charts_metrics:overview:read"
CHARTS = "charts_metrics:charts:read"
RIGHTS = frozenset({PROJECTS, OVERVIEW, CHARTS})

CHARTS_DOMAIN = "charts_metrics"
PROJECTS_DOMAIN = "project_configuration"


def refusal(
    status: int,
    kind: str,
    message: str,
    *,
    param: str | None = None,
    backoff_ms: int | None = None,
) -> ChannelRefusal:
    """Return an answer that refuses; `backoff_ms` makes it one to be tried again."""
    page = kind.replace("_", "-")
    body: dict[str, object] = {
        "object": "error",
        "type": kind,
        "message": message,
        "retryable": backoff_ms is not None,
        "doc_url": f"https://errors.rev.cat/{page}",
    }
    if param is not None:
        body["param"] = param
    headers = {}
    if backoff_ms is not None:
        body["backoff_ms"] = backoff_ms
        headers["Retry-After"] = str(-(-backoff_ms // 1000))
    return ChannelRefusal(status, body, headers)


def bad_parameter(param: str, message: str) -> ChannelRefusal:
    """Return 400 for a parameter."""
    return refusal(400, "parameter_error", message, param=param)


def lacking(right: str) -> ChannelRefusal:
    """Return 403 for a permission that the key lacks."""
    return refusal(
        403,
        "authorization_error",
        f"The API key does not have the required permission: {right}",
    )


def other_project() -> ChannelRefusal:
    """Return 403 for a project that the key does not open."""
    return refusal(
        403, "authorization_error", "The API key has no access to this project."
    )


class RevenueCatDialect:
    """RevenueCat's words for what the door decides."""

    def too_many(self, wait: int) -> ChannelRefusal:
        """Return 429 with the seconds and milliseconds to wait."""
        return refusal(
            429, "rate_limit_error", "Rate limit exceeded.", backoff_ms=1000 * wait
        )

    def locked(self) -> ChannelRefusal:
        """Return 423."""
        return refusal(
            423,
            "resource_locked_error",
            "The resource is being changed by another request.",
            backoff_ms=1000,
        )

    def broken(self, status: int) -> ChannelRefusal:
        """Return a 5xx."""
        return refusal(
            status, "server_error", "There was an internal error.", backoff_ms=1000
        )

    def no_such_route(self, path: str) -> ChannelRefusal:
        """Return 404."""
        return refusal(404, "resource_missing", f"No such endpoint: {path}")

    def not_allowed(self) -> ChannelRefusal:
        """Return 401."""
        return refusal(401, "authentication_error", "Invalid API key.")

    def domain(self, path: str) -> str:
        """Return the rate-limit domain of a path."""
        shared = "/metrics/" in path or "/charts/" in path
        return CHARTS_DOMAIN if shared else PROJECTS_DOMAIN

    def headers(self, used: int, most: int | None) -> dict[str, str]:
        """Return how much of the limit is used."""
        headers = {"RevenueCat-Rate-Limit-Current-Usage": str(used)}
        if most is not None:
            headers["RevenueCat-Rate-Limit-Current-Limit"] = str(most)
        return headers
