"""Answers that are refusals, in Stripe's words."""

from __future__ import annotations

import msgspec


class RefusalError(Exception):
    """An HTTP error with Stripe's body."""

    def __init__(
        self,
        status: int,
        message: str,
        headers: dict[str, str] | None = None,
        **more: str,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        error = {"message": message, "type": "invalid_request_error"} | more
        self.body = msgspec.json.encode({"error": error})


def masked(key: str) -> str:
    """Return a key as Stripe repeats it: its family and its last four characters."""
    family, _, rest = key.rpartition("_")
    shown = f"{family}_" if family else ""
    return f"{shown}{'*' * max(len(rest) - 4, 4)}{rest[-4:]}"


def invalid_key(key: str) -> RefusalError:
    """Return 401 for an unknown or revoked key."""
    return RefusalError(401, f"Invalid API Key provided: {masked(key)}")


def expired_key(key: str) -> RefusalError:
    """Return 401 for an expired key."""
    return RefusalError(
        401,
        f"Expired API Key provided: {masked(key)}",
        code="api_key_expired",
        doc_url="https://stripe.com/docs/error-codes/api-key-expired",
    )


def no_key() -> RefusalError:
    """Return 401 for a request without a key."""
    return RefusalError(
        401,
        "You did not provide an API key. You need to provide your API key in the "
        "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
        "YOUR_SECRET_KEY').",
    )


def missing_permission(
    key: str, account: str, right: str, title: str, wording: str
) -> RefusalError:
    """Return 403 in the old or the new wording; `right` such as `plan_read`."""
    start = (
        f"The provided key '{masked(key)}' does not have the required permissions for "
        f"this endpoint on account '{account}'."
    )
    if wording == "new":
        return RefusalError(
            403,
            f"Permission denied. {start} Enabling \"{title} Read\" ('{right}') "
            "permissions on this key would allow this request to continue.",
        )
    return RefusalError(
        403,
        f"{start} Having the 'rak_{right}' permission would allow this request to "
        "continue.",
    )


def no_such(kind: str, object_id: str, param: str, status: int = 404) -> RefusalError:
    """Return the answer about an id that does not exist; a cursor is a 400."""
    return RefusalError(
        status,
        f"No such {kind}: '{object_id}'",
        code="resource_missing",
        param=param,
        doc_url="https://stripe.com/docs/error-codes/resource-missing",
    )


def bad_parameter(
    message: str, param: str, code: str = "parameter_invalid"
) -> RefusalError:
    """Return 400 for a parameter."""
    return RefusalError(400, message, param=param, code=code)
