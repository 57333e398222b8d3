"""Which of its permissions a key has: learned by asking."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import msgspec

from opseer_collector.providers.attempts import PermissionMissingError, UnreadableError
from opseer_collector.providers.stripe.client import Place, StripeClient
from opseer_collector.providers.stripe.errors import PERMISSIONS

_PROBED: Final = {
    "balance_transaction_source": "balance_transactions",
    "charges_and_refunds": "charges",
    **{
        name: name
        for name in (
            *("customers", "disputes", "events", "payment_intents", "payouts"),
            *("products", "invoices", "prices", "subscriptions"),
        )
    },
}
"""The list that tells whether a permission is there. `balance` is read by each run."""


class Permissions:
    """What one run learns; `known` maps names of the API to ok, missing or unknown."""

    def __init__(self, client: StripeClient) -> None:
        """Ask with `client`."""
        self._client = client
        self._probed: set[str] = set()
        self.known: dict[str, str] = {}

    def ok(self, permission: str) -> bool:
        """Tell whether a permission is known to be there."""
        return self.known.get(permission) == "ok"

    async def probe_all(self) -> None:
        """Learn of every permission, by one row of its list."""
        async with asyncio.TaskGroup() as group:
            for name in _PROBED:
                group.create_task(self._probe(name))

    async def _probe(self, permission: str) -> None:
        """Ask whether the key has one permission."""
        name = _PROBED[permission]
        self._probed.add(permission)
        place = Place(f"/v1/{name}", name)
        try:
            await self._client.get(place, {"limit": "1"}, _Any)
        except PermissionMissingError:
            self.known[permission] = "missing"
        except UnreadableError:
            self.known.setdefault(permission, "unknown")
        else:
            self.known.setdefault(permission, "ok")

    async def permitted(self, permission: str, work: Coroutine[Any, Any, None]) -> bool:
        """Do `work`; False, with the permission noted, where the key may not.

        Other permissions that the refusal names are asked for themselves.
        """
        rights: frozenset[str] | None = None
        try:
            await work
        except* PermissionMissingError as group:
            rights = rights_of(group)
        if rights is None:
            self.known.setdefault(permission, "ok")
            return True
        self.known[permission] = "missing"
        named = {PERMISSIONS[right] for right in rights if right in PERMISSIONS}
        for name in sorted(named - {permission} - self._probed):
            await self._probe(name)
        return False


class _Any(msgspec.Struct):
    """An answer whose content does not matter."""


def rights_of(group: BaseExceptionGroup[PermissionMissingError]) -> frozenset[str]:
    """Return every right that is named somewhere in a group."""
    found: frozenset[str] = frozenset()
    for one in group.exceptions:
        found |= rights_of(one) if isinstance(one, BaseExceptionGroup) else one.rights
    return found
