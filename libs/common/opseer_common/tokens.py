"""Random tokens: handed out once, stored as their SHA-256.

256 random bits need no slow hash. `ops_` marks an API token, so that scanners and
our own logs recognise one.
"""

from __future__ import annotations

import hashlib
import re
import secrets

_BYTES = 32
_SHOWN = 4
_API_TOKEN = re.compile(r"ops_[A-Za-z0-9_-]{43}", re.ASCII)
_OPAQUE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def new_opaque() -> str:
    """Return a token for a session or a sign-in link."""
    return secrets.token_urlsafe(_BYTES)


def new_api_token() -> str:
    """Return an API token."""
    return f"ops_{secrets.token_urlsafe(_BYTES)}"


def is_opaque(text: str) -> bool:
    """Return whether `text` has the form of `new_opaque`."""
    return _OPAQUE.fullmatch(text) is not None


def is_api_token(text: str) -> bool:
    """Return whether `text` has the form of `new_api_token`."""
    return _API_TOKEN.fullmatch(text) is not None


def hash_of(token: str) -> bytes:
    """Return what is stored in place of `token`: 32 bytes."""
    return hashlib.sha256(token.encode()).digest()


def hint_of(api_token: str) -> str:
    """Return what may be shown of an API token."""
    return f"ops_…{api_token[-_SHOWN:]}"
