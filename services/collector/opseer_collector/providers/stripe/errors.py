"""How Stripe refuses, told apart by what we do about it."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from opseer_collector.domain.fetching import (
    KeyRefusedError,
    Overtaken,
    ProviderAwayError,
)
from opseer_collector.domain.history import GiveWay
from opseer_collector.providers.attempts import (
    PermissionMissingError,
    UnreadableError,
)
from opseer_common.errors import OpseerError

_RIGHT = re.compile(r"'(?:rak_)?([a-z_]+_(?:read|write))'")
PERMISSIONS: Final = {
    "balance_read": "balance",
    "balance_transaction_source_read": "balance_transaction_source",
    "charge_read": "charges_and_refunds",
    "customer_read": "customers",
    "dispute_read": "disputes",
    "event_read": "events",
    "payment_intent_read": "payment_intents",
    "payout_read": "payouts",
    "product_read": "products",
    "invoice_read": "invoices",
    "plan_read": "prices",
    "subscription_read": "subscriptions",
}
"""Stripe's name of each right, and ours (design: permission names)."""


class _Error(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _Envelope(msgspec.Struct):
    error: _Error = msgspec.field(default_factory=_Error)


def refusal(status: int, body: bytes) -> OpseerError:
    """Return what an answer of status 4xx (429 and 409 aside) means."""
    try:
        error = msgspec.json.decode(body, type=_Envelope).error
    except msgspec.DecodeError:
        error = _Error()
    message = error.message or ""
    if status == 401:  # noqa: PLR2004 - HTTP's number
        expired = error.code == "api_key_expired"
        return KeyRefusedError(
            "Stripe says that the key has expired."
            if expired
            else "Stripe does not accept the key: it was revoked or deleted."
        )
    if status != 403:  # noqa: PLR2004 - HTTP's number
        return UnreadableError(f"HTTP {status} {error.code or ''}".strip())
    if "IP address" in message:
        return KeyRefusedError("The key does not allow this server's IP address.")
    if error.code == "account_invalid":
        return KeyRefusedError("The key no longer has access to the account.")
    return PermissionMissingError(frozenset(_RIGHT.findall(message)))


def most_telling(group: BaseExceptionGroup) -> BaseException:
    """Return the one error of a group that decides what becomes of the run."""
    for kind in (GiveWay, Overtaken, KeyRefusedError, ProviderAwayError):
        found = group.subgroup(kind)
        if found is not None:
            return _first(found)
    return _first(group)


def _first(group: BaseExceptionGroup) -> BaseException:
    one = group.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one
