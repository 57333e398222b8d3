"""The charts: their names, measures and cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from opseer_simulator.channels.rates import digits
from opseer_simulator.revenuecat.figures import Period

CURRENCIES = (
    *("USD", "EUR", "GBP", "AUD", "CAD", "JPY"),
    *("BRL", "KRW", "CNY", "MXN", "SEK", "PLN"),
)
CHARTS = (
    *("actives", "actives_movement", "actives_new", "arr", "churn"),
    *("cohort_explorer", "conversion_to_paying", "customers_new"),
    *("ltv_per_customer", "ltv_per_paying_customer", "mrr", "mrr_movement"),
    *("refund_rate", "revenue", "subscription_retention", "subscription_status"),
    *("trials", "trials_movement", "trials_new", "customers_active"),
    "trial_conversion_rate",
)
RESOLUTIONS = ("day", "week", "month", "quarter", "year")
REVENUE_TYPES = {
    "revenue": ("Revenue", Fraction(1)),
    "revenue_net_of_taxes": ("Revenue Net of Taxes", Fraction(92, 100)),
    "proceeds": ("Proceeds", Fraction(78, 100)),
}

_MONEY, _COUNT, _PERCENT = "$", "#", "%"
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_QUARTER = 3
_YEAR = 12
_MONTHS = {"month": 1, "quarter": _QUARTER, "year": _YEAR}


@dataclass(frozen=True, slots=True)
class Measure:
    """A line of a chart; `stands` = its value at the end and not of the period."""

    name: str
    unit: str
    of: Callable[[Period], Fraction | int]
    stands: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart's head and measures."""

    category: str
    name: str
    measures: tuple[Measure, ...]


def _rate(part: int, whole: int) -> Fraction:
    return Fraction(100 * part, whole) if whole else Fraction(0)


_MADE = {
    "revenue": Chart(
        "revenue",
        "Revenue",
        (
            Measure("Revenue", _MONEY, lambda p: p.flow.revenue),
            Measure("Transactions", _COUNT, lambda p: p.flow.transactions),
        ),
    ),
    "mrr": Chart(
        "revenue", "MRR", (Measure("MRR", _MONEY, lambda p: p.mrr, stands=True),)
    ),
    "arr": Chart(
        "revenue",
        "ARR",
        (Measure("ARR", _MONEY, lambda p: _YEAR * p.mrr, stands=True),),
    ),
    "mrr_movement": Chart(
        "revenue",
        "MRR Movement",
        (
            Measure("New MRR", _MONEY, lambda p: p.flow.new_mrr),
            Measure("Churned MRR", _MONEY, lambda p: p.flow.churned_mrr),
            Measure(
                "MRR Movement", _MONEY, lambda p: p.flow.new_mrr - p.flow.churned_mrr
            ),
        ),
    ),
    "actives": Chart(
        "subscriptions",
        "Active Subscriptions",
        (Measure("Actives", _COUNT, lambda p: p.actives, stands=True),),
    ),
    "actives_movement": Chart(
        "subscriptions",
        "Active Subscriptions Movement",
        (
            Measure("New Actives", _COUNT, lambda p: p.flow.new),
            Measure("Churned Actives", _COUNT, lambda p: p.flow.churned),
            Measure("Movement", _COUNT, lambda p: p.flow.new - p.flow.churned),
        ),
    ),
    "actives_new": Chart(
        "subscriptions",
        "New Paid Subscriptions",
        (
            Measure("Trial Conversions", _COUNT, lambda p: p.flow.conversions),
            Measure("Intro Offers", _COUNT, lambda _: 0),
            Measure("Direct Subscriptions", _COUNT, lambda p: p.flow.direct),
            Measure("Total New Paid Subscriptions", _COUNT, lambda p: p.flow.new),
        ),
    ),
    "churn": Chart(
        "churn",
        "Churn",
        (
            Measure("Actives", _COUNT, lambda p: p.actives_before),
            Measure("Churned Actives", _COUNT, lambda p: p.flow.churned),
            Measure(
                "Churn Rate",
                _PERCENT,
                lambda p: _rate(p.flow.churned, p.actives_before),
            ),
        ),
    ),
    "refund_rate": Chart(
        "churn",
        "Refund Rate",
        (
            Measure("Transactions", _COUNT, lambda p: p.flow.transactions),
            Measure("Refunded Transactions", _COUNT, lambda p: p.flow.refunded),
            Measure(
                "Refund Rate",
                _PERCENT,
                lambda p: _rate(p.flow.refunded, p.flow.transactions),
            ),
        ),
    ),
    "trials": Chart(
        "trials",
        "Active Trials",
        (Measure("Active Trials", _COUNT, lambda p: p.trials, stands=True),),
    ),
    "trials_new": Chart(
        "trials",
        "New Trials",
        (Measure("New Trials", _COUNT, lambda p: p.flow.trials_new),),
    ),
    "customers_new": Chart(
        "customers",
        "New Customers",
        (Measure("New Customers", _COUNT, lambda p: p.flow.customers_new),),
    ),
}


# What newer charts tell apart; what was lost is below zero in them.
_APART = {
    "mrr_movement": Chart(
        "revenue",
        "MRR Movement",
        (
            Measure("New MRR", _MONEY, lambda p: p.flow.new_mrr),
            Measure("Resubscription MRR", _MONEY, lambda p: p.flow.back_mrr),
            Measure("Expansion MRR", _MONEY, lambda p: p.flow.expansion),
            Measure("Churned MRR", _MONEY, lambda p: -p.flow.lapsed_mrr),
            Measure("Contraction MRR", _MONEY, lambda p: -p.flow.contraction),
            Measure(
                "MRR Movement", _MONEY, lambda p: p.flow.new_mrr - p.flow.churned_mrr
            ),
        ),
    ),
    "actives_movement": Chart(
        "subscriptions",
        "Active Subscriptions Movement",
        (
            Measure("New Actives", _COUNT, lambda p: p.flow.new),
            Measure("Resubscription Actives", _COUNT, lambda p: p.flow.back),
            Measure("Churned Actives", _COUNT, lambda p: -p.flow.lapsed),
            Measure("Movement", _COUNT, lambda p: p.flow.new - p.flow.churned),
        ),
    ),
}


def chart_named(name: str, revenue_type: str, *, apart: bool = False) -> Chart:
    """Return a chart; one that the simulator does not draw has no measures.

    `apart` = who came back and what grew is not netted with what was lost.
    """
    chart = _APART.get(name) if apart else None
    chart = chart or _MADE.get(name)
    if chart is None:
        return Chart("other", name.replace("_", " ").title(), ())
    if name != "revenue":
        return chart
    title, share = REVENUE_TYPES[revenue_type]
    money = Measure(title, _MONEY, lambda p: share * p.flow.revenue)
    return Chart(chart.category, title, (money, *chart.measures[1:]))


def period_starts(first: date, last: date, resolution: str) -> list[int]:
    """Return the days (from 1970 on) at which periods begin, and the end of the last.

    Weeks begin on Monday; periods are whole ones, the last may lie ahead.
    """
    starts = [_floor(first, resolution)]
    while starts[-1] <= last:
        starts.append(_next(starts[-1], resolution))
    return [day.toordinal() - _EPOCH_DAY for day in starts]


def cell(value: Fraction | int, unit: str, currency: str) -> float | int:
    """Return a measure's value as it is shown: money and percents rounded."""
    if unit == _COUNT:
        return int(value)
    places = digits(currency) if unit == _MONEY else 2
    minor = round(value if unit == _MONEY else 100 * value)
    return minor / 10**places if places else minor


def summary(
    chart: Chart, periods: Sequence[Period], currency: str, only: Sequence[str]
) -> dict[str, Any]:
    """Return the averages and totals of the chart's measures."""
    result: dict[str, Any] = {}
    sums = {
        m.name: sum((Fraction(m.of(p)) for p in periods), Fraction(0))
        for m in chart.measures
    }
    units = {m.name: "%" if m.unit == _COUNT else m.unit for m in chart.measures}
    if "average" in only:
        result["average"] = {
            name: cell(total / max(len(periods), 1), units[name], currency)
            for name, total in sums.items()
        }
    if "total" in only:
        result["total"] = {
            m.name: cell(sums[m.name], m.unit, currency)
            for m in chart.measures
            if not m.stands and m.unit != _PERCENT
        }
    return result


def day_of(at: int) -> date:
    """Return the UTC day of a unix second."""
    return datetime.fromtimestamp(at, UTC).date()


def _floor(day: date, resolution: str) -> date:
    if resolution == "day":
        return day
    if resolution == "week":
        return day - timedelta(days=day.weekday())
    months = _MONTHS[resolution]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def _next(day: date, resolution: str) -> date:
    if resolution in {"day", "week"}:
        return day + timedelta(days=1 if resolution == "day" else 7)
    month = day.month - 1 + _MONTHS[resolution]
    return day.replace(year=day.year + month // _YEAR, month=month % _YEAR + 1)
