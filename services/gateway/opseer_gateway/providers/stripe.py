"""Whether Stripe takes a key: one read of the balance.

Source of the status codes and error texts: docs.stripe.com/api/errors and the
restricted keys' permission errors (403).
"""

from __future__ import annotations

from typing import Any, Final

import aiohttp
import msgspec

from opseer_common.errors import RefusedError
from opseer_common.sealing import Secret
from opseer_gateway.domain.channel import Accepted
from opseer_gateway.domain.integrations import Environment

VERSION: Final = "2025-08-27.basil"
_SECONDS: Final = 10.0
_LARGEST: Final = 1 << 20
_TIMEOUT: Final = aiohttp.ClientTimeout(total=_SECONDS)
_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403


class _Balance(msgspec.Struct):
    """What is read of the balance: the mode that it belongs to."""

    livemode: bool


class StripeProvider:
    """Stripe, or the bundled simulator for demo data."""

    def __init__(
        self, session: aiohttp.ClientSession, base: str, demo_base: str | None
    ) -> None:
        """Call `base`, and `demo_base` for a demo; neither has a version part."""
        self._session = session
        self._base = base
        self._demo_base = demo_base

    async def try_key(self, key: Secret, *, livemode: bool, demo: bool) -> Accepted:
        """Return where the key works: Stripe takes it and it is of its mode.

        Raises RefusedError: AUTH_FAILED, PROVIDER_UNAVAILABLE (also when Stripe does
        not answer within 10 s, or with something else than a balance).
        """
        base = self._demo_base if demo else self._base
        if base is None:
            raise _unavailable("This installation has no demo data: no simulator.")
        try:
            status, body = await self._get(f"{base}/v1/balance", key)
        except TimeoutError:
            raise _unavailable("Stripe did not answer within 10 seconds.") from None
        except aiohttp.ClientError:
            raise _unavailable("Stripe could not be reached.") from None
        if status in (_UNAUTHORIZED, _FORBIDDEN):
            raise RefusedError("AUTH_FAILED", _why_refused(status, body))
        if status != _OK:
            raise _unavailable(f"Stripe answered with status {status}.")
        try:
            balance = msgspec.json.decode(body, type=_Balance)
        except msgspec.DecodeError:
            raise _unavailable("Stripe's answer was not a balance.") from None
        if balance.livemode != livemode:
            raise _unavailable("Stripe's answer is of another mode than the key.")
        return Accepted(_environment(livemode=livemode, demo=demo))

    async def _get(self, url: str, key: Secret) -> tuple[int, bytes]:
        """Return status and body; TimeoutError or ClientError where there is none."""
        headers = {
            "Authorization": f"Bearer {key.reveal()}",
            "Stripe-Version": VERSION,
            "Accept": "application/json",
        }
        async with self._session.get(
            url, headers=headers, allow_redirects=False, timeout=_TIMEOUT
        ) as answer:
            body = bytearray()
            async for chunk in answer.content.iter_chunked(1 << 16):
                body += chunk
                if len(body) > _LARGEST:
                    raise _unavailable("Stripe's answer was not a balance.")
            return answer.status, bytes(body)


def _environment(*, livemode: bool, demo: bool) -> Environment:
    if demo:
        return "demo"
    return "live" if livemode else "test"


def open_session() -> aiohttp.ClientSession:
    """Return a client session that keeps no cookies and trusts no environment."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, timeout=_TIMEOUT
    )


def _unavailable(detail: str) -> RefusedError:
    """Return the refusal that asks to come again."""
    return RefusedError("PROVIDER_UNAVAILABLE", f"{detail} Nothing was stored.")


def _why_refused(status: int, body: bytes) -> str:
    """Return in words why Stripe refused. Its own text is not repeated."""
    error = _error_of(body)
    message = str(error.get("message", "")).lower()
    if error.get("code") == "api_key_expired" or "expired api key" in message:
        return "The key is expired. Issue a new one in Stripe and paste it here."
    if "ip address" in message:
        return "The key's IP restrictions do not allow this server's address."
    if error.get("code") == "account_invalid" or "revoked" in message:
        return "The key was revoked, or has no access to its account any more."
    if status == _FORBIDDEN:
        return (
            "The balance permission is missing: set Balance → Read (and the other 11 "
            "read permissions), then issue a new key."
        )
    return (
        "The key is expired or the balance permission is missing, or Stripe refused "
        "this key because it is revoked or mistyped. Verify all 12 read permissions "
        "are checked, then issue a new key."
    )


def _error_of(body: bytes) -> dict[str, Any]:
    """Return the `error` object of an answer, empty where there is none."""
    try:
        error = msgspec.json.decode(body)["error"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}
