"""How passwords are hashed, by the gateway and by `opseer user`.

argon2id with the parameters of OWASP ASVS 5.0, appendix C: t=1, m=46 MiB, p=1.
"""

from __future__ import annotations

import argon2


def hasher() -> argon2.PasswordHasher:
    """Return what hashes and checks passwords."""
    return argon2.PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)


def encoded(password: str) -> bytes:
    """Return a password's bytes, whatever characters it has."""
    return password.encode("utf-8", "surrogatepass")
