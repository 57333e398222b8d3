"""Many payments without a record each: their numbers follow from their place.

Slot i of the company's life is at `opened + i * span / per_span` seconds. Every
fiftieth slot is a refund of the payment 25 slots before, and a declined payment; all
others are payments by card. Sums over slots are those of arithmetic progressions, so
truth costs the same for ten payments as for a million. Amounts are US cents.
"""

from __future__ import annotations

from base64 import b16encode
from functools import cached_property
from itertools import accumulate

import msgspec

from opseer_simulator.timeline import DAY

SPAN = 120 * DAY
"""Seconds in which the company makes the number of slots it was asked for."""

BLOCK = 50
_LAST = BLOCK - 1
_BACK = 25
_STEP = 8_191
_MODULUS = 487
_LEAST = 500
_IN_CENTS = 100


class Sums(msgspec.Struct, frozen=True):
    """What happened between two instants."""

    charges: int = 0
    charged: int = 0
    refunds: int = 0
    refunded: int = 0
    declines: int = 0


class _Progression(msgspec.Struct, frozen=True, dict=True):
    """The values (k * step + offset) modulo a prime."""

    step: int
    offset: int

    @cached_property
    def _table(self) -> list[int]:
        values = ((k * self.step + self.offset) % _MODULUS for k in range(_MODULUS))
        return [0, *accumulate(values)]

    def sum(self, count: int) -> int:
        """Return the sum of the first `count` values."""
        rounds, rest = divmod(count, _MODULUS)
        return rounds * self._table[_MODULUS] + self._table[rest]


_ALL = _Progression(_STEP, 0)
_REFUNDED = _Progression(_STEP * BLOCK, _STEP * (_LAST - _BACK))
_SKIPPED = _Progression(_STEP * BLOCK, _STEP * _LAST)


def amount_of(slot: int) -> int:
    """Return the amount of a slot's payment."""
    return _LEAST + _IN_CENTS * (slot * _STEP % _MODULUS)


def refunded_slot(slot: int) -> int:
    """Return the slot of the payment that a refund's slot gives back."""
    return slot - _BACK


def is_refund(slot: int) -> bool:
    """Return whether a slot is a refund (and, among charges, a declined one)."""
    return slot % BLOCK == _LAST


def fee_of(amount: int) -> int:
    """Return the fee of a payment: 3 % and 30 cents."""
    return amount * 3 // 100 + 30


def net_of(sums: Sums) -> int:
    """Return what payments are worth after their fees; amounts are whole dollars."""
    return sums.charged - sums.charged * 3 // 100 - 30 * sums.charges


class Bulk(msgspec.Struct, frozen=True):
    """`per_span` slots in each 120 days from `opened` (unix seconds) on."""

    seed: int
    opened: int
    per_span: int

    def at(self, slot: int) -> int:
        """Return the second of a slot."""
        return self.opened + slot * SPAN // self.per_span

    def slots_before(self, end: int) -> int:
        """Return how many slots there are before a unix second."""
        if not self.per_span or end <= self.opened:
            return 0
        # The smallest i with i * SPAN // n >= end - opened.
        return -(-(end - self.opened) * self.per_span // SPAN)

    def between(self, start: int, end: int) -> Sums:
        """Return what happened in [start, end)."""
        if not self.per_span:
            return Sums()
        later, earlier = self.slots_before(end), self.slots_before(start)
        return _until(later, _until(earlier, Sums()), sign=-1)

    def id_of(self, prefix: str, slot: int) -> str:
        """Return the id of a slot's object of a kind."""
        return f"{prefix}{self._mark}{slot:014d}"

    def slot_of(self, prefix: str, object_id: str) -> int | None:
        """Return the slot of an id, or None for one of another kind."""
        start = prefix + self._mark
        number = object_id.removeprefix(start)
        if not object_id.startswith(start) or not number.isdigit():
            return None
        return int(number)

    def owns(self, object_id: str) -> bool:
        """Return whether an id is one of these."""
        return self._mark in object_id

    @property
    def _mark(self) -> str:
        return "Bu" + b16encode(self.seed.to_bytes(4)).decode()


def _until(slots: int, other: Sums, sign: int = 1) -> Sums:
    """Return the sums of the first slots, plus or minus another."""
    blocks = slots // BLOCK
    payments = slots - blocks
    worth = _ALL.sum(slots) - _SKIPPED.sum(blocks)
    back = _REFUNDED.sum(blocks)
    return Sums(
        charges=payments + sign * other.charges,
        charged=_LEAST * payments + _IN_CENTS * worth + sign * other.charged,
        refunds=blocks + sign * other.refunds,
        refunded=_LEAST * blocks + _IN_CENTS * back + sign * other.refunded,
        declines=blocks + sign * other.declines,
    )


NO_BULK = Bulk(0, 0, 0)
