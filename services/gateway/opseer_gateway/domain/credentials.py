"""What an e-mail address, a password and a name must look like."""

from __future__ import annotations

import re

from opseer_common.common_passwords import is_common
from opseer_common.errors import RefusedError

# Without the specials of RFC 5322, 3.2.3: nothing that a header would take apart.
_WORD = r"[^@\s\"(),:;<>\[\]\\]"
LONGEST_EMAIL = 254
_EMAIL = re.compile(f"{_WORD}{{1,64}}@{_WORD}{{1,189}}")
_SHORTEST = 8
_LONGEST_BYTES = 1024
_LONGEST_NAME = 100


def check_email(text: str) -> str:
    """Return the trimmed address. RefusedError(INVALID_EMAIL) for anything else."""
    email = text.strip()
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        raise RefusedError("INVALID_EMAIL", "That is not an e-mail address.")
    return email


def check_password(password: str) -> None:
    """Refuse a password that is too short, too long, or tried first everywhere.

    Any character is taken as it is (OWASP ASVS 5.0, 6.2.8). The upper bound keeps
    hashing cheap. Raises RefusedError(INVALID_PASSWORD).
    """
    if len(password) < _SHORTEST:
        raise RefusedError(
            "INVALID_PASSWORD", f"A password has at least {_SHORTEST} characters."
        )
    if len(password.encode("utf-8", "surrogatepass")) > _LONGEST_BYTES:
        raise RefusedError(
            "INVALID_PASSWORD", f"A password has at most {_LONGEST_BYTES} bytes."
        )
    if is_common(password):
        raise RefusedError(
            "INVALID_PASSWORD", "That password is one of the first that others try."
        )


def check_name(text: str) -> str:
    """Return the trimmed name of a token or a project. RefusedError(INVALID_NAME)."""
    name = text.strip()
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise RefusedError(
            "INVALID_NAME", f"A name has 1 to {_LONGEST_NAME} plain characters."
        )
    return name
