"""Connecting a provider, and what can be done with a connection."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from opseer_common.clock import Clock
from opseer_common.contracts import Source
from opseer_common.errors import RefusedError
from opseer_common.sealing import PublicKey, SealedFor, Secret
from opseer_gateway.domain import keys
from opseer_gateway.domain.changes import Change
from opseer_gateway.domain.integrations import (
    SOURCE_NAMES,
    Connection,
    Environment,
    check_fits,
)
from opseer_gateway.domain.keys import FittingKey
from opseer_gateway.domain.limits import Window
from opseer_gateway.domain.visitors import Visitor

_ATTEMPTS = 60
_MINUTE = timedelta(minutes=1)


class Store(Protocol):
    """Where connections are kept; each call is one transaction with its message."""

    async def replace(  # noqa: D102
        self,
        account_id: UUID,
        key: FittingKey,
        *,
        environment: Environment,
        seal: Callable[[int], bytes],
        check: Callable[[Connection | None], None],
        now: datetime,
    ) -> bool: ...
    async def delete(self, account_id: UUID, source: Source, now: datetime) -> None: ...  # noqa: D102
    async def refresh(  # noqa: D102
        self, account_id: UUID, source: Source, now: datetime
    ) -> UUID: ...
    async def change(  # noqa: D102
        self, account_id: UUID, source: Source, change: Change, now: datetime
    ) -> UUID: ...


class Provider(Protocol):
    """One call to the provider that shows whether a key works."""

    async def try_key(self, key: Secret, *, livemode: bool, demo: bool) -> None:
        """Return when the provider takes the key.

        Raises RefusedError: AUTH_FAILED, PROVIDER_UNAVAILABLE.
        """
        ...


class Connections:
    """What visitors do with their providers' keys."""

    def __init__(
        self,
        store: Store,
        providers: dict[Source, Provider],
        public_key: PublicKey,
        clock: Clock,
    ) -> None:
        """Take the ports. A source without a provider cannot be connected yet."""
        self._store = store
        self._providers = providers
        self._public_key = public_key
        self._clock = clock
        self._attempts = Window(_ATTEMPTS, _MINUTE)

    async def connect(
        self, visitor: Visitor, source: Source, pasted: str, *, replace: bool
    ) -> bool:
        """Connect with the pasted key; return whether nothing was connected before.

        The key is judged by its form, then tried at the provider, then sealed and
        stored; whatever fails before leaves no trace of it. Raises RefusedError:
        RATE_LIMITED, REQUIRED, INVALID_PREFIX, INVALID_FORMAT, SOURCE_NOT_SUPPORTED,
        AUTH_FAILED, PROVIDER_UNAVAILABLE, MODE_MISMATCH.
        """
        account_id, now = visitor.account_id, self._clock()
        self._attempts.check(str(account_id), now)
        self._attempts.count(str(account_id), now)
        key = keys.check(source, pasted)
        provider = self._providers.get(source)
        if provider is None:
            raise RefusedError(
                "SOURCE_NOT_SUPPORTED",
                f"{SOURCE_NAMES[source]} can't be connected yet.",
            )
        secret = Secret(key.text)
        await provider.try_key(secret, livemode=key.livemode, demo=visitor.demo)

        def seal(version: int) -> bytes:
            place = SealedFor(account_id, source, version)
            return self._public_key.seal(secret, place)

        def check(before: Connection | None) -> None:
            if not replace:
                check_fits(key_livemode=key.livemode, existing=before)

        return await self._store.replace(
            account_id,
            key,
            environment=_environment(key, visitor),
            seal=seal,
            check=check,
            now=self._clock(),
        )

    async def disconnect(self, visitor: Visitor, source: Source) -> None:
        """Delete the key and everything that came by it; nothing there is fine."""
        await self._store.delete(visitor.account_id, source, self._clock())

    async def refresh(self, visitor: Visitor, source: Source) -> UUID:
        """Fetch the 90 days again; return the run. RefusedError(NOT_CONNECTED)."""
        return await self._store.refresh(visitor.account_id, source, self._clock())

    async def change(self, visitor: Visitor, source: Source, change: Change) -> UUID:
        """Change settings; return the run that computes the figures anew.

        RefusedError: what `Change.check` raises, NOT_CONNECTED.
        """
        change.check()
        return await self._store.change(
            visitor.account_id, source, change, self._clock()
        )


def _environment(key: FittingKey, visitor: Visitor) -> Environment:
    """Return where the key's figures come from."""
    if visitor.demo:
        return "demo"
    return "live" if key.livemode else "test"
