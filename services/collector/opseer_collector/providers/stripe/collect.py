"""One run against Stripe: every list at once, newest first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

import aiohttp
import msgspec

from opseer_collector.domain.fetching import (
    Environment,
    Intake,
    KeyRefusedError,
    Overtaken,
    ProviderAwayError,
    Request,
)
from opseer_collector.domain.records import Batch, Fetched, Name, Quarantined
from opseer_collector.providers.stripe.billing import Billing
from opseer_collector.providers.stripe.client import Place, Sleep, StripeClient
from opseer_collector.providers.stripe.decode import Reader
from opseer_collector.providers.stripe.ended import Ended
from opseer_collector.providers.stripe.errors import (
    PERMISSIONS,
    PermissionMissingError,
    UnreadableError,
)
from opseer_collector.providers.stripe.names import Names, products_of
from opseer_collector.providers.stripe.pace import Pacer
from opseer_collector.providers.stripe.walk import Listing, Walk

_PROBED: Final = ("payment_intents", "payouts", "invoices", "prices")
"""Lists that a run does not walk: asked for one row, to know the permission."""
_FAST: Final = {"live": 50, "test": 20, "demo": 20}
_SLOW: Final = {"live": 8, "test": 4, "demo": 4}
_WHOLE: Final = 100

T = TypeVar("T")
Keep = Callable[[Sequence[T], Sequence[Quarantined]], Awaitable[None]]


class _Amount(msgspec.Struct):
    currency: str


class _Balance(msgspec.Struct):
    livemode: bool
    available: list[_Amount] = []
    pending: list[_Amount] = []


class StripeProvider:
    """The channel `stripe`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        bases: Mapping[Environment, str],
        rate: int | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Call the base of a connection's environment; `rate` overrides the pace."""
        self._session = session
        self._bases = bases
        self._rate = rate
        self._sleep = sleep

    async def fetch(self, request: Request, intake: Intake) -> Fetched:
        """Read everything that is asked for into `intake`.

        Raises KeyRefusedError, ProviderAwayError, Overtaken.
        """
        base = self._bases.get(request.environment)
        if base is None:
            raise ProviderAwayError(f"no server for {request.environment} is set.")
        pace = _SLOW if request.kind == "daily" else _FAST
        pacer = Pacer(self._rate or pace[request.environment])
        client = StripeClient(self._session, base, request.key, pacer, self._sleep)
        try:
            return await _Fetch(client, request, intake).run()
        except BaseExceptionGroup as group:
            raise _most_telling(group) from None


class _Fetch:
    """One fetch and what it knows so far."""

    def __init__(self, client: StripeClient, request: Request, intake: Intake) -> None:
        self._client = client
        self._request = request
        self._intake = intake
        self._reader = Reader(
            int(request.now.timestamp()), livemode=request.environment == "live"
        )
        self._billed = Billing(client, request, self._reader)
        self._permissions: dict[str, str] = {}
        self._live_lists: set[str] = set()
        self._lacking = False
        self._done = {
            "connecting": 0,
            "balance_transactions": 0,
            "charges": 0,
            "disputes": 0,
            "subscriptions": 0,
            "events": 0,
        }

    async def run(self) -> Fetched:
        """Read all."""
        await self._tell("connecting", 0)
        currencies = await self._balance()
        self._intake.began(currencies)
        await self._tell("connecting", _WHOLE)
        async with asyncio.TaskGroup() as group:
            for part in (
                self._transactions(),
                self._charges(),
                self._disputes(),
                self._billing(),
                self._probes(),
            ):
                group.create_task(part)
        await self._ended()
        if not self._billed.tiers.readable:
            self._permissions["prices"] = "missing"
        return Fetched(
            permissions=self._permissions,
            currencies=currencies,
            live_lists=frozenset(self._live_lists),
            lacking=self._lacking,
        )

    async def _balance(self) -> frozenset[str]:
        """Return the currencies of the balance, and check the key and its mode."""
        place = Place("/v1/balance", "balance")
        found: list[_Balance] = []

        async def read() -> None:
            found.append(await self._client.get(place, {}, _Balance))

        try:
            await self._permitted("balance", read())
        except UnreadableError as error:
            raise ProviderAwayError(f"Stripe's balance: {error}.") from None
        if not found:
            return frozenset()
        if found[0].livemode != (self._request.environment == "live"):
            raise KeyRefusedError("The key is of the other mode than it says.")
        rows = (*found[0].available, *found[0].pending)
        return frozenset(row.currency for row in rows)

    async def _transactions(self) -> None:
        await self._walk(
            "balance_transactions",
            "balance_transaction_source",
            self._reader.transaction,
            lambda rows, aside: self._intake.store(
                Batch(transactions=rows, quarantined=aside)
            ),
        )

    async def _charges(self) -> None:
        await self._walk(
            "charges",
            "charges_and_refunds",
            self._reader.charge,
            lambda rows, aside: self._intake.store(
                Batch(charges=rows, quarantined=aside)
            ),
        )

    async def _disputes(self) -> None:
        await self._walk(
            "disputes",
            "disputes",
            self._reader.dispute,
            lambda rows, aside: self._intake.store(
                Batch(disputes=rows, quarantined=aside)
            ),
        )

    async def _walk(
        self,
        endpoint: str,
        permission: str,
        read: Callable[[msgspec.Raw], T],
        keep: Keep[T],
    ) -> None:
        """Walk one list over the window of the run."""

        async def told(percent: int, covered: int) -> None:
            await self._tell(endpoint, percent)
            await self._intake.covered(endpoint, covered)

        walk = Walk(self._client, Listing(endpoint, read, keep), self._reader, told)
        readable = await self._permitted(
            permission, walk.run(self._request.since, self._request.until)
        )
        if readable and walk.whole:
            self._live_lists.add(endpoint)
        await self._tell(endpoint, _WHOLE)

    async def _billing(self) -> None:
        """Read subscriptions and events, then store them in the neutral form."""
        billing = self._billed

        async def live() -> None:
            await self._permitted("subscriptions", billing.read_live())
            await self._tell("subscriptions", _WHOLE)

        async def events() -> None:
            await self._permitted("events", billing.read_events())
            await self._tell("events", _WHOLE)

        async with asyncio.TaskGroup() as group:
            group.create_task(live())
            group.create_task(events())
        if self._permissions["subscriptions"] == "ok":
            await billing.read_discounts()
        batch = await billing.normalised()
        await self._intake.store(batch)
        await self._names(batch)
        for name in billing.found.missing:
            self._permissions[name] = "missing"
        self._lacking = not billing.found.discounts_readable
        if billing.found.live_whole:
            self._live_lists.add("subscriptions")

    async def _ended(self) -> None:
        """Read who has paid before; daily rounds learn of ends from events."""
        if self._request.kind == "daily" or self._permissions["subscriptions"] != "ok":
            return
        ended = Ended(
            self._client, self._reader, self._billed.tiers, self._intake.store
        )
        try:
            await ended.read(
                self._request.until, discounts=self._billed.found.discounts_readable
            )
        except* PermissionMissingError:
            self._lacking = True

    async def _names(self, batch: Batch) -> None:
        """Look up what those behind the changes, and what they bought, are called."""
        names = Names(self._client)
        customers = frozenset(change.after.customer for change in batch.changes)
        products = products_of(
            [*batch.subscriptions, *(change.after for change in batch.changes)]
        )

        async def keep(looking: Coroutine[Any, Any, list[Name]]) -> None:
            with contextlib.suppress(UnreadableError):
                await self._intake.store(Batch(names=await looking))

        await self._permitted("customers", keep(names.customers(customers)))
        await self._permitted("products", keep(names.products(products)))

    async def _probes(self) -> None:
        """Learn of the permissions that no list of the run tells."""
        if self._request.kind == "daily":
            return

        async def probe(name: str) -> None:
            await self._client.get(Place(f"/v1/{name}", name), {"limit": "1"}, _Any)

        for name in _PROBED:
            try:
                await self._permitted(name, probe(name))
            except UnreadableError:
                self._permissions[name] = "unknown"

    async def _permitted(
        self, permission: str, work: Coroutine[Any, Any, None]
    ) -> bool:
        """Do `work`; False, with the permission noted, where the key may not."""
        try:
            await work
        except* PermissionMissingError as group:
            self._permissions[permission] = "missing"
            for right in _rights(group):
                if right in PERMISSIONS:
                    self._permissions[PERMISSIONS[right]] = "missing"
            return_value = False
        else:
            self._permissions.setdefault(permission, "ok")
            return_value = True
        return return_value

    async def _tell(self, stage: str, percent: int) -> None:
        self._done[stage] = max(self._done[stage], percent)
        await self._intake.progress(dict(self._done), _WHOLE)


class _Any(msgspec.Struct):
    """An answer whose content does not matter."""


def _rights(group: BaseExceptionGroup[PermissionMissingError]) -> frozenset[str]:
    """Return every right that is named somewhere in a group."""
    found: frozenset[str] = frozenset()
    for one in group.exceptions:
        found |= _rights(one) if isinstance(one, BaseExceptionGroup) else one.rights
    return found


def _most_telling(group: BaseExceptionGroup) -> BaseException:
    """Return the one error of a group that decides what becomes of the run."""
    for kind in (Overtaken, KeyRefusedError, ProviderAwayError):
        found = group.subgroup(kind)
        if found is not None:
            return _first(found)
    return _first(group)


def _first(group: BaseExceptionGroup) -> BaseException:
    one = group.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one
