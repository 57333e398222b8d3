"""The records of bulk payments, made when they are asked for, and lists that mix them
with those on the shelves.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from opseer_simulator.books import Books, Shelf
from opseer_simulator.bulk import (
    BLOCK,
    Bulk,
    amount_of,
    fee_of,
    is_refund,
    net_of,
    refunded_slot,
)
from opseer_simulator.catalogue import CURRENCY
from opseer_simulator.records import Charge, Customer, Intent, Refund, Transaction
from opseer_simulator.timeline import DAY

PAYERS = 97
"""Bulk payments are made by so many customers, in turn."""

CLEARING_DAYS = 3

Maker = Callable[[int], Any]


class Slots(Protocol):
    """Numbered things that are spread over time."""

    def at(self, slot: int) -> int:
        """Return the second of one."""

    def slots_before(self, end: int) -> int:
        """Return how many there are before a unix second."""

    def slot_of(self, prefix: str, object_id: str) -> int | None:
        """Return the number of an id, or None."""


class Glance(msgspec.Struct, frozen=True):
    """The fields of a charge that need no record."""

    status: str
    created: int
    amount: int
    currency: str = CURRENCY


class BulkRecords:
    """Makes the record of a slot; `seen` is how many slots are over."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self.seen = 0
        self._payers = [self.customer(number) for number in range(PAYERS)]

    def transaction(self, slot: int) -> Transaction:
        """Return the balance transaction of a slot."""
        at = self._bulk.at(slot)
        back = is_refund(slot)
        amount = amount_of(refunded_slot(slot) if back else slot)
        fee = 0 if back else fee_of(amount)
        sign = -1 if back else 1
        return Transaction(
            id=self._bulk.id_of("txn_", slot),
            created=at,
            available_on=at if back else at - at % DAY + CLEARING_DAYS * DAY,
            amount=sign * amount,
            fee=fee,
            net=sign * amount - fee,
            type="refund" if back else "charge",
            category="refund" if back else "charge",
            source=self._bulk.id_of("re_" if back else "ch_", slot),
            description="REFUND FOR CHARGE" if back else None,
        )

    def charge(self, slot: int) -> Charge:
        """Return the charge of a slot; a refund's slot has a declined one."""
        declined = is_refund(slot)
        refund = slot + (slot - refunded_slot(slot))
        refunds: tuple[Refund, ...] = ()
        if is_refund(refund) and refund < self.seen:
            refunds = (self.refund(refund),)
        amount = amount_of(slot)
        return Charge(
            id=self._bulk.id_of("ch_", slot),
            created=self._bulk.at(slot),
            customer=self._payers[slot % PAYERS],
            intent=self._bulk.id_of("pi_", slot),
            amount=amount,
            method="card",
            status="failed" if declined else "succeeded",
            description="Order",
            decline="insufficient_funds" if declined else None,
            transaction=None if declined else self._bulk.id_of("txn_", slot),
            refunded=amount if refunds else 0,
            refunds=refunds,
        )

    def glance(self, slot: int) -> Glance:
        """Return what a search asks of most charges."""
        status = "failed" if is_refund(slot) else "succeeded"
        return Glance(status, self._bulk.at(slot), amount_of(slot))

    def refund(self, slot: int) -> Refund:
        """Return the refund of a refund's slot."""
        paid = refunded_slot(slot)
        return Refund(
            id=self._bulk.id_of("re_", slot),
            created=self._bulk.at(slot),
            charge=self._bulk.id_of("ch_", paid),
            intent=self._bulk.id_of("pi_", paid),
            amount=amount_of(paid),
            transaction=self._bulk.id_of("txn_", slot),
            customer=self._bulk.id_of("cus_", paid % PAYERS),
        )

    def intent(self, slot: int) -> Intent:
        """Return the payment intent of a slot."""
        declined = is_refund(slot)
        amount = amount_of(slot)
        return Intent(
            id=self._bulk.id_of("pi_", slot),
            created=self._bulk.at(slot),
            customer=self._bulk.id_of("cus_", slot % PAYERS),
            amount=amount,
            method="card",
            status="requires_payment_method" if declined else "succeeded",
            description="Order",
            received=0 if declined else amount,
            latest_charge=self._bulk.id_of("ch_", slot),
            decline="insufficient_funds" if declined else None,
        )

    def customer(self, number: int) -> Customer:
        """Return one of the payers, a customer since the first day."""
        return Customer(
            id=self._bulk.id_of("cus_", number),
            created=self._bulk.opened,
            name=f"Payer {number}",
            email=f"payer.{number}@example.com",
            invoice_prefix=f"BULK{number:04d}",
        )


class Mixed:
    """A list of records on a shelf and of those that a maker makes, by creation.

    Of one second the made ones come first. Every question costs O(log n).
    """

    def __init__(
        self,
        shelf: Shelf[Any],
        maker: Maker,
        bulk: Slots,
        prefix: str,
        glance: Maker | None = None,
    ) -> None:
        self._shelf = shelf
        self._make = maker
        self._glance = glance or maker
        self._bulk = bulk
        self._prefix = prefix
        self._seen = 0
        # Places of the shelf's records among all; they only ever grow in number.
        self._places: list[int] = []

    def __len__(self) -> int:
        return len(self._shelf) + self._seen

    def live_until(self, now: int) -> None:
        """Let everything up to a unix second be there."""
        self._seen = self._bulk.slots_before(now + 1)
        for number in range(len(self._places), len(self._shelf)):
            created = self._shelf.at(number).created
            self._places.append(number + self._bulk.slots_before(created + 1))

    def at(self, place: int) -> Any:
        """Return the record of a place, the oldest being 0."""
        return self._at(place, self._make)

    def glance(self, place: int) -> Any:
        """Return a place's record, or as much of it as costs little."""
        return self._at(place, self._glance)

    def _at(self, place: int, make: Maker) -> Any:
        before = bisect_left(self._places, place)
        if before < len(self._places) and self._places[before] == place:
            return self._shelf.at(before)
        return make(place - before)

    def place(self, object_id: str) -> int | None:
        """Return a record's place, or None."""
        slot = self._slot(object_id)
        if slot is None:
            number = self._shelf.place(object_id)
            return None if number is None else self._places[number]
        return slot + self._shelf.first_from(self._bulk.at(slot))

    def get(self, object_id: str) -> Any:
        """Return a record, or None."""
        slot = self._slot(object_id)
        return self._shelf.get(object_id) if slot is None else self._make(slot)

    def first_from(self, created: int) -> int:
        """Return the place of the first record created at or after an instant."""
        made = min(self._bulk.slots_before(created), self._seen)
        return self._shelf.first_from(created) + made

    def _slot(self, object_id: str) -> int | None:
        slot = self._bulk.slot_of(self._prefix, object_id)
        return slot if slot is not None and slot < self._seen else None


class _Refunds:
    """The slots that are refunds, numbered by themselves."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk

    def slot(self, number: int) -> int:
        """Return the slot of the n-th refund."""
        return number * BLOCK + BLOCK - 1

    def at(self, slot: int) -> int:
        """Return the second of the n-th refund."""
        return self._bulk.at(self.slot(slot))

    def slots_before(self, end: int) -> int:
        """Return how many refunds there are before a unix second."""
        return self._bulk.slots_before(end) // BLOCK

    def slot_of(self, prefix: str, object_id: str) -> int | None:
        """Return the number of a refund, or None."""
        slot = self._bulk.slot_of(prefix, object_id)
        return slot // BLOCK if slot is not None and is_refund(slot) else None


class BulkLists:
    """The lists that have bulk records, by the name of their shelf."""

    def __init__(self, books: Books, bulk: Bulk) -> None:
        self._records = BulkRecords(bulk)
        self._bulk = bulk
        refunds = _Refunds(bulk)
        make = self._records
        self._lists = {
            "transactions": Mixed(books.transactions, make.transaction, bulk, "txn_"),
            "charges": Mixed(books.charges, make.charge, bulk, "ch_", make.glance),
            "intents": Mixed(books.intents, make.intent, bulk, "pi_"),
            "refunds": Mixed(
                books.refunds, lambda n: make.refund(refunds.slot(n)), refunds, "re_"
            ),
        }

    def live_until(self, now: int) -> None:
        """Let everything up to a unix second be there."""
        self._records.seen = self._bulk.slots_before(now + 1)
        for each in self._lists.values():
            each.live_until(now)

    def get(self, shelf: str) -> Mixed | None:
        """Return the list of a shelf; None where nothing is made in bulk."""
        return self._lists.get(shelf) if self._bulk.per_span else None

    def owns(self, object_id: str) -> bool:
        """Return whether an object is made in bulk."""
        return self._bulk.owns(object_id)

    def standing(self, now: int) -> tuple[int, int]:
        """Return the bulk part of the balance: available, and still clearing."""
        if not self._bulk.per_span:
            return 0, 0
        start, end = self._bulk.opened, now + 1
        cleared = (now // DAY - CLEARING_DAYS + 1) * DAY
        there = self._bulk.between(start, max(cleared, start))
        every = self._bulk.between(start, end)
        back = every.refunded
        return net_of(there) - back, net_of(every) - net_of(there)


def stock_payers(books: Books, bulk: Bulk) -> None:
    """Put the payers on record."""
    if bulk.per_span:
        records = BulkRecords(bulk)
        for number in range(PAYERS):
            books.customers.put(records.customer(number))
