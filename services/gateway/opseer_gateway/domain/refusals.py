"""Refusals that carry more than a code and words."""

from __future__ import annotations

from typing import Final

from opseer_common.errors import RefusedError

UNAUTHENTICATED: Final = "UNAUTHENTICATED"


class WaitError(RefusedError):
    """A refusal that ends by itself after `retry_after` seconds."""

    def __init__(self, code: str, detail: str, retry_after: int) -> None:
        """Keep the code, the words, and when to come again."""
        super().__init__(code, detail)
        self.retry_after = retry_after


def unauthenticated() -> RefusedError:
    """Return the refusal of a visitor who is not signed in."""
    return RefusedError(UNAUTHENTICATED, "Sign in, or send an API token.")


def not_found() -> RefusedError:
    """Return the answer for what is not there, or is another account's."""
    return RefusedError("NOT_FOUND", "There is nothing here.")
