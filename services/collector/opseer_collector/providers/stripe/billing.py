"""Subscriptions and what happened to them, read from Stripe and normalised."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

import msgspec

from opseer_collector.domain.fetching import Request
from opseer_collector.domain.records import Batch, Quarantined
from opseer_collector.providers.attempts import PermissionMissingError, UnreadableError
from opseer_collector.providers.stripe.client import Place, StripeClient
from opseer_collector.providers.stripe.coupons import complete_coupons
from opseer_collector.providers.stripe.customer_discounts import (
    by_customer,
    changes_of,
)
from opseer_collector.providers.stripe.decode import Reader, put_aside
from opseer_collector.providers.stripe.invoices import Invoices
from opseer_collector.providers.stripe.items import fill
from opseer_collector.providers.stripe.more_items import follow_items, shows_all
from opseer_collector.providers.stripe.prices import (
    coupons_in,
    discount_index,
    has_unknown,
)
from opseer_collector.providers.stripe.shapes import ShapeError, node
from opseer_collector.providers.stripe.subscriptions import (
    Known,
    change_from,
    order_events,
    subscription_from,
)
from opseer_collector.providers.stripe.tiers import Tiers
from opseer_collector.providers.stripe.walk import pages
from opseer_common.contracts.subscription import (
    Subscription,
    SubscriptionChange,
)

_KINDS: Final = ("created", "updated", "deleted", "paused", "resumed")
_PENDING: Final = ("pending_update_applied", "pending_update_expired")
EVENT_TYPES: Final = tuple(
    [f"customer.subscription.{kind}" for kind in (*_KINDS, *_PENDING)]
    + [f"customer.discount.{kind}" for kind in ("created", "updated", "deleted")]
)
_WITH_DISCOUNTS: Final = ("data.discounts", "data.items.data.discounts")
_CUSTOMER: Final = "data.customer"
_SINGLE: Final = ("discounts", "items.data.discounts")
_FAT_PAGE: Final = "50"
_PLAIN_PAGE: Final = "100"
_MOST_CUSTOMERS: Final = 200
_MOST_LOOKED_UP: Final = 1000

Fields = dict[str, Any]


@dataclass(slots=True)
class Found:
    """What was read, with the permissions that turned out to be missing.

    `expand` is what came along with the live subscriptions.
    """

    live: list[Fields] = field(default_factory=list)
    ended: list[Fields] = field(default_factory=list)
    events: list[Fields] = field(default_factory=list)
    aside: list[Quarantined] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    live_whole: bool = False
    discounts_readable: bool = True
    expand: tuple[str, ...] = ()

    def expandable(self) -> tuple[str, ...]:
        """Return what may be asked for with other lists of subscriptions."""
        return tuple(
            one for one in self.expand if self.discounts_readable or one == _CUSTOMER
        )


class Billing:
    """Reads subscriptions and events for one run."""

    def __init__(self, client: StripeClient, request: Request, reader: Reader) -> None:
        """Read with `client`; rows are checked by `reader`."""
        self._client = client
        self._request = request
        self._reader = reader
        self.tiers = Tiers(client)
        self.found = Found()
        self.customers: dict[str, Fields] = {}
        """Those that were read, by id."""
        self.many_ended = False
        """True where more ended of late than are looked up one by one."""

    async def read_live(self) -> None:
        """Read every subscription that is not cancelled, with its discounts.

        Customers come along for their own discounts; no list tells who has any.
        """
        expand: tuple[str, ...] = (*_WITH_DISCOUNTS, _CUSTOMER)
        rows: list[Fields] | None = None
        while rows is None:
            params: dict[str, str | Sequence[str]] = {"limit": _PLAIN_PAGE}
            if expand:
                params = {"limit": _FAT_PAGE, "expand[]": expand}
            try:
                rows = await self._rows("subscriptions", params)
            except PermissionMissingError as error:
                expand = self._less(expand, error)
        for row in rows:
            self.found.aside += await follow_items(self._client, self._reader, row)
        self.found.live, self.found.expand = rows, expand
        self.customers = {
            row["customer"]["id"]: row["customer"]
            for row in rows
            if isinstance(row.get("customer"), dict) and "id" in row["customer"]
        }
        self.found.live_whole = not self.found.aside

    def _less(
        self, expand: tuple[str, ...], error: PermissionMissingError
    ) -> tuple[str, ...]:
        """Return what may still be asked for, and note what is missing.

        Raises `error` where it is the right to the list itself.
        """
        if "subscription_read" in error.rights or not error.rights or not expand:
            raise error
        if "customer_read" in error.rights and _CUSTOMER in expand:
            self.found.missing.add("customers")
            return tuple(one for one in expand if one != _CUSTOMER)
        # The right to see coupons is asked for: worth without them then, at first
        # with those that come inside customers.
        again = not self.found.discounts_readable
        self.found.discounts_readable = False
        return () if again else tuple(one for one in expand if one == _CUSTOMER)

    async def read_events(self) -> None:
        """Read what happened to subscriptions and discounts, newest first."""
        self.found.events = await self._rows(
            "events",
            {
                "limit": _PLAIN_PAGE,
                "types[]": EVENT_TYPES,
                "created[gte]": str(self._request.events_since),
                "created[lt]": str(self._request.until),
            },
        )

    async def read_discounts(self) -> None:
        """Look up ended subscriptions of whose discounts the events tell ids alone.

        Discounts made before the events begin are told nowhere else: the list has the
        subscriptions that run. The newest of very many are looked up; the discounts of
        the others stay unknown, and their days are not complete.
        """
        known, live = self._discounts(), {row["id"] for row in self.found.live}
        wanted = dict.fromkeys(
            str(shown["id"])
            for shown in _subscriptions(self.found.events)
            if shown.get("id") not in live and has_unknown(shown, known)
        )

        async def read(wanted_id: str) -> None:
            path = f"/v1/subscriptions/{quote(wanted_id, safe='')}"
            place = Place(path, "subscriptions/:id")
            try:
                self.found.ended.append(
                    await self._client.get(place, {"expand[]": _SINGLE}, Fields)
                )
            except PermissionMissingError:
                self.found.discounts_readable = False
            except UnreadableError:
                return

        if self.found.discounts_readable:
            async with asyncio.TaskGroup() as group:
                for one in islice(wanted, _MOST_LOOKED_UP):
                    group.create_task(read(one))
        if self._request.kind == "daily":
            # Other runs read all that ended, with customers.
            await self._read_customers()

    async def _read_customers(self) -> None:
        """Put customers, with their own discounts, into what ended since last time.

        Those without another subscription are looked up: no list has them together
        but that of all that ever ended, which is read where they are many.
        """
        gone = [
            row
            for row in _deleted(self.found.events, self._request.fresh)
            if isinstance(row.get("customer"), str)
        ]
        wanted = {row["customer"] for row in gone} - self.customers.keys()
        if len(wanted) > _MOST_CUSTOMERS:
            self.many_ended = True
            return

        if "customers" not in self.found.missing:
            async with asyncio.TaskGroup() as group:
                for one in sorted(wanted):
                    group.create_task(self._read_customer(one))
        for row in gone:
            row["customer"] = self.customers.get(row["customer"], row["customer"])

    async def _read_customer(self, wanted: str) -> None:
        place = Place(f"/v1/customers/{quote(wanted, safe='')}", "customers/:id")
        try:
            found = await self._client.get(place, {}, Fields)
        except PermissionMissingError:
            self.found.missing.add("customers")
        except UnreadableError:
            return
        else:
            if found.get("id") == wanted:
                self.customers[wanted] = found

    async def normalised(self) -> Batch:
        """Return everything that was read, in the provider-neutral form."""
        found = self.found
        gone = [row for row in _deleted(found.events) if not shows_all(row)]
        for row in gone:
            found.aside += await follow_items(self._client, self._reader, row)
        fill(found.events, [*found.live, *gone])
        told_elsewhere = [*found.events, *found.ended]
        await complete_coupons(self._client, found.live, told_elsewhere)
        shown = [*found.live, *_objects(found.events)]
        invoices = Invoices(self._client, self._request.now)
        billed = await invoices.read([*found.live, *_deleted(found.events)])
        known = Known(
            discounts=self._discounts(),
            tiers=await self.tiers.of(shown),
            usage=billed.usage,
            tax_rates=billed.rates,
            tax_missing="MISSED_EVENT" if invoices.readable else "INVOICES_PERMISSION",
        )
        found.aside += invoices.aside
        found.missing |= set() if invoices.readable else {"invoices"}
        subscriptions: list[Subscription] = []
        for fields in found.live:
            with self._each_apart("subscriptions", fields):
                subscriptions.append(subscription_from(fields, known))
        words = self._reader.words
        words.note("subscription_status", [one.status for one in subscriptions])
        words.note("currency", [one.currency for one in subscriptions])
        found.live_whole = found.live_whole and not found.aside
        changes = self._changes(known, subscriptions)
        return Batch(
            subscriptions=subscriptions,
            ended=[
                _ended(one)
                for one in changes
                if one.kind == "deleted" and one.at >= self._request.fresh
            ],
            changes=changes,
            quarantined=found.aside,
        )

    def _changes(
        self, known: Known, live: Sequence[Subscription]
    ) -> list[SubscriptionChange]:
        """Return what events say, of subscriptions and then of customers' discounts."""
        changes: list[SubscriptionChange] = []
        ordered = order_events(self.found.events)
        for position, fields in ordered:
            with self._each_apart("events", fields):
                change = change_from(fields, position, known)
                changes += [] if change is None else [change]
        customers = by_customer([*(one.after for one in changes), *live])
        coupons = self._coupons()
        for position, fields in ordered:
            with self._each_apart("events", fields):
                changes += changes_of(fields, position, customers, coupons)
        return changes

    @contextlib.contextmanager
    def _each_apart(
        self, endpoint: str, fields: Mapping[str, object]
    ) -> Iterator[None]:
        """Put aside what cannot be read."""
        try:
            yield
        except ShapeError as error:
            self._put_aside(endpoint, fields, error)

    def _coupons(self) -> dict[str, object]:
        """Return every coupon shown, by id, where an event tells the id alone."""
        found = self.found
        told = [
            event
            for event in found.events
            if event["type"].startswith("customer.discount.")
        ]
        if all(any(coupons_in(event)) for event in told):
            return {}
        return dict(coupons_in([*told, *found.ended, *found.live]))

    def _discounts(self) -> Mapping[str, Any]:
        """Return every discount that is told of; what cannot be read tells of none."""
        coupons = self._coupons()
        rows = [*self.found.live, *self.found.ended]
        try:
            return discount_index(rows, self.found.events, coupons)
        except ShapeError:
            index: dict[str, Any] = {}
            for event in self.found.events:
                with contextlib.suppress(ShapeError):
                    index |= discount_index((), (event,), coupons)
            for row in rows:
                with contextlib.suppress(ShapeError):
                    index |= discount_index((row,), (), coupons)
            return index

    async def _rows(
        self, endpoint: str, params: Mapping[str, str | Sequence[str]]
    ) -> list[Fields]:
        """Read a whole list as plain objects; what is none is put aside."""
        rows: dict[str, Fields] = {}
        try:
            async for page in pages(
                self._client, Place(f"/v1/{endpoint}", endpoint), params
            ):
                for raw in page:
                    self._take(endpoint, raw, rows)
        except UnreadableError as error:
            gap = ShapeError(error.path, "a page")
            self.found.aside.append(put_aside(endpoint, endpoint.encode(), gap))
        return list(rows.values())

    def _take(self, endpoint: str, raw: msgspec.Raw, rows: dict[str, Fields]) -> None:
        try:
            fields = self._reader.plain(raw)
            if endpoint == "events":
                node(fields, "$").text("type")
                node(fields, "$").integer("created")
            rows.setdefault(fields["id"], fields)
        except (ShapeError, msgspec.DecodeError) as error:
            self.found.aside.append(put_aside(endpoint, bytes(raw), error))

    def _put_aside(
        self, endpoint: str, fields: Mapping[str, object], error: ShapeError
    ) -> None:
        raw = msgspec.json.encode(fields)
        self.found.aside.append(put_aside(endpoint, raw, error))


def _objects(events: list[Fields]) -> Iterator[Mapping[str, object]]:
    """Yield the subscriptions that events show, and what they were before."""
    for event in events:
        data = event.get("data")
        if isinstance(data, dict):
            for name in ("object", "previous_attributes"):
                if isinstance(data.get(name), dict):
                    yield data[name]


def _subscriptions(events: list[Fields]) -> Iterator[Mapping[str, object]]:
    """Yield the subscriptions that events about subscriptions show."""
    for event in events:
        if event["type"].startswith("customer.subscription."):
            data = event.get("data")
            shown = data.get("object") if isinstance(data, dict) else None
            if isinstance(shown, dict) and isinstance(shown.get("id"), str):
                yield shown


def _deleted(events: list[Fields], since: int = 0) -> Iterator[Fields]:
    """Yield the subscriptions that ended from `since` on, as their events show them."""
    for event in events:
        late = event["created"] >= since
        if late and event["type"] == "customer.subscription.deleted":
            data = event.get("data")
            shown = data.get("object") if isinstance(data, dict) else None
            if isinstance(shown, dict) and isinstance(shown.get("id"), str):
                yield shown


def _ended(change: SubscriptionChange) -> Subscription:
    """Return what a deletion shows; its instant is the end where it tells none."""
    after = change.after
    return msgspec.structs.replace(after, ended_at=after.ended_at or change.at)
