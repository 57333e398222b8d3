"""How carried MRR compares with MRR that was computed anew, a row per computation.

What is shown is always what was computed anew. A difference is told with its likely
cause, and the days since are based on the new figure: that is what re-basing means.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from opseer_common.contracts import Source
from opseer_common.days import DayRange
from opseer_gateway.domain.figures import MovementRow, Rebase, rebases
from opseer_gateway.domain.integrations import Known


class DifferencePart(msgspec.Struct, frozen=True):
    """One part of a difference, of a subscription where it is of one alone."""

    cause: str
    subscription_id: str | None
    difference: int


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison on the day `date`, in minor units of `currency`.

    `carried` is the snapshot that was stored for the day `carried_from`, with the
    movements and FX since; `recomputed` follows from the live subscriptions alone and
    is what is shown. `difference` is recomputed - carried; `cause` is what explains
    most of it, null where there is none, and `parts` are its largest parts. `rebased`
    says that there was one.
    """

    carried_from: date
    date: date
    currency: str
    carried: int
    recomputed: int
    difference: int
    cause: str | None
    parts: tuple[DifferencePart, ...]
    rebased: bool
    as_of: datetime


class Missed(msgspec.Struct, frozen=True):
    """The part of a day's net that no event tells, in minor units."""

    date: date
    amount: int


class Reconciliations(msgspec.Struct, frozen=True, kw_only=True):
    """The comparisons made on the days of a range, ascending.

    `missed` are its days with movements that no event tells, `rebases` its seams.
    """

    source: Source
    timezone: str
    currency: str | None
    as_of: datetime | None
    rows: tuple[Reconciliation, ...]
    missed: tuple[Missed, ...]
    rebases: tuple[Rebase, ...]


def reconciliations(
    known: Known,
    stored: Sequence[Reconciliation],
    missed: Sequence[Missed],
    moved: Sequence[MovementRow],
    days: DayRange,
) -> Reconciliations:
    """Return the stored comparisons; `moved` begin with the day before `days`."""
    return Reconciliations(
        source=known.source,
        timezone=known.timezone,
        currency=known.currency,
        as_of=max((one.as_of for one in stored), default=None),
        rows=tuple(stored),
        missed=tuple(missed),
        rebases=rebases(moved, days),
    )
