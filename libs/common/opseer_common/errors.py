"""Every error that Opseer raises on purpose.

OpseerError
|- RefusedError(code, detail)   the caller's input or state is wrong: told, not retried
|- TryLaterError(delay)         something we depend on is away: retried, never counted
|- PoisonMessageError           a message that can never be handled: parked at once
'- ConfigError                  settings or environment are wrong: exit with one line

Codes are public and listed in docs/ERRORS.md (a test checks that).
"""

from __future__ import annotations


class OpseerError(Exception):
    """The root of the tree above."""


class RefusedError(OpseerError):
    """A request that is answered with a public `code` and words that help.

    `detail` never holds what the caller sent.
    """

    def __init__(self, code: str, detail: str) -> None:
        """Keep the code (see docs/ERRORS.md) and the words."""
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class TryLaterError(OpseerError):
    """Work that should be tried again after `delay` seconds."""

    def __init__(self, detail: str, delay: int = 5) -> None:
        """Keep why, and how long to wait in seconds."""
        super().__init__(detail)
        self.delay = delay


class PoisonMessageError(OpseerError):
    """A message whose content can never be handled."""


class ConfigError(OpseerError):
    """A setting that is missing, unknown or impossible. Exit status 78."""
