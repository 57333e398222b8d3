"""Churn rates and the quick ratio of a range of days, from its stored rows alone.

Rates are whole parts per ten thousand, rounded half-even; the quick ratio too, so that
40,000 is 4.0 (definitions: docs/MRR.md, "Rates").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final

import msgspec

from opseer_common.contracts import Source
from opseer_common.days import DayRange
from opseer_common.money import round_half_even
from opseer_gateway.domain.figures import MONTHS, Grain, MovementRow, why_no_movement
from opseer_gateway.domain.integrations import Known
from opseer_gateway.domain.terms import StoredBasis, terms_of

WHOLE: Final = 10_000
"""One, in parts per ten thousand."""
NO_BASE: Final = "NO_BASE"
"""There is nothing to divide by."""
NOT_SPLIT: Final = "NOT_SPLIT"
"""A day has the sum of its movements alone, as some channels tell no more."""
_COUNTED: Final = ("customer_churn_rate", "subscription_churn_rate")
_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "revenue_churn_rate": ("contraction", "churned"),
        "net_revenue_churn_rate": (
            *("expansion", "contraction", "churned", "of_which_reactivation"),
        ),
        "quick_ratio": ("new", "expansion", "contraction", "churned"),
    }
)
"""The movements that a rate is made of."""


class MrrFlow(msgspec.Struct, frozen=True, kw_only=True):
    """MRR through a range: opening + net + fx + rebased = closing.

    net = new + expansion + contraction + churned; one of these is null where a day does
    not tell it apart. `rebased` is what stored history and the days computed after it
    differ by, where the range spans their seam.
    """

    opening: int
    new: int | None
    of_which_reactivation: int | None
    expansion: int | None
    contraction: int | None
    churned: int | None
    net: int
    fx: int
    rebased: int
    closing: int


class PayerFlow(msgspec.Struct, frozen=True):
    """Customers or subscriptions with MRR above zero: opening + new - lost = closing.

    Lost ones had some at a day's start and none at its end. Where the range spans a
    change of policy or a seam of history, new and lost may not explain all of it.
    """

    opening: int
    new: int
    lost: int
    closing: int


class Rates(msgspec.Struct, frozen=True):
    """The rates of a range, in parts per ten thousand; null where `reasons` says why.

    Churn is per what there was at the start: lost customers (subscriptions) per
    customers; churned and contraction per MRR, and less expansion and reactivation for
    the net one. The quick ratio is new and expansion per churned and contraction.
    """

    customer_churn_rate: int | None = None
    subscription_churn_rate: int | None = None
    revenue_churn_rate: int | None = None
    net_revenue_churn_rate: int | None = None
    quick_ratio: int | None = None


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """What became of MRR from the start of day `from` to the end of day `to`.

    Amounts are minor units of `currency`; `arr` and `arpa` (per subscription) are of
    the end. `reasons` names each rate that is null with a reason of the days, with
    NOT_SPLIT where a channel does not tell its movements apart, or NO_BASE where there
    is nothing to divide by.
    """

    source: Source
    timezone: str
    policy: Mapping[str, Any] | None = None
    grain: Grain
    first: date = msgspec.field(name="from")
    last: date = msgspec.field(name="to")
    currency: str | None = None
    as_of: datetime | None = None
    complete: bool = False
    reason: str | None = None
    mrr: MrrFlow | None = None
    customers: PayerFlow | None = None
    subscriptions: PayerFlow | None = None
    arr: int | None = None
    arpa: int | None = None
    rates: Rates = Rates()
    reasons: Mapping[str, str] = {}


class StoredRange(msgspec.Struct, frozen=True):
    """The rows of a range, ascending; `stored` are the days that have any at all."""

    rows: Sequence[MovementRow] = ()
    bases: Sequence[StoredBasis] = ()
    currency: str | None = None
    as_of: datetime | None = None
    stored: DayRange | None = None


def metrics(known: Known, days: DayRange, grain: Grain, found: StoredRange) -> Metrics:
    """Return the metrics of `days`. They are null where a day has no movements."""
    terms = terms_of(found.bases)
    bare = Metrics(
        source=known.source,
        timezone=terms[-1].timezone if terms else known.timezone,
        policy=terms[-1].policy if terms else None,
        grain=grain,
        first=days.first,
        last=days.last,
        currency=found.currency or known.currency,
        as_of=found.as_of,
    )
    unknown = _why_unknown(known, days, found)
    if unknown is not None:
        reasons = dict.fromkeys(Rates.__struct_fields__, unknown)
        return msgspec.structs.replace(bare, reason=unknown, reasons=reasons)
    mrr = _mrr_flow(found.rows)
    customers, subscriptions = _payers(found.bases, len(days))
    rates = _rates(mrr, customers, subscriptions)
    reason = next((row.reason for row in found.rows if not row.complete), None)
    active = subscriptions.closing if subscriptions else 0
    return msgspec.structs.replace(
        bare,
        complete=reason is None,
        reason=reason,
        mrr=mrr,
        customers=customers,
        subscriptions=subscriptions,
        arr=MONTHS * mrr.closing,
        arpa=round_half_even(Fraction(mrr.closing, active)) if active else None,
        rates=rates,
        reasons={
            name: _why_none(name, mrr, customers)
            for name, value in msgspec.structs.asdict(rates).items()
            if value is None
        },
    )


def _why_unknown(known: Known, days: DayRange, found: StoredRange) -> str | None:
    """Return why a day of the range has no movements; None where all have some."""
    if known.connection is None:
        return "COLLECTING"
    if found.stored is None:
        return why_no_movement(known)
    by_day = {row.date: row for row in found.rows}
    for day in days:
        row = by_day.get(day)
        if row is None:
            return "BEFORE_HISTORY" if day < found.stored.first else "CRON_PENDING"
        if row.net is None:
            return row.reason
    return None


def _mrr_flow(rows: Sequence[MovementRow]) -> MrrFlow:
    """Sum the days up."""
    first, last = rows[0], rows[-1]
    opening = (first.snapshot or 0) - (first.net or 0) - (first.fx or 0)
    closing = last.snapshot or 0
    net, fx = sum(row.net or 0 for row in rows), sum(row.fx or 0 for row in rows)
    return MrrFlow(
        opening=opening,
        new=_whole_sum([row.new for row in rows]),
        of_which_reactivation=_whole_sum([row.of_which_reactivation for row in rows]),
        expansion=_whole_sum([row.expansion for row in rows]),
        contraction=_whole_sum([row.contraction for row in rows]),
        churned=_whole_sum([row.churned for row in rows]),
        net=net,
        fx=fx,
        rebased=closing - opening - net - fx,
        closing=closing,
    )


def _payers(
    bases: Sequence[StoredBasis], days: int
) -> tuple[PayerFlow | None, PayerFlow | None]:
    """Return customers and subscriptions; None where a day does not tell of them."""
    if len(bases) < days:
        return None, None
    return (
        _flow([(o.customers, o.new_customers, o.lost_customers) for o in bases]),
        _flow(
            [
                (o.subscriptions, o.new_subscriptions, o.lost_subscriptions)
                for o in bases
            ]
        ),
    )


def _flow(days: Sequence[tuple[int, int | None, int | None]]) -> PayerFlow:
    """Return the flow of days of (count at the end, new, lost)."""
    at_end, new, lost = days[0]
    return PayerFlow(
        opening=at_end - (new or 0) + (lost or 0),
        new=sum(came or 0 for _, came, _ in days),
        lost=sum(went or 0 for _, _, went in days),
        closing=days[-1][0],
    )


def _whole_sum(values: Sequence[int | None]) -> int | None:
    """Return the sum of values; None unless each of them is known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _rates(
    mrr: MrrFlow, customers: PayerFlow | None, subscriptions: PayerFlow | None
) -> Rates:
    gone = _whole_sum([mrr.churned, mrr.contraction])
    lost = None if gone is None else -gone
    kept = _whole_sum([mrr.expansion, mrr.of_which_reactivation])
    net = None if lost is None or kept is None else lost - kept
    return Rates(
        customer_churn_rate=_lost_part(customers),
        subscription_churn_rate=_lost_part(subscriptions),
        revenue_churn_rate=_part(lost, mrr.opening),
        net_revenue_churn_rate=_part(net, mrr.opening),
        quick_ratio=_part(_whole_sum([mrr.new, mrr.expansion]), lost),
    )


def _why_none(name: str, mrr: MrrFlow, customers: PayerFlow | None) -> str:
    """Return why a rate of days with movements is null."""
    if name in _COUNTED:
        return NO_BASE if customers else "BEFORE_HISTORY"
    if any(getattr(mrr, part) is None for part in _PARTS[name]):
        return NOT_SPLIT
    return NO_BASE


def _lost_part(flow: PayerFlow | None) -> int | None:
    return None if flow is None else _part(flow.lost, flow.opening)


def _part(part: int | None, whole: int | None) -> int | None:
    """Return a part in parts per ten thousand; None of nothing or of the unknown."""
    if part is None or whole is None or whole <= 0:
        return None
    return round_half_even(Fraction(part * WHOLE, whole))
