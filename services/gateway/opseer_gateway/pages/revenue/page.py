"""The routes of the revenue pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from opseer_common.channels import CHANNELS
from opseer_common.contracts import Source
from opseer_gateway.actions.board import Board, Boards
from opseer_gateway.actions.connections import Connections
from opseer_gateway.domain.history import HISTORY_SOURCES
from opseer_gateway.domain.integrations import SOURCE_NAMES, SOURCES
from opseer_gateway.domain.periods import DEFAULT, PRESETS
from opseer_gateway.domain.refusals import not_found
from opseer_gateway.domain.windows import CACHE_DAYS, oldest_cached
from opseer_gateway.pages import formats
from opseer_gateway.pages.frame import frame_of
from opseer_gateway.pages.rendering import Renderer
from opseer_gateway.pages.revenue import (
    cards,
    charts,
    compare,
    customers,
    states,
    tables,
    texts,
)
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions


class RevenuePages:
    """The handlers."""

    def __init__(
        self,
        boards: Boards,
        connections: Connections,
        sessions: Sessions,
        renderer: Renderer,
    ) -> None:
        """Take the parts that app.py made."""
        self._boards = boards
        self._connections = connections
        self._sessions = sessions
        self._renderer = renderer

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        shown = self._renderer.shown
        path = "/dashboard/revenue/{source}"
        table = [
            ("GET", path, self._show, "A payment channel's figures"),
            ("GET", f"{path}/customers", self._search, "Search a customer"),
        ]
        return [
            Route(method, place, shown(handle), summary)
            for method, place, handle, summary in table
        ]

    async def _show(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        source = source_of(request)
        board = await self._boards.board(
            visitor.account_id,
            source,
            request.query.get("period"),
            request.query.get("from"),
            request.query.get("to"),
        )
        return self._renderer.page(
            request,
            "revenue",
            frame=frame_of(board.integrations, source, board.now),
            can_demo=visitor.role == "owner" and source in self._connections.demos,
            **_values(board),
        )

    async def _search(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        source = source_of(request)
        search = await self._boards.search(
            visitor.account_id, source, request.query.get("q", "")
        )
        return self._renderer.page(
            request,
            "customers",
            frame=frame_of(search.integrations, source, search.now),
            source=source,
            name=SOURCE_NAMES[source],
            text=search.text,
            note=customers.note(search),
            customers=customers.cards(search),
        )


def source_of(request: web.Request) -> Source:
    """Return the source in the path. NOT_FOUND for a word that is none."""
    for source in SOURCES:
        if source == request.match_info["source"]:
            return source
    raise not_found()


def _values(board: Board) -> Mapping[str, Any]:
    """Return everything that revenue.html shows."""
    row, days = board.integration, board.period.days
    figures = charts.figures(board)
    return {
        "source": row.source,
        "name": SOURCE_NAMES[row.source],
        "integration": row,
        "progress": row.progress and states.progress_words(row.progress),
        "stages": states.STAGES,
        "known_days": sum(
            row.net_revenue is not None and row.date < board.today
            for row in board.daily.rows
        ),
        "all_days": CACHE_DAYS,
        "notices": states.notices(board),
        "how": lambda key: texts.how(row.source, key),
        "has_history": row.source in HISTORY_SOURCES,
        "computed": CHANNELS[row.source].computed,
        "utc_days": CHANNELS[row.source].fixed_zone == "UTC",
        "presets": [(key, label) for key, label in PRESETS.items() if key != "custom"],
        "period": board.period.preset,
        "default_period": DEFAULT,
        "range": formats.days(days.first, days.last),
        "first": days.first.isoformat(),
        "last": days.last.isoformat(),
        "oldest": oldest_cached(board.today).isoformat(),
        "today": board.today.isoformat(),
        "query": urlencode(
            {"source": row.source, "from": days.first, "to": days.last, "format": "csv"}
        ),
        "cards": cards.cards(board),
        "ratios": cards.ratios(board),
        "figures": figures,
        "draw": _drawn(figures),
        "told": charts.told(figures),
        "words": {
            "trend": charts.trend_words(board),
            "waterfall": charts.waterfall_words(board),
            "revenue": charts.revenue_words(board),
        },
        "columns": _columns(board),
        "zeros": {"0", formats.NONE, formats.money(0, board.daily.currency)},
        "movements": texts.MOVEMENTS,
        "lines": tables.day_lines(board),
        "totals": tables.totals(board),
        "steps": tables.steps(board),
        "plans": tables.plan_lines(board),
        "plans_why": board.plans.reason,
        "differences": compare.differences(board),
        "mrr": board.mrr,
        "money": formats.money,
        "revenue_as_of": formats.instant(board.daily.as_of),
        "mrr_as_of": formats.instant(board.mrr.as_of),
        "movements_as_of": formats.instant(board.movements.as_of),
    }


def _columns(board: Board) -> list[tuple[int, str]]:
    """Return the table's columns and their places: those that the channel has."""
    total = tables.totals(board).revenue
    computed = CHANNELS[board.integration.source].computed
    labels = list(texts.REVENUE_COLUMNS)
    labels[1] = texts.label(board.integration.source, "charges")
    return [
        (place, label)
        for place, label in enumerate(labels)
        if computed or total[place] != formats.NONE
    ]


def _drawn(figures: Mapping[str, Any] | None) -> frozenset[str]:
    """Return which charts have something to draw."""
    if figures is None:
        return frozenset()
    found = {
        "trend": figures["mrr"],
        "revenue": figures["revenue"],
        "waterfall": figures["series"]["net"],
    }
    return frozenset(key for key, values in found.items() if charts.has_points(values))
