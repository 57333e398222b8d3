"""One run against Stripe: every list at once, newest first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import aiohttp
import msgspec
import structlog

from opseer_collector.domain.balance import BalanceReading
from opseer_collector.domain.fetching import (
    Environment,
    Intake,
    KeyRefusedError,
    ProviderAwayError,
    Request,
)
from opseer_collector.domain.records import (
    BalanceTransaction,
    Batch,
    Charge,
    Dispute,
    Fetched,
    Name,
    Refund,
    Window,
)
from opseer_collector.domain.windows import oldest_read
from opseer_collector.providers.attempts import (
    PermissionMissingError,
    Sleep,
    UnreadableError,
)
from opseer_collector.providers.stripe.billing import Billing
from opseer_collector.providers.stripe.client import Place, StripeClient
from opseer_collector.providers.stripe.decode import Reader
from opseer_collector.providers.stripe.ended import Ended
from opseer_collector.providers.stripe.errors import most_telling
from opseer_collector.providers.stripe.names import Names, products_of
from opseer_collector.providers.stripe.pace import Pacer
from opseer_collector.providers.stripe.permissions import Permissions
from opseer_collector.providers.stripe.walk import Listing, Walk

_FAST: Final = {"live": 50, "test": 20, "demo": 20}
SLOW: Final = {"live": 8, "test": 4, "demo": 4}
"""Calls per second of daily rounds, and of whatever else nobody waits for."""
_WHOLE: Final = 100
_log = structlog.get_logger()

T = TypeVar("T")


class _Amount(msgspec.Struct):
    currency: str
    amount: int = 0


class _Balance(msgspec.Struct):
    livemode: bool
    available: list[_Amount] = []
    pending: list[_Amount] = []


class StripeProvider:
    """The channel `stripe`."""

    reports = False

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
        pace = SLOW if request.kind == "daily" else _FAST
        pacer = Pacer(self._rate or pace[request.environment], request.pace)
        client = StripeClient(self._session, base, request.key, pacer, self._sleep)
        try:
            return await _Fetch(client, request, intake).run()
        except BaseExceptionGroup as group:
            raise most_telling(group) from None
        finally:
            if pacer.lowered() != request.pace:
                await intake.store(Batch(pace=pacer.lowered()))


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
        self._begun = asyncio.get_running_loop().time()
        self._balance: BalanceReading | None = None
        self.permissions = Permissions(client)
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
        newest: list[_Walking[Any]] = [self._transactions(), self._charges()]
        await _all_at_once(
            *(self._connect(), self._others(newest)), *(one.read() for one in newest)
        )
        if self._reader.words.unknown:
            _log.warning("unknown words", **self._reader.words.told())
        if not self._billed.tiers.readable:
            self.permissions.known["prices"] = "missing"
        return Fetched(
            permissions=self.permissions.known,
            currencies=self._currencies(),
            live_lists=frozenset(self._live_lists),
            lacking=self._lacking,
            balance=self._balance,
        )

    async def _connect(self) -> None:
        """Tell the currencies of the balance."""
        self._balance = await self._read_balance()
        self._intake.began(self._currencies())
        await self._tell("connecting", _WHOLE)

    def _currencies(self) -> frozenset[str]:
        return frozenset(() if self._balance is None else self._balance.totals)

    async def _others(self, newest: Sequence[_Walking[Any]]) -> None:
        """Read what people do not look at first, once the newest days are read."""
        for one in newest:
            await one.newest.wait()
        await _all_at_once(
            *(self._disputes().read(), self._refunds().read()),
            *(self._billing(), self._probes()),
        )

    async def _read_balance(self) -> BalanceReading | None:
        """Return the balance, and check the key and its mode; None: it may not."""
        place = Place("/v1/balance", "balance")
        found: list[_Balance] = []
        since = self._instant()

        async def read() -> None:
            found.append(await self._client.get(place, {}, _Balance))

        try:
            await self.permissions.permitted("balance", read())
        except UnreadableError as error:
            raise ProviderAwayError(f"Stripe's balance: {error}.") from None
        if not found:
            return None
        if found[0].livemode != (self._request.environment == "live"):
            raise KeyRefusedError("The key is of the other mode than it says.")
        totals: dict[str, int] = {}
        for row in (*found[0].available, *found[0].pending):
            totals[row.currency] = totals.get(row.currency, 0) + row.amount
        return BalanceReading(since, self._instant() + 1, totals)

    def _instant(self) -> int:
        """Return the unix second: that of the run, and what passed since."""
        passed = asyncio.get_running_loop().time() - self._begun
        return int(self._request.now.timestamp() + passed)

    def _transactions(self) -> _Walking[BalanceTransaction]:
        return _Walking(
            self,
            "balance_transaction_source",
            Listing(
                "balance_transactions",
                self._reader.transaction,
                lambda rows, aside, window: self._intake.store(
                    Batch(transactions=rows, quarantined=aside, read=_listed(window))
                ),
                read_all=self._reader.transactions,
            ),
        )

    def _charges(self) -> _Walking[Charge]:
        return _Walking(
            self,
            "charges_and_refunds",
            Listing(
                "charges",
                self._reader.charge,
                lambda rows, aside, window: self._intake.store(
                    Batch(charges=rows, quarantined=aside, read=_listed(window))
                ),
                read_all=self._reader.charges,
            ),
        )

    def _disputes(self) -> _Walking[Dispute]:
        """Read all of them in each run: few, and they change for months."""
        return _Walking(
            self,
            "disputes",
            Listing(
                "disputes",
                self._reader.dispute,
                lambda rows, aside, window: self._intake.store(
                    Batch(disputes=rows, quarantined=aside, read=_listed(window))
                ),
                read_all=self._reader.disputes,
            ),
            since=oldest_read(self._request.now),
        )

    def _refunds(self) -> _Walking[Refund]:
        return _Walking(
            self,
            "charges_and_refunds",
            Listing(
                "refunds",
                self._reader.refund,
                lambda rows, aside, window: self._intake.store(
                    Batch(refunds=rows, quarantined=aside, read=_listed(window))
                ),
            ),
        )

    def walk(self, listing: Listing[T]) -> Walk[T]:
        """Return what reads one list over the window of the run."""
        endpoint = listing.endpoint

        async def told(percent: int, covered: int) -> None:
            await self._tell(endpoint, percent)
            await self._intake.covered(endpoint, covered)

        known = [one for one in self._request.read if one.endpoint == endpoint]
        return Walk(self._client, listing, self._reader, told, known)

    def window(self) -> tuple[int, int, int]:
        """Return what to read, and where its newest days begin."""
        request = self._request
        newest = request.until if request.newest is None else request.newest
        return request.since, request.until, newest

    async def walked(self, endpoint: str, *, whole: bool) -> None:
        """Note that a list is over; `whole` where nothing of it is unknown."""
        if whole:
            self._live_lists.add(endpoint)
        await self._tell(endpoint, _WHOLE)

    async def _billing(self) -> None:
        """Read subscriptions and events, then store them in the neutral form."""
        billing = self._billed

        async def live() -> None:
            await self.permissions.permitted("subscriptions", billing.read_live())
            await self._tell("subscriptions", _WHOLE)

        async def events() -> None:
            await self.permissions.permitted("events", billing.read_events())
            await self._tell("events", _WHOLE)

        async with asyncio.TaskGroup() as group:
            group.create_task(live())
            group.create_task(events())
        if self.permissions.ok("subscriptions"):
            await billing.read_discounts()
        batch = await billing.normalised()
        await self._intake.store(batch)
        await self._names(batch)
        for name in billing.found.missing:
            self.permissions.known[name] = "missing"
        self._lacking = not billing.found.discounts_readable
        if billing.found.live_whole:
            self._live_lists.add("subscriptions")
        await self._ended()

    async def _ended(self) -> None:
        """Read who has paid before; daily rounds learn of ends from events."""
        known = self._request.kind == "daily" and not self._billed.many_ended
        if known or not self.permissions.ok("subscriptions"):
            return
        ended = Ended(
            self._client, self._reader, self._billed.tiers, self._intake.store
        )
        try:
            await ended.read(self._request.until, self._billed.found.expandable())
        except* PermissionMissingError:
            self._lacking = True

    async def _names(self, batch: Batch) -> None:
        """Look up what those behind the changes, and what they bought, are called."""
        names = Names(self._client, self._billed.customers)
        customers = frozenset(change.after.customer for change in batch.changes)
        products = products_of(
            [*batch.subscriptions, *(change.after for change in batch.changes)]
        )

        async def keep(looking: Coroutine[Any, Any, list[Name]]) -> None:
            with contextlib.suppress(UnreadableError):
                await self._intake.store(Batch(names=await looking))

        await self.permissions.permitted("customers", keep(names.customers(customers)))
        await self.permissions.permitted("products", keep(names.products(products)))

    async def _probes(self) -> None:
        """Ask for every permission and show them at once."""
        if self._request.kind == "daily":
            return
        await self.permissions.probe_all()
        await self._intake.store(Batch(permissions=dict(self.permissions.known)))

    async def _tell(self, stage: str, percent: int) -> None:
        if stage not in self._done:
            return
        self._done[stage] = max(self._done[stage], percent)
        await self._intake.progress(dict(self._done), _WHOLE)


class _Walking(Generic[T]):
    """One list over the window of a run, the newest days first."""

    def __init__(
        self,
        fetch: _Fetch,
        permission: str,
        listing: Listing[T],
        since: int | None = None,
    ) -> None:
        self._fetch = fetch
        self._since = since
        self._permission = permission
        self._endpoint = listing.endpoint
        self._walk = fetch.walk(listing)
        self.newest = self._walk.newest

    async def read(self) -> None:
        """Read it."""
        since, until, newest = self._fetch.window()
        since = since if self._since is None else self._since
        readable = await self._fetch.permissions.permitted(
            self._permission, self._walk.run(since, until, newest)
        )
        self.newest.set()
        await self._fetch.walked(self._endpoint, whole=readable and self._walk.whole)


async def _all_at_once(*work: Coroutine[Any, Any, None]) -> None:
    """Do all of it side by side; the first that fails ends the others."""
    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(one)


def _listed(window: Window | None) -> tuple[Window, ...]:
    return () if window is None else (window,)
