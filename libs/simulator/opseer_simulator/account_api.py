"""Stripe's read API over one account: lists, single objects, the balance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from opseer_simulator import billing_objects, objects, price_objects
from opseer_simulator.books import Books
from opseer_simulator.bulk import Bulk
from opseer_simulator.bulk_records import BulkLists
from opseer_simulator.catalogue import CURRENCY
from opseer_simulator.expansion import expand
from opseer_simulator.listing import EVENTS_KEPT, Places, Query, limit_of, page
from opseer_simulator.objects import Json
from opseer_simulator.records import Transaction
from opseer_simulator.refusals import bad_parameter, no_such
from opseer_simulator.rendering import View, render
from opseer_simulator.resources import RESOURCES, Resource
from opseer_simulator.search import found

_PREFIXES = {r.prefix: name for name, r in RESOURCES.items()} | {"py_": "charges"}


May = Callable[[str], None]
"""Raises RefusalError where a permission is missing."""


class Renderings:
    """The account's records as JSON for one mode, kept while they do not change."""

    def __init__(self, books: Books, bulk: Bulk, view: View) -> None:
        self.books = books
        self.bulk = BulkLists(books, bulk)
        self.view = view
        self.now = 0
        self._kept: dict[str, tuple[object, bool, msgspec.Raw]] = {}

    def live_until(self, now: int) -> None:
        """Show everything as it is at a unix second."""
        self.now = now
        self.bulk.live_until(now)

    def places(self, resource: Resource) -> Places:
        """Return the records of a resource."""
        shelf: Places = getattr(self.books, resource.shelf)
        return self.bulk.get(resource.shelf) or shelf

    def fresh(self, record: Any) -> Json:
        """Return a record as an object that may be changed."""
        return render(record, self.books, self.now, self.view)

    def encoded(self, record: Any) -> msgspec.Raw:
        """Return a record already encoded; those made in bulk are not kept."""
        cleared = isinstance(record, Transaction) and record.available_on <= self.now
        kept = self._kept.get(record.id)
        if kept is not None and kept[0] is record and kept[1] == cleared:
            return kept[2]
        raw = msgspec.Raw(msgspec.json.encode(self.fresh(record)))
        if not self.bulk.owns(record.id):
            self._kept[record.id] = (record, cleared, raw)
        return raw


class Reader:
    """Answers for one key at one instant.

    `may(permission)` raises RefusalError (403) where the key lacks one of
    `resources.PERMISSIONS`; expanding asks it too.
    """

    def __init__(self, renderings: Renderings, may: May) -> None:
        self._renderings = renderings
        self._may = may
        self._books = renderings.books
        self._now = renderings.now

    def balance(self) -> Json:
        """Return the balance."""
        bulk = self._renderings.bulk.standing(self._now)
        sums: dict[str, tuple[int, int]] = {CURRENCY: bulk}
        for moved in self._books.transactions.all():
            there, clearing = sums.get(moved.currency, (0, 0))
            if moved.available_on <= self._now:
                there += moved.net
            else:
                clearing += moved.net
            sums[moved.currency] = (there, clearing)
        return objects.balance(sums, livemode=self._renderings.view.livemode)

    def listed(self, name: str, query: Query) -> Json:
        """Return a page of a list; RefusalError as Stripe refuses."""
        resource = RESOURCES[name]
        paths = query.expand
        records, more = page(
            resource, self._renderings.places(resource), query, self._now
        )
        data: list[Any]
        if paths:
            data = [self._renderings.fresh(record) for record in records]
        else:
            data = [self._renderings.encoded(record) for record in records]
        answer = _list(f"/v1/{name}", data, more=more)
        self._expand(answer, paths)
        return answer

    def searched(self, query: Query) -> Json:
        """Return a page of charges that fit a search; RefusalError as Stripe does."""
        places = self._renderings.places(RESOURCES["charges"])
        records, rest = found(places, query, self._now)
        answer = rest | {"data": [self._renderings.fresh(each) for each in records]}
        self._expand(answer, query.expand)
        return answer

    def single(self, name: str, object_id: str, query: Query) -> Json:
        """Return one object; RefusalError (404) if there is none."""
        resource = RESOURCES[name]
        record = self._renderings.places(resource).get(object_id)
        if record is None or self._forgotten(resource, record.created):
            raise no_such(resource.noun, object_id, "id")
        answer = self._renderings.fresh(record)
        self._expand(answer, query.expand)
        return answer

    def items(self, query: Query) -> Json:
        """Return the items of the subscription that `subscription` names."""
        sub_id = query.single.get("subscription")
        if sub_id is None:
            raise bad_parameter(
                "Missing required param: subscription.",
                "subscription",
                code="parameter_missing",
            )
        record = self._books.subscriptions.get(sub_id)
        if record is None:
            raise no_such("subscription", sub_id, "subscription")
        livemode = self._renderings.view.livemode
        rows = [
            billing_objects.item(x, record.id, livemode=livemode) for x in record.items
        ]
        return self._nested("/v1/subscription_items", rows, query)

    def lines(self, invoice_id: str, query: Query) -> Json:
        """Return the lines of an invoice."""
        record = self._books.invoices.get(invoice_id)
        if record is None:
            raise no_such("invoice", invoice_id, "invoice")
        livemode = self._renderings.view.livemode
        data = [
            billing_objects.line(x, record, livemode=livemode) for x in record.lines
        ]
        return self._nested(f"/v1/invoices/{invoice_id}/lines", data, query)

    def _nested(self, url: str, rows: list[Json], query: Query) -> Json:
        """Return a page of rows that belong to one object, in their own order."""
        after = query.single.get("starting_after")
        ids = [row["id"] for row in rows]
        if after in ids:
            rows = rows[ids.index(after) + 1 :]
        count = limit_of(query)
        answer = _list(url, rows[:count], more=len(rows) > count)
        self._expand(answer, query.expand)
        return answer

    def _forgotten(self, resource: Resource, created: int) -> bool:
        return resource.noun == "event" and created < self._now - EVENTS_KEPT

    def _expand(self, answer: Json, paths: list[str]) -> None:
        for path in paths:
            expand(answer, path, self._fetch, self._tiers)

    def _tiers(self, price_id: str) -> list[Json]:
        plan = self._books.plans.get(price_id)
        return [] if plan is None else price_objects.tiers(plan)

    def _fetch(self, object_id: str) -> Json | None:
        """Return the object of an id found in another object."""
        prefix = object_id.partition("_")[0] + "_"
        if prefix == "di_":
            discount = self._books.discounts.get(object_id)
            return None if discount is None else self._renderings.fresh(discount)
        name = _PREFIXES.get(prefix)
        if name is None:
            return None
        resource = RESOURCES[name]
        self._may(resource.permission)
        record = self._renderings.places(resource).get(object_id)
        return None if record is None else self._renderings.fresh(record)


def _list(url: str, data: list[Any], *, more: bool) -> Json:
    return {"object": "list", "data": data, "has_more": more, "url": url}
