"""Connecting a provider, and what can be done with a connection."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from opseer_common.clock import Clock
from opseer_common.contracts import Source
from opseer_common.demo_account import DEMO_KEYS
from opseer_common.errors import RefusedError
from opseer_common.sealing import SealedFor, Secret
from opseer_gateway.domain import keys
from opseer_gateway.domain.changes import SettingsChange
from opseer_gateway.domain.channel import Accepted
from opseer_gateway.domain.integrations import (
    SOURCE_NAMES,
    Connection,
    Environment,
    check_fits,
)
from opseer_gateway.domain.keys import FittingKey
from opseer_gateway.domain.limits import Window
from opseer_gateway.domain.visitors import Visitor, owner_only

_ATTEMPTS = 60
_MINUTE = timedelta(minutes=1)


class Store(Protocol):
    """Where connections are kept; each call is one transaction with its message."""

    async def replace(  # noqa: D102
        self,
        account_id: UUID,
        key: FittingKey,
        *,
        accepted: Accepted,
        seal: Callable[[int], bytes],
        check: Callable[[Connection | None], None],
        now: datetime,
    ) -> bool: ...
    async def delete(self, account_id: UUID, source: Source, now: datetime) -> None: ...  # noqa: D102
    async def refresh(  # noqa: D102
        self, account_id: UUID, source: Source, now: datetime
    ) -> UUID: ...
    async def change(  # noqa: D102
        self, account_id: UUID, source: Source, change: SettingsChange, now: datetime
    ) -> UUID: ...


class Provider(Protocol):
    """A call or two to the provider that show whether a key works."""

    async def try_key(self, key: Secret, *, livemode: bool, demo: bool) -> Accepted:
        """Return where the key works and what it sees.

        `livemode` is what the key says of itself; a demo is at the bundled simulator.
        Raises RefusedError: AUTH_FAILED, PROVIDER_UNAVAILABLE.
        """
        ...


class Sealer(Protocol):
    """Seals keys, and opens none."""

    def seal(self, secret: Secret, place: SealedFor) -> bytes:
        """Return the record of `secret` for `place`."""
        ...


class Connections:
    """What visitors do with their providers' keys."""

    def __init__(
        self,
        store: Store,
        providers: dict[Source, Provider],
        sealer: Sealer,
        clock: Clock,
        *,
        has_simulator: bool,
    ) -> None:
        """Take the ports. A source without a provider cannot be connected yet."""
        self._store = store
        self._providers = providers
        self._sealer = sealer
        self._clock = clock
        self._attempts = Window(_ATTEMPTS, _MINUTE)
        self.sources = frozenset(providers)
        """What can be connected."""
        self.demos = frozenset(DEMO_KEYS if has_simulator else ())
        """What there is demo data for."""

    async def connect(
        self, visitor: Visitor, source: Source, pasted: str, *, replace: bool
    ) -> bool:
        """Connect with the pasted key; return whether nothing was connected before.

        The key is judged by its form, then tried at the provider, then sealed and
        stored; whatever fails before leaves no trace of it. Raises RefusedError:
        OWNER_REQUIRED, RATE_LIMITED, REQUIRED, INVALID_PREFIX, INVALID_FORMAT,
        SOURCE_NOT_SUPPORTED, AUTH_FAILED, PROVIDER_UNAVAILABLE, MODE_MISMATCH.
        """
        key = self._check(visitor, source, pasted)
        environment: Environment = "live" if key.livemode else "test"
        return await self._put(visitor, key, environment, replace=replace)

    async def connect_demo(self, visitor: Visitor, source: Source) -> bool:
        """Connect the bundled simulator's made-up company, as `connect` does a key.

        Raises RefusedError: OWNER_REQUIRED, RATE_LIMITED, ALREADY_CONNECTED over a
        user's own key, PROVIDER_UNAVAILABLE.
        """
        key = self._check(visitor, source, DEMO_KEYS[source])
        return await self._put(visitor, key, "demo", replace=False)

    def _check(self, visitor: Visitor, source: Source, pasted: str) -> FittingKey:
        """Count the attempt and judge the key by its form."""
        owner_only(visitor)
        account, now = str(visitor.account_id), self._clock()
        self._attempts.check(account, now)
        self._attempts.count(account, now)
        return keys.check(source, pasted)

    async def _put(
        self,
        visitor: Visitor,
        key: FittingKey,
        environment: Environment,
        *,
        replace: bool,
    ) -> bool:
        """Try a key, then seal and store it."""
        provider = self._providers.get(key.source)
        if provider is None:
            raise RefusedError(
                "SOURCE_NOT_SUPPORTED",
                f"{SOURCE_NAMES[key.source]} can't be connected yet.",
            )
        secret = Secret(key.text)
        accepted = await provider.try_key(
            secret, livemode=key.livemode, demo=environment == "demo"
        )

        def seal(version: int) -> bytes:
            place = SealedFor(visitor.account_id, key.source, version)
            return self._sealer.seal(secret, place)

        def check(before: Connection | None) -> None:
            check_fits(accepted.environment, before, replace=replace)

        return await self._store.replace(
            visitor.account_id,
            key,
            accepted=accepted,
            seal=seal,
            check=check,
            now=self._clock(),
        )

    async def disconnect(self, visitor: Visitor, source: Source) -> None:
        """Delete the key and everything that came by it; nothing there is fine.

        RefusedError(OWNER_REQUIRED).
        """
        owner_only(visitor)
        await self._store.delete(visitor.account_id, source, self._clock())

    async def refresh(self, visitor: Visitor, source: Source) -> UUID:
        """Fetch the 90 days again; return the run. RefusedError(NOT_CONNECTED)."""
        return await self._store.refresh(visitor.account_id, source, self._clock())

    async def change(
        self, visitor: Visitor, source: Source, change: SettingsChange
    ) -> UUID:
        """Change settings; return the run that computes the figures anew.

        RefusedError: OWNER_REQUIRED, what `SettingsChange` raises, NOT_CONNECTED.
        """
        owner_only(visitor)
        change.check()
        change.check_for(source)
        return await self._store.change(
            visitor.account_id, source, change, self._clock()
        )
