"""The figures in a chart: its cells checked, with our names, signs and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from opseer_collector.domain.records import ProjectMetric, Quarantined
from opseer_collector.domain.reported import COUNTS, MONEY
from opseer_collector.providers import aside
from opseer_collector.providers.attempts import UnreadableError
from opseer_collector.providers.revenuecat.measures import NAMES, ChartOf, settled
from opseer_collector.providers.revenuecat.shapes import (
    CellError,
    Chart,
    Point,
    is_row_of_v2,
    measures,
    points,
)
from opseer_common.money import to_minor

_ZONE: Final = ZoneInfo("UTC")


@dataclass(slots=True)
class Found:
    """The cells of a chart by day and name, and what had to be put aside.

    `older` where it is a chart v2, which takes a refund off the day of the purchase.
    """

    cells: dict[tuple[date, str], Point] = field(default_factory=dict)
    aside: list[Quarantined] = field(default_factory=list)
    older: bool = False

    def add(self, name: str | None, point: Point, today: date) -> None:
        """Add a cell of a measure that is known. CellError where it makes no sense."""
        if name is None:
            return
        value, over = point.value, point.day < today and not point.incomplete
        if value is None and over:
            raise CellError("$.values[].value", point.day)
        if value is not None and name in COUNTS and value % 1:
            raise CellError("$.values[].value", point.day)
        if self.cells.setdefault((point.day, name), point) != point:
            raise CellError("$.values[]", point.day)


def read(chart: ChartOf, answer: Chart, first: date, today: date) -> Found:
    """Read the cells from `first` to `today`; what does not fit is put aside alone.

    Raises UnreadableError where none of the chart's measures is there.
    """
    names = measures(answer, chart.known, chart.order)
    if not names:
        raise UnreadableError("$.measures")
    found = Found()
    for raw in answer.values:
        found.older |= is_row_of_v2(raw)
        try:
            for point in points(raw):
                if first <= point.day <= today:
                    found.add(names.get(point.measure), point, today)
        except CellError as error:
            found.aside.append(
                aside.of_day(chart.endpoint, bytes(raw), error.path, error.day, _ZONE)
            )
    return found


def metrics(
    project: str, cells: Mapping[tuple[date, str], Point], currency: str, today: date
) -> list[ProjectMetric]:
    """Return the figures of one chart and project.

    RevenueCat shows 0 for a period that it has not come to: that is no figure. Charts
    v2 do not tell which one that is.
    """
    partial = {key: cells[key].incomplete or key[0] >= today for key in cells}
    known = {
        key: point.value
        for key, point in cells.items()
        if point.value is not None and (point.value or not partial[key])
    }
    signed = settled((day, name, value) for (day, name), value in known.items())
    return [
        metric(
            *(project, day, name, signed.get((day, name)), currency),
            partial=partial[day, name],
        )
        for day, name in cells
        if name in NAMES
    ]


def metric(
    project: str,
    day: date,
    name: str,
    value: Decimal | None,
    currency: str,
    *,
    partial: bool,
) -> ProjectMetric:
    """Return one figure in minor units of `currency`, or a count."""
    unit = currency if name in MONEY else ""
    minor = None
    if value is not None:
        minor = to_minor(value, unit) if unit else int(value)
    return ProjectMetric(project, day, name, unit, minor, partial)
