"""The cards at the top of the revenue page, as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from opseer_common.channels import CAVEATS, CHANNELS
from opseer_common.days import DayRange
from opseer_common.rendering import reason_words
from opseer_gateway.actions.board import RATE_DAYS, Board
from opseer_gateway.domain.board import (
    RevenueTotals,
    revenue_totals,
    week_average,
    within,
)
from opseer_gateway.domain.figures import MovementRow
from opseer_gateway.domain.metrics import NO_BASE, NOT_SPLIT
from opseer_gateway.pages import formats
from opseer_gateway.pages.formats import NONE, Delta
from opseer_gateway.pages.revenue import texts

_ONE: Final = timedelta(days=1)
_LONG: Final = 11
SO_FAR: Final = "ARRIVES_TOMORROW"
"""Why a day that is not over is not complete."""


@dataclass(frozen=True, slots=True)
class Card:
    """One figure. `key` names its note on how it is computed."""

    key: str
    label: str
    value: str
    delta: Delta | None = None
    average: str = ""
    note: str = ""
    missing: bool = False
    fix: bool = False
    """Whether the note says what the user can mend at the integration."""
    as_of: str = ""
    href: str = ""

    @property
    def is_long(self) -> bool:
        """Whether the value needs smaller letters."""
        return len(self.value) > _LONG


def cards(board: Board) -> list[Card]:
    """Return the five cards, in the order of the product's description."""
    return [
        _mrr(board),
        _yesterday_mrr(board),
        *_revenue(board),
        _active(board),
    ]


def ratios(board: Board) -> list[Card]:
    """Return ARR, ARPA and the churn rates."""
    mrr, rates = board.mrr, board.metrics
    as_of, rated = formats.instant(mrr.as_of), formats.instant(rates.as_of)
    found = [
        Card("arr", "ARR", formats.money(mrr.arr, mrr.currency), as_of=as_of),
        Card(
            "arpa",
            "ARPA",
            formats.money(mrr.arpa, mrr.currency),
            note="a month per subscription",
            as_of=as_of,
        ),
    ]
    return [*found, *(_rate(board, key, rated) for key in _told_rates(board))]


def _told_rates(board: Board) -> list[str]:
    """Return the rates to show: all, or those that a channel's own figures tell."""
    if CHANNELS[board.integration.source].computed:
        return list(texts.RATES)
    days = [row for row in board.movements.rows if row.date < board.today]
    if any(row.churned is None or row.contraction is None for row in days):
        return []
    return [key for key in texts.RATES if getattr(board.metrics.rates, key) is not None]


def _rate(board: Board, key: str, as_of: str) -> Card:
    value, reason = getattr(board.metrics.rates, key), board.metrics.reasons.get(key)
    words = {NO_BASE: texts.NO_BASE, NOT_SPLIT: CAVEATS[NOT_SPLIT]}
    why = words.get(reason or "") or reason_words(reason or "COLLECTING")
    return Card(
        key,
        texts.RATES[key],
        formats.percent(value),
        note=why if value is None else f"in {RATE_DAYS} days",
        missing=value is None,
        as_of=as_of,
    )


def _mrr(board: Board) -> Card:
    mrr, currency = board.mrr, board.mrr.currency
    before = _movement(board, 1)
    return Card(
        "mrr",
        texts.MRR,
        formats.money(mrr.mrr, currency),
        delta=formats.money_delta(
            mrr.mrr, before.snapshot if before else None, currency, "vs yesterday"
        ),
        average=_money_average(board, lambda row: row.snapshot),
        note=_zero(board) or _why(mrr.mrr, mrr.reason),
        missing=mrr.mrr is None,
        fix=_mendable(mrr.reason),
        as_of=formats.instant(mrr.as_of),
    )


def _zero(board: Board) -> str:
    """Explain an MRR of zero that is one."""
    mrr = board.mrr
    if mrr.mrr == 0 and not mrr.active_subscriptions and mrr.complete:
        return "No active subscriptions"
    return ""


def _yesterday_mrr(board: Board) -> Card:
    """Return yesterday's snapshot and what moved it, or why there is none."""
    row, currency = _movement(board, 1), board.movements.currency
    as_of = formats.instant(board.movements.as_of)
    if row is None or row.net is None:
        reason = (row.reason if row else None) or board.why_unmoved
        return Card(
            "yesterday_mrr",
            texts.YESTERDAY_MRR,
            NONE,
            note=_pending(board, reason),
            missing=True,
            fix=_mendable(reason),
            as_of=as_of,
        )
    before = None if row.snapshot is None else row.snapshot - row.net - (row.fx or 0)
    return Card(
        "yesterday_mrr",
        texts.YESTERDAY_MRR,
        formats.money(row.snapshot, currency),
        delta=formats.money_delta(row.snapshot, before, currency, "vs the day before"),
        average=_movement_average(board),
        note=_why(row.snapshot, row.reason),
        as_of=as_of,
        href=f"{_yesterday(board)}#movements",
    )


def _pending(board: Board, reason: str) -> str:
    """Say why yesterday has no movement, and when the next collection is due."""
    due = board.integration.next_collection_at
    if reason != "CRON_PENDING":
        return reason_words(reason)
    words = "The MRR movement cron has not run yet (runs once per day)"
    return words if due is None else f"{words}. Next: {formats.instant(due)}"


def _revenue(board: Board) -> list[Card]:
    """Return Net Revenue and Charges of the period."""
    now = revenue_totals(within(board.daily.rows, board.period.days))
    closed, before = _compared(board)
    currency, against = board.daily.currency, _against(board)
    as_of = formats.instant(board.daily.as_of)
    return [
        Card(
            "net_revenue",
            texts.NET_REVENUE,
            formats.money(now.net_revenue, currency),
            delta=formats.money_delta(
                closed.net_revenue, before.net_revenue, currency, against
            ),
            average=_revenue_average(board, "net_revenue"),
            note=_reasons(board, now, "charges minus refunds"),
            missing=now.net_revenue is None,
            as_of=as_of,
        ),
        Card(
            "charges",
            texts.label(board.integration.source, "charges"),
            formats.count(now.charges_count),
            delta=formats.count_delta(
                closed.charges_count, before.charges_count, against
            ),
            average=_revenue_average(board, "charges_count"),
            note=_reasons(board, now, _beside(now)),
            missing=now.charges_count is None,
            as_of=as_of,
        ),
    ]


def _compared(board: Board) -> tuple[RevenueTotals, RevenueTotals]:
    """Return the sums of the period and of the one before, where both are whole.

    Today is not over, so neither it nor its counterpart is part of them.
    """
    days, before = board.period.days, board.period.before
    if before is None:
        return RevenueTotals(), RevenueTotals()
    cut = _ONE if days.last == board.today else timedelta()
    sums = [
        revenue_totals(within(board.daily.rows, DayRange(one.first, one.last - cut)))
        for one in (days, before)
    ]
    if any(one.reasons for one in sums):
        return RevenueTotals(), RevenueTotals()
    return sums[0], sums[1]


def _against(board: Board) -> str:
    length = len(board.period.days)
    return "vs the day before" if length == 1 else f"vs {length} days before"


def _beside(now: RevenueTotals) -> str:
    """Return what happened beside the charges."""
    refunds, failed = now.refunds_count, now.failed_payments
    if refunds is None and failed is None:
        return ""
    noun = "refund" if refunds == 1 else "refunds"
    return f"{formats.count(refunds)} {noun} · {formats.count(failed)} failed"


def _active(board: Board) -> Card:
    mrr = board.mrr
    by_day = {one.date: one.subscriptions for one in board.active}
    average = week_average(by_day, board.today)
    return Card(
        "active",
        texts.ACTIVE,
        formats.count(mrr.active_subscriptions),
        delta=formats.count_delta(
            mrr.active_subscriptions, by_day.get(board.today - _ONE), "vs yesterday"
        ),
        average="" if average is None else f"7-day average {formats.count(average)}",
        note=_why(mrr.active_subscriptions, mrr.reason) or "with MRR above zero",
        missing=mrr.active_subscriptions is None,
        fix=_mendable(mrr.reason),
        as_of=formats.instant(mrr.as_of),
    )


def _movement(board: Board, back: int) -> MovementRow | None:
    """Return the movements of the day `back` days ago."""
    day = board.today - back * _ONE
    return next((row for row in board.movements.rows if row.date == day), None)


def _yesterday(board: Board) -> str:
    day = board.today - _ONE
    return f"/dashboard/revenue/{board.integration.source}/{day.isoformat()}"


def _money_average(board: Board, of: Callable[[MovementRow], int | None]) -> str:
    values = {row.date: of(row) for row in board.movements.rows}
    average = week_average(values, board.today)
    if average is None:
        return ""
    return f"7-day average {formats.money(average, board.movements.currency)}"


def _movement_average(board: Board) -> str:
    """Return the week's mean of what moved a day."""
    values = {row.date: row.net for row in board.movements.rows}
    average = week_average(values, board.today)
    if average is None:
        return ""
    words = formats.signed(average, board.movements.currency)
    return f"7-day average movement {words}"


def _revenue_average(board: Board, field: str) -> str:
    values = {row.date: getattr(row, field) for row in board.daily.rows}
    average = week_average(values, board.today)
    if average is None:
        return ""
    words = (
        formats.money(average, board.daily.currency)
        if field == "net_revenue"
        else formats.count(average)
    )
    return f"7-day average {words}"


def _reasons(board: Board, totals: RevenueTotals, words: str) -> str:
    """Return the words, or why the sum is not complete."""
    if totals.net_revenue is not None and totals.reasons == (SO_FAR,):
        return "today so far" if len(board.period.days) == 1 else "with today so far"
    reasons = "; ".join(reason_words(one) for one in totals.reasons)
    if totals.net_revenue is None:
        return reasons
    return f"incomplete: {reasons.removeprefix('incomplete: ')}" if reasons else words


def _why(value: int | None, reason: str | None) -> str:
    """Return the reason of a value that is missing or incomplete."""
    if reason is None:
        return ""
    words = reason_words(reason)
    return (
        words if value is None else f"incomplete: {words.removeprefix('incomplete: ')}"
    )


def _mendable(reason: str | None) -> bool:
    return reason is not None and reason.endswith("_PERMISSION")
