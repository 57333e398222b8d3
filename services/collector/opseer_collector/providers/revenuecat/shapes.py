"""RevenueCat's answers, read strictly: a cell that does not fit is put aside alone.

Charts v3 answer a row per period and measure, v2 one array per period. Instants come in
seconds or milliseconds. Numbers are read as exact decimals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import msgspec

_MILLISECONDS: Final = 10**11
_OLDEST: Final = 1_262_304_000  # 2010-01-01, before RevenueCat
_MOST: Final = Decimal(10**13)
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_SPACE = re.compile(r"\s+")


class _Measure(msgspec.Struct):
    display_name: str = ""
    name: str = ""


class Chart(msgspec.Struct):
    """What is read of a chart."""

    resolution: str
    values: list[msgspec.Raw]
    measures: list[_Measure] | None = None
    yaxis_currency: str | None = None

    @property
    def currency(self) -> str | None:
        """The currency of its money, as a lower-case code."""
        code = self.yaxis_currency or ""
        return code.lower() if _CURRENCY.fullmatch(code) else None


class _Cell(msgspec.Struct):
    """A period of one measure. `segment` where the chart was split."""

    cohort: Decimal
    value: Decimal | None
    measure: int = 0
    incomplete: bool = False
    segment: int | None = None


class Project(msgspec.Struct):
    """A project that the key sees."""

    id: str


class Projects(msgspec.Struct):
    """A page of projects; `next_page` is a path, or None on the last."""

    items: list[Project]
    next_page: str | None = None


class _Metric(msgspec.Struct):
    id: str
    value: Decimal | None = None


class Overview(msgspec.Struct):
    """The metrics of now. Some may not be there."""

    metrics: list[_Metric]
    currency: str | None = None

    def value(self, *ids: str) -> Decimal | None:
        """Return the first metric that is there of `ids`."""
        found = {metric.id: metric.value for metric in self.metrics}
        known = (found[one] for one in ids if found.get(one) is not None)
        return next(known, None)


class _Option(msgspec.Struct):
    id: str


class _Filter(msgspec.Struct):
    id: str
    options: list[_Option] = []


class Options(msgspec.Struct):
    """What a chart can be filtered by."""

    filters: list[_Filter]

    def stores(self) -> list[str]:
        """Return the stores that the filter knows; none where there is no filter."""
        return [
            option.id
            for one in self.filters
            if one.id == "store"
            for option in one.options
        ]


@dataclass(frozen=True, slots=True)
class Point:
    """A measure on a UTC day. `value` is None where the chart has none."""

    day: date
    measure: int
    value: Decimal | None
    incomplete: bool


class CellError(ValueError):
    """A cell that does not fit. `day` is None where even that cannot be read."""

    def __init__(self, path: str, day: date | None = None) -> None:
        """Keep where."""
        super().__init__(path)
        self.path = path
        self.day = day


def is_row_of_v2(raw: msgspec.Raw) -> bool:
    """Tell whether an entry of a chart's values is of charts v2."""
    return bytes(raw).lstrip()[:1] == b"["


def points(raw: msgspec.Raw) -> Iterator[Point]:
    """Read one entry of a chart's values, of either shape. Raises CellError."""
    if is_row_of_v2(raw):
        yield from _columns(raw)
        return
    try:
        cell = msgspec.json.decode(raw, type=_Cell)
    except (msgspec.DecodeError, RecursionError):
        raise CellError("$.values[]", _day_in(raw)) from None
    if cell.segment is not None:
        return
    day = _day(cell.cohort)
    _check(cell.value, day)
    yield Point(day, cell.measure, cell.value, cell.incomplete)


def _columns(raw: msgspec.Raw) -> Iterator[Point]:
    """Read an array of an instant and one number per measure."""
    try:
        instant, *values = msgspec.json.decode(raw, type=list[Decimal | None])
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise CellError("$.values[][]") from None
    if instant is None:
        raise CellError("$.values[][0]")
    day = _day(instant)
    for measure, value in enumerate(values):
        _check(value, day)
        yield Point(day, measure, value, incomplete=False)


def _day_in(raw: msgspec.Raw) -> date | None:
    """Return the day of an object whose other fields cannot be read."""
    try:
        return _day(msgspec.json.decode(raw, type=_Dated).cohort)
    except (msgspec.DecodeError, CellError, RecursionError):
        return None


class _Dated(msgspec.Struct):
    cohort: Decimal


def _day(instant: Decimal) -> date:
    """Return the UTC day of an instant in seconds or milliseconds."""
    if not instant.is_finite() or abs(instant) > _MOST * 1000:
        raise CellError("$.values[].cohort")
    whole = int(instant)
    if whole > _MILLISECONDS:
        whole //= 1000
    if not _OLDEST <= whole < _MILLISECONDS:
        raise CellError("$.values[].cohort")
    return datetime.fromtimestamp(whole, UTC).date()


def _check(value: Decimal | None, day: date) -> None:
    if value is not None and not (value.is_finite() and abs(value) < _MOST):
        raise CellError("$.values[].value", day)


def measures(
    chart: Chart, known: Mapping[str, re.Pattern[str]], order: Sequence[str]
) -> dict[int, str]:
    """Return the name of each measure by its number.

    By what the chart calls it; where it calls nothing, by `order`.
    """
    titles = [one.display_name or one.name for one in chart.measures or []]
    if not titles:
        return dict(enumerate(order))
    found: dict[int, str] = {}
    for number, title in enumerate(titles):
        plain = _SPACE.sub(" ", title).strip().lower()
        for name, pattern in known.items():
            if name not in found.values() and pattern.fullmatch(plain):
                found[number] = name
                break
    return found
