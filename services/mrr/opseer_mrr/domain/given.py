"""MRR that a provider reports itself, put into the rows that readers know.

Nothing is computed but differences. What the provider does not tell apart stays None: a
movement of which a part is unknown has as its net the change of the snapshot, which is
true whatever it is made of. Only where every part is told is what is left over `fx`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from opseer_common.days import ONE_DAY, DayRange
from opseer_mrr.domain.computation import ConnectionKey

BEFORE_HISTORY: Final = "BEFORE_HISTORY"
POLICY: Final = {"preset": "provider", "version": 1}
"""What the rows say in place of a policy: the provider has its own."""
_OPEN: Final = frozenset({"ARRIVES_TOMORROW", "CRON_PENDING"})
"""Reasons of a day that is not over: its figure is true as of the collection."""
_JUDGED: Final = (
    *("mrr", "new_mrr", "resubscription_mrr", "expansion_mrr", "contraction_mrr"),
    *("churned_mrr", "new_subs", "churned_subs"),
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One published figure of a day; money is in minor units of `currency`."""

    day: date
    name: str
    currency: str | None
    value: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class GivenInputs:
    """What was collected as of `revision`. `timezone` is that of the days.

    `before` is the stored snapshot of the day before the first, in minor units, None
    where there is none in this currency.
    """

    key: ConnectionKey
    revision: int
    settings_revision: int
    as_of: datetime
    currency: str
    timezone: str
    metrics: Sequence[Metric]
    before: int | None = None


@dataclass(frozen=True, slots=True)
class GivenSnapshot:
    """The live figures. `reason` is None where they are true as of the collection."""

    day: date
    mrr: int | None
    active_subscriptions: int | None
    committed_mrr: int | None
    trial_mrr: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class GivenDay:
    """A day's movements. contraction and churned are zero or less where known."""

    day: date
    new: int | None
    expansion: int | None
    contraction: int | None
    churned: int | None
    net: int | None
    of_which_reactivation: int | None
    fx: int | None
    snapshot: int | None
    new_subs: int | None
    churned_subs: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Given:
    """The rows to write: `days` are replaced as a whole."""

    days: DayRange
    snapshot: GivenSnapshot
    movements: tuple[GivenDay, ...]


def given(inputs: GivenInputs) -> Given | None:
    """Return the rows that follow from `inputs`; None where nothing is published."""
    by_day = _by_day(inputs.metrics)
    if not by_day:
        return None
    days = DayRange(min(by_day), max(by_day))
    movements = []
    before = inputs.before
    for day in days:
        row = _moved(day, by_day.get(day, {}), before)
        movements.append(row)
        before = row.snapshot
    return Given(days, _snapshot(days.last, by_day), tuple(movements))


def _by_day(metrics: Iterable[Metric]) -> dict[date, dict[str, Metric]]:
    found: dict[date, dict[str, Metric]] = {}
    for one in metrics:
        found.setdefault(one.day, {})[one.name] = one
    return found


def _snapshot(
    today: date, by_day: Mapping[date, Mapping[str, Metric]]
) -> GivenSnapshot:
    """Return today's figures, or yesterday's where the provider is a day behind."""
    found = GivenSnapshot(today, None, None, None, None, BEFORE_HISTORY)
    for day in (today, today - ONE_DAY):
        of_day = by_day.get(day, {})
        mrr = of_day.get("mrr")
        if mrr is None:
            continue
        reason = mrr.reason if day == today or mrr.value is None else "ARRIVES_TOMORROW"
        live = mrr.value is not None and day == today and reason in _OPEN
        current = GivenSnapshot(
            day=today,
            mrr=mrr.value,
            active_subscriptions=_value(by_day[today], "active_subscriptions"),
            committed_mrr=_value(of_day, "committed_mrr"),
            trial_mrr=_value(of_day, "trial_mrr"),
            reason=None if live else reason,
        )
        if mrr.value is not None:
            return current
        if day == today:
            found = current
    return found


def _moved(day: date, of_day: Mapping[str, Metric], before: int | None) -> GivenDay:
    """Return a day's row, given the snapshot of the day before."""
    parts = _parts(of_day)
    snapshot = _value(of_day, "mrr")
    change = None if snapshot is None or before is None else snapshot - before
    known = (parts.new, parts.expansion, parts.contraction, parts.churned)
    told = [part for part in known if part is not None]
    whole = len(told) == len(known)
    net = sum(told) if whole else change
    reasons = (of_day[name].reason for name in _JUDGED if name in of_day)
    reason = next((one for one in reasons if one is not None), None)
    if reason is None and snapshot is not None and before is None:
        reason = BEFORE_HISTORY
    return replace(
        parts,
        day=day,
        net=net,
        fx=change - net if whole and change is not None and net is not None else None,
        snapshot=snapshot,
        new_subs=_value(of_day, "new_subs"),
        churned_subs=_value(of_day, "churned_subs"),
        reason=reason,
    )


def _parts(of_day: Mapping[str, Metric]) -> GivenDay:
    """Return what the provider tells apart.

    Who came back began to pay again: that is new, as it is of every channel. Churn that
    the provider gives net of them is a gain where more came back than left.
    """
    new, back = _value(of_day, "new_mrr"), _value(of_day, "resubscription_mrr")
    churned = _value(of_day, "churned_mrr")
    contraction = _value(of_day, "contraction_mrr")
    if churned is not None and churned > 0:
        back = (back or 0) + churned
        churned = 0
    if new is not None and back is not None:
        new += back
    return GivenDay(
        day=date.min,
        new=new,
        expansion=_value(of_day, "expansion_mrr"),
        contraction=None if contraction is None else min(contraction, 0),
        churned=churned,
        net=None,
        of_which_reactivation=back,
        fx=None,
        snapshot=None,
        new_subs=None,
        churned_subs=None,
        reason=None,
    )


def _value(of_day: Mapping[str, Metric], name: str) -> int | None:
    return of_day[name].value if name in of_day else None
