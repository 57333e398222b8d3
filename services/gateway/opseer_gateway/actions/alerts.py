"""What users set about alerts, and what they ask of the delivery log."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal, Protocol
from uuid import UUID, uuid4

import msgspec

from opseer_common import tokens
from opseer_common.clock import Clock
from opseer_common.contracts.destination import encode
from opseer_common.errors import RefusedError
from opseer_common.sealing import DESTINATION, SealedFor, Secret
from opseer_gateway.domain.alerts import (
    DEFAULT,
    AlertChange,
    Alerts,
    Deliveries,
    Delivery,
    Destination,
    Stored,
    described,
    paid,
)
from opseer_gateway.domain.destinations import MOST, Judged, NewDestination, judge
from opseer_gateway.domain.limits import Window
from opseer_gateway.domain.paging import invalid_cursor
from opseer_gateway.domain.refusals import not_found
from opseer_gateway.domain.sealed import SealedDestination
from opseer_gateway.domain.visitors import Visitor

_ASKS: Final = 30
_MINUTE: Final = timedelta(minutes=1)
Of = tuple[UUID, UUID]
"""An account and its user."""


class Store(Protocol):
    """The notifier's rows."""

    async def owner(self, account_id: UUID) -> UUID | None: ...  # noqa: D102
    async def zone(self, account_id: UUID) -> str: ...  # noqa: D102
    async def read(  # noqa: D102
        self, account_id: UUID, user_id: UUID
    ) -> tuple[Stored | None, tuple[Destination, ...]]: ...
    async def write(  # noqa: D102
        self,
        of: Of,
        settings: Stored,
        *,
        added: list[SealedDestination],
        removed: list[UUID],
        now: datetime,
    ) -> None: ...
    async def ask(  # noqa: D102
        self, of: Of, kind: Literal["test", "resend"], what: UUID, now: datetime
    ) -> UUID | None: ...
    async def deliveries(  # noqa: D102
        self, of: Of, limit: int, after: UUID | None
    ) -> tuple[Delivery, ...]: ...
    async def delivery(self, of: Of, delivery_id: UUID) -> Delivery | None: ...  # noqa: D102
    async def unsubscribe(self, token_hash: bytes, now: datetime) -> bool: ...  # noqa: D102


class Sealer(Protocol):
    """Seals to the notifier's key."""

    def seal(self, secret: Secret, place: SealedFor) -> bytes:
        """Return the record of `secret`."""
        ...


class AlertSettings:
    """A visitor's alerts: of their own user, or the first owner's by an API token."""

    def __init__(
        self, store: Store, sealer: Sealer | None, clock: Clock, *, allow_private: bool
    ) -> None:
        """Without a `sealer` no destination can be added."""
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._allow_private = allow_private
        self._asks = Window(_ASKS, _MINUTE)

    async def read(self, visitor: Visitor) -> Alerts:
        """Return the settings. RefusedError(PLAN_REQUIRED), as all that follow."""
        of = await self._of(visitor)
        stored, destinations = await self._store.read(*of)
        return described(
            stored or DEFAULT,
            destinations,
            await self._store.zone(of[0]),
            self._clock(),
        )

    async def put(self, visitor: Visitor, change: AlertChange) -> Alerts:
        """Change settings, all or nothing, and return them; new secrets are in it.

        RefusedError: what AlertChange and `judge` raise, NOT_FOUND for a destination
        to keep that is not there, UNAVAILABLE where none can be added.
        """
        of = await self._of(visitor)
        stored, there = await self._store.read(*of)
        wanted = change.applied_to(stored or DEFAULT)
        new: list[NewDestination] = []
        kept = {one.destination_id for one in there}
        if not isinstance(change.destinations, msgspec.UnsetType):
            listed = [one.destination_id for one in change.destinations]
            if not {one for one in listed if one is not None} <= kept:
                raise not_found()
            kept = {one for one in listed if one is not None}
            new = [one for one in change.destinations if one.destination_id is None]
        judged = self._judged(new, len(kept))
        added = [self._sealed(of[0], one) for one in judged]
        await self._store.write(
            of,
            wanted,
            added=added,
            removed=[
                one.destination_id for one in there if one.destination_id not in kept
            ],
            now=self._clock(),
        )
        made = {
            sealed.destination_id: one.secret
            for sealed, one in zip(added, judged, strict=True)
        }
        return _with_secrets(await self.read(visitor), made)

    async def add(self, visitor: Visitor, new: NewDestination) -> Destination:
        """Add a destination beside the others and return it; raises as `put` does."""
        of = await self._of(visitor)
        stored, there = await self._store.read(*of)
        [judged] = self._judged([new], len(there))
        sealed = self._sealed(of[0], judged)
        await self._store.write(
            of, stored or DEFAULT, added=[sealed], removed=[], now=self._clock()
        )
        after = _with_secrets(
            await self.read(visitor), {sealed.destination_id: judged.secret}
        )
        return next(
            one
            for one in after.destinations
            if one.destination_id == sealed.destination_id
        )

    async def remove(self, visitor: Visitor, destination_id: UUID) -> None:
        """Delete a destination. RefusedError(NOT_FOUND)."""
        of = await self._of(visitor)
        stored, there = await self._store.read(*of)
        if destination_id not in {one.destination_id for one in there}:
            raise not_found()
        await self._store.write(
            of,
            stored or DEFAULT,
            added=[],
            removed=[destination_id],
            now=self._clock(),
        )

    async def test(self, visitor: Visitor, destination_id: UUID | None) -> list[UUID]:
        """Ask for a test message to one destination, or to all; return deliveries.

        RefusedError: NOT_FOUND, RATE_LIMITED, INVALID_DESTINATION where there is none.
        """
        of = await self._of(visitor)
        _, there = await self._store.read(*of)
        chosen = [one.destination_id for one in there]
        if destination_id is not None:
            chosen = [one for one in chosen if one == destination_id]
            if not chosen:
                raise not_found()
        if not chosen:
            raise RefusedError("INVALID_DESTINATION", "Add a destination first.")
        found = [await self._ask(of, "test", one) for one in chosen]
        return [one for one in found if one is not None]

    async def resend(self, visitor: Visitor, delivery_id: UUID) -> UUID:
        """Ask for a delivery again; the id stays. RefusedError(NOT_FOUND)."""
        found = await self._ask(await self._of(visitor), "resend", delivery_id)
        if found is None:
            raise not_found()
        return found

    async def deliveries(
        self, visitor: Visitor, limit: int, cursor: str | None = None
    ) -> Deliveries:
        """Return a page of deliveries. RefusedError(INVALID_CURSOR)."""
        of = await self._of(visitor)
        after = None if cursor is None else _last_of(cursor)
        if after is not None and await self._store.delivery(of, after) is None:
            raise invalid_cursor()
        found = await self._store.deliveries(of, limit + 1, after)
        shown = found[:limit]
        rest = str(shown[-1].delivery_id) if len(found) > limit else None
        return Deliveries(shown, rest)

    async def delivery(self, visitor: Visitor, delivery_id: UUID) -> Delivery:
        """Return one delivery. RefusedError(NOT_FOUND)."""
        found = await self._store.delivery(await self._of(visitor), delivery_id)
        if found is None:
            raise not_found()
        return found

    async def unsubscribe(self, token: str) -> bool:
        """End the mails whose link holds `token`; False where there are none."""
        return await self._store.unsubscribe(tokens.hash_of(token), self._clock())

    async def _of(self, visitor: Visitor) -> Of:
        """Return whose alerts they are."""
        paid(visitor)
        user_id = visitor.user_id or await self._store.owner(visitor.account_id)
        if user_id is None:
            raise not_found()
        return visitor.account_id, user_id

    async def _ask(
        self, of: Of, kind: Literal["test", "resend"], what: UUID
    ) -> UUID | None:
        now = self._clock()
        self._asks.check(str(of[0]), now)
        self._asks.count(str(of[0]), now)
        return await self._store.ask(of, kind, what, now)

    def _judged(self, new: list[NewDestination], kept: int) -> list[Judged]:
        """Judge destinations by their form."""
        if kept + len(new) > MOST:
            raise RefusedError("INVALID_DESTINATION", f"{MOST} destinations at most.")
        return [judge(one, allow_private=self._allow_private) for one in new]

    def _sealed(self, account_id: UUID, judged: Judged) -> SealedDestination:
        """Seal a destination to the notifier, for its own row."""
        if self._sealer is None:
            raise RefusedError(
                "UNAVAILABLE", "This gateway has no key for destinations."
            )
        destination_id = uuid4()
        place = SealedFor(account_id, str(destination_id), 1, DESTINATION)
        try:
            sealed = self._sealer.seal(Secret(encode(judged.address)), place)
        except ValueError:
            raise RefusedError("INVALID_DESTINATION", "It is too long.") from None
        token = judged.unsubscribe
        return SealedDestination(
            destination_id=destination_id,
            kind=judged.kind,
            name=judged.name,
            hint=judged.hint,
            sealed=sealed,
            unsubscribe_hash=tokens.hash_of(token) if token else None,
        )


def _with_secrets(alerts: Alerts, made: dict[UUID, str | None]) -> Alerts:
    """Return the alerts with the secrets that were made just now."""
    return msgspec.structs.replace(
        alerts,
        destinations=tuple(
            msgspec.structs.replace(one, secret=made.get(one.destination_id))
            for one in alerts.destinations
        ),
    )


def _last_of(cursor: str) -> UUID:
    try:
        return UUID(cursor)
    except ValueError:
        raise invalid_cursor() from None
