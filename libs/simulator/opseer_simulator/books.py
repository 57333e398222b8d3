"""Shelves of records in the order of their creation, and the notes of what happened."""

from __future__ import annotations

from bisect import bisect_left
from typing import Generic, Protocol, TypeVar

from opseer_simulator.catalogue import Catalogue, Plan, Product, open_catalogue
from opseer_simulator.ledger import Ledger
from opseer_simulator.records import (
    Charge,
    Customer,
    Discount,
    Dispute,
    Event,
    Intent,
    Invoice,
    Payout,
    Refund,
    Subject,
    Subscription,
    Transaction,
)
from opseer_simulator.timeline import Ids


class Dated(Protocol):
    """A record with an id and a creation time in unix seconds."""

    @property
    def id(self) -> str:
        """The record's id."""

    @property
    def created(self) -> int:
        """The record's creation in unix seconds."""


Record = TypeVar("Record", bound=Dated)


class Shelf(Generic[Record]):
    """Records of one kind, oldest first; a changed record keeps its place."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self._created: list[int] = []
        self._places: dict[str, int] = {}
        self._records: dict[str, Record] = {}

    def put(self, record: Record) -> Record:
        """Add a record, or replace the one of its id; returns it."""
        if record.id not in self._records:
            self._places[record.id] = len(self.order)
            self.order.append(record.id)
            self._created.append(record.created)
        self._records[record.id] = record
        return record

    def __len__(self) -> int:
        return len(self.order)

    def at(self, place: int) -> Record:
        """Return the record of a place in `order`."""
        return self._records[self.order[place]]

    def glance(self, place: int) -> Record:
        """Return the record of a place; lists that make records return less."""
        return self.at(place)

    def __getitem__(self, key: str) -> Record:
        return self._records[key]

    def get(self, key: str) -> Record | None:
        """Return a record, or None."""
        return self._records.get(key)

    def place(self, key: str) -> int | None:
        """Return a record's place in `order`, or None."""
        return self._places.get(key)

    def first_from(self, created: int) -> int:
        """Return the place of the first record created at or after an instant."""
        return bisect_left(self._created, created)

    def all(self) -> list[Record]:
        """Return every record, oldest first."""
        return list(self._records.values())


class Books:
    """Everything on record, with the ledger beside it."""

    def __init__(self, seed: int, opened: int) -> None:
        self.ids = Ids(seed)
        self.ledger = Ledger()
        self.catalogue: Catalogue = open_catalogue(opened, self.ids.new)
        self.account = self.ids.new("acct_")
        self.products: Shelf[Product] = Shelf()
        self.plans: Shelf[Plan] = Shelf()
        self.customers: Shelf[Customer] = Shelf()
        self.discounts: Shelf[Discount] = Shelf()
        self.subscriptions: Shelf[Subscription] = Shelf()
        self.invoices: Shelf[Invoice] = Shelf()
        self.intents: Shelf[Intent] = Shelf()
        self.charges: Shelf[Charge] = Shelf()
        self.refunds: Shelf[Refund] = Shelf()
        self.disputes: Shelf[Dispute] = Shelf()
        self.payouts: Shelf[Payout] = Shelf()
        self.transactions: Shelf[Transaction] = Shelf()
        self.events: Shelf[Event] = Shelf()
        for product in self.catalogue.products:
            self.products.put(product)
        for plan in (*self.catalogue.plans.values(), self.catalogue.workshop):
            self.plans.put(plan)

    def tell(
        self,
        at: int,
        kind: str,
        after: Subject,
        before: Subject | None = None,
        *,
        by_request: bool = False,
    ) -> None:
        """Note an event of a type such as `charge.failed` at a unix second."""
        self.events.put(
            Event(
                id=self.ids.new("evt_"),
                created=at,
                type=kind,
                after=after,
                before=before,
                by_request=by_request,
            )
        )
