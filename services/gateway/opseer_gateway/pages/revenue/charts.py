"""What the charts draw, and what each shows in one sentence for those who hear it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opseer_common.money import exponent
from opseer_common.rendering import money_text, reason_words
from opseer_gateway.actions.board import Board
from opseer_gateway.domain.board import movement_totals, revenue_totals, within
from opseer_gateway.domain.figures import DailyRow, MovementRow
from opseer_gateway.pages import formats
from opseer_gateway.pages.revenue import texts
from opseer_gateway.pages.revenue.tables import period_movements

_LEAST_POINTS = 2


def figures(board: Board) -> dict[str, Any] | None:
    """Return the series by name, a value per day in minor units or null.

    None where there is a single day, or no money to draw.
    """
    days = list(board.period.days)
    currency = board.daily.currency or board.movements.currency
    if len(days) < _LEAST_POINTS or currency is None:
        return None
    daily = {row.date: row for row in board.daily.rows}
    moved = {row.date: row for row in board.movements.rows}
    rows = [daily.get(day) or DailyRow(day) for day in days]
    moves = [moved.get(day) or MovementRow(day) for day in days]
    return {
        "source": board.integration.source,
        "currency": currency.upper(),
        "digits": exponent(currency),
        "days": [day.isoformat() for day in days],
        "mrr": [_snapshot(row, board) for row in moves],
        "series": {
            field: [getattr(row, field) for row in moves] for field in texts.MOVEMENTS
        },
        "revenue": [row.net_revenue for row in rows],
        "refunds": [
            None if row.refunds_amount is None else -row.refunds_amount for row in rows
        ],
        "charges": [row.charges_count for row in rows],
        "partial": [not row.complete for row in rows],
        "why": [reason_words(row.reason) if row.reason else "" for row in rows],
        "unmoved": [
            reason_words(row.reason or board.why_unmoved) if row.net is None else ""
            for row in moves
        ],
    }


def told(figures: Mapping[str, Any] | None) -> list[str]:
    """Return the kinds of movement that the channel tells apart, but for their sum."""
    if figures is None:
        return []
    series = figures["series"]
    return [
        field
        for field in texts.MOVEMENTS
        if field != "net" and any(one is not None for one in series[field])
    ]


def has_points(values: Sequence[int | None]) -> bool:
    """Tell whether a series is worth a chart: at least two days are known."""
    return len([one for one in values if one is not None]) >= _LEAST_POINTS


def trend_words(board: Board) -> str:
    """Say where MRR went."""
    found, currency = movement_totals(period_movements(board)), board.movements.currency
    if found.start is None or found.end is None or currency is None:
        return "MRR Trend: no history yet."
    verb = "did not change"
    if found.end != found.start:
        verb = "rose" if found.end > found.start else "fell"
    return (
        f"MRR {verb}: from {money_text(found.start, currency)} at the start to "
        f"{money_text(found.end, currency)} at the end of {_period(board)}."
    )


def waterfall_words(board: Board) -> str:
    """Say what moved MRR."""
    found, currency = movement_totals(period_movements(board)), board.movements.currency
    parts = [
        f"{label} {formats.signed(getattr(found, field), currency)}"
        for field, label in texts.MOVEMENTS.items()
    ]
    return f"{', '.join(parts)}, {_period(board)}."


def revenue_words(board: Board) -> str:
    """Say how much came in, and on which day most."""
    rows = within(board.daily.rows, board.period.days)
    currency = board.daily.currency
    found = revenue_totals(rows)
    words = (
        f"Net Revenue {formats.money(found.net_revenue, currency)}, {_period(board)}"
    )
    known = [row for row in rows if row.net_revenue]
    if not known:
        return f"{words}."
    best = max(known, key=lambda row: row.net_revenue or 0)
    most = formats.money(best.net_revenue, currency)
    return f"{words}; most on {formats.day(best.date)}: {most}."


def _period(board: Board) -> str:
    days = board.period.days
    return formats.days(days.first, days.last)


def _snapshot(row: MovementRow, board: Board) -> int | None:
    """Return MRR at the day's end; today's is the one of now."""
    if row.snapshot is None and row.date == board.today:
        return board.mrr.mrr
    return row.snapshot
