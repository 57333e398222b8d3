"""Slow password hashes: argon2id, two at a time, with a short queue.

Two threads bound the memory and leave the loop free; who comes when 16 wait is sent
away. The parameters are those of opseer_common.passwords.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2.exceptions import InvalidHashError, VerificationError

from opseer_common.passwords import encoded, hasher
from opseer_gateway.domain.refusals import WaitError

T = TypeVar("T")
_THREADS: Final = 2
_QUEUE: Final = 16


class Passwords:
    """Hashes and checks passwords in threads of its own."""

    def __init__(self) -> None:
        """Start no thread yet."""
        self._argon2 = hasher()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        # What an unknown user's password is held against: the same work.
        self._nobody = self._argon2.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """Return the hash to store."""
        return await self._run(lambda: self._argon2.hash(encoded(password)))

    async def fits(self, password_hash: str | None, password: str) -> bool:
        """Return whether the password fits; None takes as long and never does."""

        usable = password_hash is not None and password_hash.startswith("$argon2id$")

        def check() -> bool:
            against = password_hash if usable and password_hash else self._nobody
            try:
                self._argon2.verify(against, encoded(password))
            except (VerificationError, InvalidHashError):
                return False
            return usable

        return await self._run(check)

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether the hash was made with other parameters."""
        return self._argon2.check_needs_rehash(password_hash)

    async def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread. WaitError(BUSY) when too many wait."""
        if self._waiting >= _THREADS + _QUEUE:
            raise WaitError("BUSY", "Too many sign-ins at once. Try again.", 1)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
