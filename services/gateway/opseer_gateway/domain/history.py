"""MRR of the days before the exact ones: estimated from invoices, and told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from opseer_common.contracts import Source
from opseer_common.errors import RefusedError
from opseer_gateway.domain.figures import MovementRow
from opseer_gateway.domain.integrations import (
    DERIVED_WITHIN,
    SOURCE_NAMES,
    Known,
    Progress,
    Run,
    how_far,
)

HISTORY_SOURCES: Final[tuple[Source, ...]] = ("stripe",)
"""The channels whose invoices tell of older history."""
_OPEN: Final = ("queued", "running")


class EstimatedRow(msgspec.Struct, frozen=True, kw_only=True):
    """An estimated day in minor units; net = new + expansion + contraction + churned.

    snapshot = the one of the day before + net + fx.
    """

    date: date
    new: int
    expansion: int
    contraction: int
    churned: int
    net: int
    fx: int
    snapshot: int
    active_subscriptions: int
    estimated: Literal[True] = True


class HistoryRun(msgspec.Struct, frozen=True):
    """The newest run that reads older history; `progress` is null once it is over."""

    run_id: UUID
    state: str
    progress: Progress | None


class StoredRun(msgspec.Struct, frozen=True):
    """A run that reads older history; when it ended, while no estimate followed."""

    run: Run
    ended: datetime | None = None


class Checked(msgspec.Struct, frozen=True):
    """How far the estimate is off on days that are known exactly, too.

    `largest_difference` is the largest of |estimated - exact| over `days` complete
    days, in minor units, and `of` the exact snapshot of that day.
    """

    days: int
    largest_difference: int
    of: int


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Estimated MRR per day, ascending, of the days before `exact_from` alone."""

    source: Source
    estimated: Literal[True] = True
    timezone: str
    policy: Mapping[str, Any] | None = None
    currency: str | None = None
    as_of: datetime | None = None
    complete: bool = False
    reason: str | None = None
    exact_from: date | None = None
    checked: Checked | None = None
    run: HistoryRun | None = None
    rows: tuple[EstimatedRow, ...] = ()


class StoredEstimate(msgspec.Struct, frozen=True):
    """What mrr keeps of an estimate, and the exact rows of its days."""

    currency: str
    timezone: str
    policy: Mapping[str, Any]
    reason: str | None
    as_of: datetime
    rows: Sequence[EstimatedRow]
    exact: Sequence[MovementRow]
    exact_from: date | None


def check_source(source: Source) -> None:
    """Refuse a channel without older history (SOURCE_NOT_SUPPORTED)."""
    if source not in HISTORY_SOURCES:
        raise RefusedError(
            "SOURCE_NOT_SUPPORTED",
            f"{SOURCE_NAMES[source]} has no invoices to estimate older history from.",
        )


def history(
    known: Known, run: StoredRun | None, found: StoredEstimate | None, now: datetime
) -> History:
    """Return the estimate, or why there is none: COLLECTING while it is read.

    BEFORE_HISTORY where nobody has asked for it yet.
    """
    shown = None if run is None else _shown(run, now)
    if found is None:
        return History(
            source=known.source,
            timezone=known.timezone,
            currency=known.currency,
            reason=_why_none(known, shown),
            run=shown,
        )
    first = found.exact_from
    rows = tuple(row for row in found.rows if first is None or row.date < first)
    return History(
        source=known.source,
        timezone=found.timezone,
        policy=found.policy,
        currency=found.currency,
        as_of=found.as_of,
        complete=found.reason is None,
        reason=found.reason,
        exact_from=first,
        checked=_checked(found),
        run=shown,
        rows=rows,
    )


def _shown(stored: StoredRun, now: datetime) -> HistoryRun:
    """Return the run; it goes on until its estimate is made, or nobody makes it."""
    run, progress = stored.run, None
    if run.state in _OPEN:
        progress = how_far(run, now)
    elif stored.ended is not None and now - stored.ended < DERIVED_WITHIN:
        progress = Progress("computing", run.total, run.total, 0)
    return HistoryRun(run.run_id, run.state, progress)


def _why_none(known: Known, run: HistoryRun | None) -> str:
    if known.connection is None or (run is not None and run.progress is not None):
        return "COLLECTING"
    if known.permission("invoices") == "missing":
        return "INVOICES_PERMISSION"
    return "BEFORE_HISTORY"


def _checked(found: StoredEstimate) -> Checked | None:
    """Hold the estimate against the exact days that it covers."""
    exact = {row.date: row.snapshot for row in found.exact if row.complete}
    differences = [
        (abs(row.snapshot - snapshot), snapshot)
        for row in found.rows
        if (snapshot := exact.get(row.date)) is not None
    ]
    if not differences:
        return None
    return Checked(len(differences), *max(differences))
