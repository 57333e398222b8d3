"""MRR over twelve months: estimated from invoices before the exact days begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from aiohttp import web

from opseer_common.days import DayRange
from opseer_common.money import exponent
from opseer_common.rendering import reason_words
from opseer_gateway.actions.reading import Reading
from opseer_gateway.actions.trends import Trends
from opseer_gateway.domain.figures import MovementRow
from opseer_gateway.domain.history import EstimatedRow, History, check_source
from opseer_gateway.domain.integrations import SOURCE_NAMES
from opseer_gateway.pages import formats
from opseer_gateway.pages.frame import Frames
from opseer_gateway.pages.rendering import Renderer, see
from opseer_gateway.pages.revenue.page import source_of
from opseer_gateway.pages.revenue.states import progress_words
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions

_YEAR: Final = timedelta(days=365)
_ASKED: Final = "asked"


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the table in words; `is_estimated` where it is not an exact one."""

    day: str
    words: str
    snapshot: str
    net: str
    is_estimated: bool


class HistoryPages:
    """The handlers."""

    def __init__(
        self,
        trends: Trends,
        reading: Reading,
        sessions: Sessions,
        renderer: Renderer,
        frames: Frames,
    ) -> None:
        """Take the parts that app.py made."""
        self._trends = trends
        self._reading = reading
        self._sessions = sessions
        self._renderer = renderer
        self._frames = frames

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        shown, path = self._renderer.shown, "/dashboard/revenue/{source}/history"
        return [
            Route("GET", path, shown(self._show), "MRR over twelve months"),
            Route("POST", path, shown(self._ask), "Estimate older history"),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        source = source_of(request)
        check_source(source)
        found = await self._trends.history(visitor.account_id, source)
        moved = await self._reading.movements(
            visitor.account_id, source, None, None, "subscription"
        )
        if moved.rows:
            today = moved.rows[-1].date
            moved = await self._reading.movements(
                visitor.account_id,
                source,
                max(found.exact_from or today, today - _YEAR).isoformat(),
                None,
                "subscription",
            )
        exact = [row for row in moved.rows if row.snapshot is not None]
        progress = found.run and found.run.progress
        return self._renderer.page(
            request,
            "history",
            frame=await self._frames.of(visitor, source),
            source=source,
            name=SOURCE_NAMES[source],
            waits=progress is not None
            or (_ASKED in request.query and found.run is None),
            progress=progress,
            progress_words=progress and progress_words(progress),
            note=note(found),
            accuracy=accuracy(found),
            figures=figures(found, exact, moved.currency),
            words=words(found, exact),
            lines=lines(found, exact),
            as_of=formats.instant(found.as_of),
        )

    async def _ask(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        await self._renderer.form(request)
        source = source_of(request)
        await self._trends.ask_history(visitor, source)
        return see(f"/dashboard/revenue/{source}/history?{_ASKED}=1")


def note(found: History) -> str:
    """Say which days are estimated, or why none are."""
    if found.rows and found.exact_from is not None:
        before = formats.days(found.exact_from, found.exact_from)
        return f"estimated before {before}, exact since"
    if found.rows:
        return "estimated"
    if found.reason == "BEFORE_HISTORY":
        return "Older history was not estimated yet."
    return reason_words(found.reason or "COLLECTING")


def accuracy(found: History) -> str:
    """Say by how much the estimate is off where both are known; empty if nowhere."""
    checked = found.checked
    if checked is None:
        return ""
    off = formats.money(checked.largest_difference, found.currency)
    return (
        f"On {formats.count(checked.days)} days that are known exactly, too, the "
        f"estimate is off by {off} of {formats.money(checked.of, found.currency)} at "
        "most."
    )


def recent(found: History, exact: Sequence[MovementRow]) -> list[EstimatedRow]:
    """Return the estimated days of the year that ends with the newest day."""
    known: list[date] = [row.date for row in exact]
    known += [row.date for row in found.rows]
    oldest = max(known, default=date.min + _YEAR) - _YEAR
    return [row for row in found.rows if row.date >= oldest]


def figures(
    found: History, exact: Sequence[MovementRow], currency: str | None
) -> Mapping[str, Any] | None:
    """Return the series that the chart draws: exact and estimated ones apart.

    None without any estimate.
    """
    guessed = {row.date: row for row in recent(found, exact)}
    known = {row.date: row for row in exact}
    of = found.currency or currency
    if not guessed or of is None:
        return None
    days = list(DayRange(min(guessed), max([*guessed, *known])))
    nets: dict[date, int | None] = {day: row.net for day, row in guessed.items()}
    nets |= {day: row.net for day, row in known.items()}
    return {
        "source": found.source,
        "currency": of.upper(),
        "digits": exponent(of),
        "days": [day.isoformat() for day in days],
        "mrr": [known[day].snapshot if day in known else None for day in days],
        "estimated": [
            guessed[day].snapshot if day in guessed else None for day in days
        ],
        "series": {"net": [nets.get(day) for day in days]},
        "unmoved": ["not known"] * len(days),
    }


def words(found: History, exact: Sequence[MovementRow]) -> str:
    """Say where MRR went, and which part of it is estimated."""
    rows = recent(found, exact)
    if not rows:
        return "MRR Trend: no older history."
    end = exact[-1].snapshot if exact else rows[-1].snapshot
    return (
        f"MRR: from an estimated {formats.money(rows[0].snapshot, found.currency)} on "
        f"{formats.days(rows[0].date, rows[0].date)} to "
        f"{formats.money(end, found.currency)} now; {note(found)}."
    )


def lines(found: History, exact: Sequence[MovementRow]) -> list[Day]:
    """Return the days, the newest first."""
    currency = found.currency
    rows: list[tuple[EstimatedRow | MovementRow, bool]] = [
        (row, True) for row in recent(found, exact)
    ]
    rows += [(row, False) for row in exact if found.rows]
    return [
        Day(
            day=row.date.isoformat(),
            words=formats.days(row.date, row.date),
            snapshot=formats.money(row.snapshot, currency),
            net=formats.signed(row.net, currency),
            is_estimated=is_estimated,
        )
        for row, is_estimated in reversed(rows)
    ]
