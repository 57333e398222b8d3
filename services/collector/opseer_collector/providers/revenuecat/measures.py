"""The charts that fill our figures, and what their measures mean for us."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from opseer_collector.domain.records import Told

PERMISSION: Final = "charts"
MOVEMENT: Final = "movement"
RESUBSCRIBED: Final = "resubscribed_subs"
"""Names of measures that are no figures of ours, but tell about others."""
_LOST: Final = frozenset({"churned_mrr", "contraction_mrr", "churned_subs"})
_GAINED: Final = frozenset(
    {"new_mrr", "resubscription_mrr", "expansion_mrr", "new_subs", RESUBSCRIBED}
)
OPTIONAL: Final = frozenset({"resubscription_mrr", "expansion_mrr", "contraction_mrr"})
"""What newer charts tell apart and older ones do not."""


@dataclass(frozen=True, slots=True)
class ChartOf:
    """A chart by its name in the API, and the names of its measures in their order.

    `known` finds a measure by what the chart calls it: the order is not promised.
    """

    name: str
    known: Mapping[str, re.Pattern[str]]
    order: tuple[str, ...]

    @property
    def endpoint(self) -> str:
        """Return what quarantine and windows call it."""
        return f"charts/{self.name}"


def _known(**patterns: str) -> Mapping[str, re.Pattern[str]]:
    return MappingProxyType({name: re.compile(text) for name, text in patterns.items()})


CHARTS: Final = (
    ChartOf(
        "revenue",
        _known(net_revenue=r"revenue", orders=r"transactions"),
        ("net_revenue", "orders"),
    ),
    ChartOf("mrr", _known(mrr=r"mrr|monthly recurring revenue"), ("mrr",)),
    ChartOf(
        "actives_movement",
        _known(
            new_subs=r"new actives?|new( paid)? subscriptions?",
            resubscribed_subs=r"resubscri\w+( actives?)?",
            churned_subs=r"churned (actives?|subscriptions?)",
            movement=r"(active subscriptions? )?movement",
        ),
        ("new_subs", "churned_subs", MOVEMENT),
    ),
    ChartOf(
        "mrr_movement",
        _known(
            new_mrr=r"new mrr",
            resubscription_mrr=r"resubscri\w+ mrr",
            expansion_mrr=r"expansion mrr",
            churned_mrr=r"churn(ed)? mrr",
            contraction_mrr=r"contraction mrr",
            movement=r"(mrr )?movement",
        ),
        ("new_mrr", "churned_mrr", MOVEMENT),
    ),
)
"""In the order in which they are read: what the report needs first."""

NAMES: Final[Mapping[str, Told]] = MappingProxyType(
    {
        name: Told(chart.endpoint, PERMISSION)
        for chart in CHARTS
        for name in chart.known
        if name not in (MOVEMENT, RESUBSCRIBED)
    }
)


def settled(
    cells: Iterable[tuple[date, str, Decimal]],
) -> dict[tuple[date, str], Decimal]:
    """Return the figures of one chart by day and name, with their signs as ours.

    Money lost is below zero, subscriptions lost are counted above it. RevenueCat's
    formula is new minus churned, so that what was lost comes above zero; charts that
    add it up instead are told by their own sum, the movement. Those who came back to
    a chart that counts them apart began to pay, too.
    """
    found: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    for day, name, value in cells:
        found[day, name] = value
    below = _lost_is_below_zero(found)
    result: dict[tuple[date, str], Decimal] = {}
    for (day, name), value in found.items():
        if name in _LOST:
            is_money = name != "churned_subs"
            result[day, name] = value if below == is_money else -value
        elif name == "new_subs":
            came_back = found.get((day, RESUBSCRIBED), Decimal(0))
            result[day, name] = value + came_back
        elif name not in (MOVEMENT, RESUBSCRIBED):
            result[day, name] = value
    return result


def _lost_is_below_zero(found: Mapping[tuple[date, str], Decimal]) -> bool:
    """Tell by the movement of most days; by RevenueCat's formula where it is silent."""
    votes = 0
    for (day, name), movement in found.items():
        if name != MOVEMENT:
            continue
        gained = _total(found, day, _GAINED)
        lost = _total(found, day, _LOST)
        added, taken = gained + lost - movement, gained - lost - movement
        votes += (abs(added) < abs(taken)) - (abs(taken) < abs(added))
    return votes > 0


def _total(
    found: Mapping[tuple[date, str], Decimal], day: date, names: frozenset[str]
) -> Decimal:
    return sum((found.get((day, name), Decimal(0)) for name in names), Decimal(0))
