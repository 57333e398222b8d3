"""The tables of the revenue page, as text: what the charts draw, and the period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from opseer_common.rendering import reason_words
from opseer_gateway.actions.board import Board
from opseer_gateway.domain.board import (
    MOVEMENT_FIELDS,
    movement_totals,
    revenue_totals,
    within,
)
from opseer_gateway.domain.figures import DailyRow, MovementRow
from opseer_gateway.domain.plans import Plan
from opseer_gateway.pages import formats
from opseer_gateway.pages.formats import NONE
from opseer_gateway.pages.revenue import texts
from opseer_gateway.pages.revenue.cards import SO_FAR


@dataclass(frozen=True, slots=True)
class DayLine:
    """One day: an ISO day, a day in words, cells, and why it is not whole."""

    day: str
    words: str
    revenue: tuple[str, ...]
    """In the order of `texts.REVENUE_COLUMNS`."""
    snapshot: str
    moved: tuple[str, ...]
    """In the order of `texts.MOVEMENTS`."""
    note: str


@dataclass(frozen=True, slots=True)
class Step:
    """One line of how MRR went from the period's start to its end."""

    key: str
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One price; `width` is its share in whole per cent of the widest bar."""

    name: str
    detail: str
    subscriptions: str
    mrr: str
    share: str
    width: int


_INTERVALS: Mapping[str, str] = MappingProxyType(
    {"day": "day", "week": "week", "month": "month", "year": "year"}
)


def day_lines(board: Board) -> list[DayLine]:
    """Return the period's days, newest first."""
    moved = {row.date: row for row in board.movements.rows}
    rows = within(board.daily.rows, board.period.days)
    return [_day(row, moved.get(row.date), board) for row in reversed(rows)]


def totals(board: Board) -> DayLine:
    """Return the line under the days."""
    rows = within(board.daily.rows, board.period.days)
    found, moved = revenue_totals(rows), movement_totals(period_movements(board))
    currency = board.movements.currency
    return DayLine(
        day="",
        words="Total",
        revenue=(
            formats.money(found.net_revenue, board.daily.currency),
            formats.count(found.charges_count),
            formats.count(found.refunds_count),
            formats.money(found.refunds_amount, board.daily.currency),
            formats.count(found.failed_payments),
            formats.count(found.disputes),
        ),
        snapshot=formats.money(moved.end, currency),
        moved=tuple(
            formats.money(getattr(moved, field), currency) for field in MOVEMENT_FIELDS
        ),
        note="",
    )


def steps(board: Board) -> list[Step]:
    """Return how MRR went from the start of the period to its end."""
    found, currency = movement_totals(period_movements(board)), board.movements.currency
    if found.start is None:
        return []
    lines = [Step("start", "MRR at the start", formats.money(found.start, currency))]
    lines += [
        Step(key, label, formats.signed(getattr(found, key), currency))
        for key, label in texts.MOVEMENTS.items()
        if getattr(found, key) is not None
    ]
    if found.fx:
        lines.append(Step("fx", "FX", formats.signed(found.fx, currency)))
    lines.append(Step("end", "MRR at the end", formats.money(found.end, currency)))
    return lines


def period_movements(board: Board) -> list[MovementRow]:
    """Return the movements of the period's days."""
    days = board.period.days
    return [row for row in board.movements.rows if days.first <= row.date <= days.last]


def plan_lines(board: Board) -> list[PlanLine]:
    """Return the plans, dearest first."""
    widest = max((one.share or 0 for one in board.plans.plans), default=0)
    return [_plan(one, board, widest) for one in board.plans.plans]


def _day(row: DailyRow, moved: MovementRow | None, board: Board) -> DayLine:
    reasons = [row.reason, moved.reason if moved else _unmoved(row.date, board)]
    note = "; ".join(dict.fromkeys(reason_words(one) for one in reasons if one))
    if row.date == board.today and row.reason == SO_FAR:
        note = "today so far"
    return DayLine(
        day=row.date.isoformat(),
        words=formats.day(row.date),
        revenue=(
            formats.money(row.net_revenue, row.currency),
            formats.count(row.charges_count),
            formats.count(row.refunds_count),
            formats.money(row.refunds_amount, row.currency),
            formats.count(row.failed_payments),
            formats.count(row.disputes),
        ),
        snapshot=_snapshot(row.date, moved, board),
        moved=tuple(
            formats.money(getattr(moved, field), board.movements.currency)
            if moved
            else NONE
            for field in MOVEMENT_FIELDS
        ),
        note=note,
    )


def _snapshot(day: date, moved: MovementRow | None, board: Board) -> str:
    """Return MRR at the day's end; today's is the one of now."""
    if moved is None and day == board.today:
        return formats.money(board.mrr.mrr, board.mrr.currency)
    snapshot = moved.snapshot if moved else None
    return formats.money(snapshot, board.movements.currency)


def _unmoved(day: date, board: Board) -> str | None:
    """Return why a day has no movements; today's are not due yet."""
    if day == board.today:
        return None
    first = board.movements.rows[0].date if board.movements.rows else None
    if first is not None and day < first:
        return "BEFORE_HISTORY"
    return board.why_unmoved


def _plan(one: Plan, board: Board, widest: int) -> PlanLine:
    interval = _INTERVALS.get(one.interval, one.interval)
    every = (
        f"per {interval}"
        if one.interval_count == 1
        else f"every {one.interval_count} {interval}s"
    )
    own = ""
    if one.currency != board.plans.currency:
        own = f" · {formats.money(one.native_mrr, one.currency)}"
    return PlanLine(
        name=one.name,
        detail=f"{every}{own}",
        subscriptions=formats.count(one.subscriptions),
        mrr=formats.money(one.mrr, board.plans.currency),
        share=formats.percent(one.share),
        width=(one.share or 0) * 100 // widest if widest else 0,
    )
