"""Whether the balance moved by what its transactions say.

Between two readings of the balance it moves by the net of all transactions created
meanwhile (source: Stripe, "Balance transactions"). The instant of a reading is known
to lie between two of ours, clocks differ, and rows become visible late: so rows close
to a reading may or may not be in it, and a reading is judged once it is old enough for
all rows around it to be seen. What then no choice of those rows explains is a row that
was missed, or one that is not the provider's any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

UNSURE_SECONDS: Final = 600
"""How close to a reading a row may or may not be in it."""
JUDGED_AFTER: Final = 660
"""Seconds after which every row around a reading is visible."""
_MOST_SUMS: Final = 4096


class BalanceReading(msgspec.Struct, frozen=True):
    """The balance at some instant in [since, until], unix seconds.

    `totals` are minor units by currency, available and pending together.
    """

    since: int
    until: int
    totals: dict[str, int]


@dataclass(frozen=True, slots=True)
class Moved:
    """The net of one currency's rows between two readings, in minor units.

    `sure` is the sum of those that are between them for certain, `unsure` are those
    that may be.
    """

    sure: int = 0
    unsure: Sequence[int] = ()


class Checked(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the balance was checked.

    `agreed` is the reading that the next one is compared with, `waiting` one that its
    rows do not explain yet. `apart` is what they left unexplained when last judged, in
    minor units by currency; empty: nothing.
    """

    agreed: BalanceReading | None = None
    waiting: BalanceReading | None = None
    apart: dict[str, int] = {}


def unexplained(
    before: BalanceReading, after: BalanceReading, moved: Mapping[str, Moved]
) -> dict[str, int]:
    """Return what `moved` (by currency) leaves open, in minor units by currency."""
    found = {}
    for currency in sorted({*before.totals, *after.totals, *moved}):
        rows = moved.get(currency, Moved())
        movement = after.totals.get(currency, 0) - before.totals.get(currency, 0)
        if not _reachable(movement - rows.sure, rows.unsure):
            found[currency] = movement - rows.sure
    return found


def can_be_judged(reading: BalanceReading, as_of: int) -> bool:
    """Tell whether rows that were read at `as_of` are all that were around."""
    return reading.until + JUDGED_AFTER <= as_of


def _reachable(wanted: int, rows: Sequence[int]) -> bool:
    """Tell whether some of `rows` sum up to `wanted`; of many, whether they could."""
    sums = {0}
    for amount in rows:
        sums |= {one + amount for one in sums}
        if len(sums) > _MOST_SUMS:
            low = sum(one for one in rows if one < 0)
            return low <= wanted <= sum(one for one in rows if one > 0)
    return wanted in sums
