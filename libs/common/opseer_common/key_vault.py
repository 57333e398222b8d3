"""Keeping the private sealing keys wrapped by a vault: no disk holds them plain.

The key file then holds what the vault made of the document: `{"wrapped": "vault:…"}`.
The collector asks the vault to unwrap it when it starts, and when keys were rotated.
The transit engine of HashiCorp Vault and OpenBao is the one kind there is; another KMS
is another class that fits `Wrapper`.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final, Protocol

from typing_extensions import override

from opseer_common.errors import ConfigError

_SECONDS: Final = 10
_LARGEST: Final = 1 << 20


class Wrapper(Protocol):
    """A vault: it keeps its own key and hands out none."""

    def wrap(self, document: bytes) -> str:
        """Return `document` in a form that only the vault opens. ConfigError."""
        ...

    def unwrap(self, wrapped: str) -> bytes:
        """Return what was wrapped. ConfigError where the vault refuses or is away."""
        ...


class VaultTransit:
    """The transit engine mounted at `transit/`, by its HTTP API."""

    def __init__(self, address: str, key: str, token_file: Path) -> None:
        """Use `key` of the vault at `address` with the token in a file."""
        self._base = f"{address.rstrip('/')}/v1/transit"
        self._key = key
        self._token_file = token_file

    def wrap(self, document: bytes) -> str:
        """Return `document` in a form that only the vault opens. ConfigError."""
        plain = base64.b64encode(document).decode()
        return str(self._ask("encrypt", {"plaintext": plain})["ciphertext"])

    def unwrap(self, wrapped: str) -> bytes:
        """Return what was wrapped. ConfigError where the vault refuses or is away."""
        return base64.b64decode(
            self._ask("decrypt", {"ciphertext": wrapped})["plaintext"]
        )

    def _ask(self, what: str, body: dict[str, str]) -> dict[str, Any]:
        """Return the vault's `data`. Its words are not repeated: they may hold ours."""
        try:
            token = self._token_file.read_text(encoding="utf-8").strip()
            request = urllib.request.Request(  # noqa: S310 - base_url checked the scheme
                f"{self._base}/{what}/{self._key}",
                data=json.dumps(body).encode(),
                headers={"X-Vault-Token": token, "Content-Type": "application/json"},
            )
            with _opener().open(request, timeout=_SECONDS) as answer:
                data: dict[str, Any] = json.loads(answer.read(_LARGEST))["data"]
        except urllib.error.HTTPError as error:
            error.close()
            raise ConfigError(f"the vault answered {error.code} to {what}") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"the vault does not answer to {what}: {type(error).__name__}"
            ) from None
        return data


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token goes to the vault that was named, and nowhere else."""

    @override
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow none."""


def _opener() -> urllib.request.OpenerDirector:
    """Return what asks without proxies from the environment and without redirects."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
