"""The page of a day: what stands behind its figures."""

from __future__ import annotations

from aiohttp import web

from opseer_common.contracts import Source
from opseer_gateway.actions.details import Details
from opseer_gateway.pages import day_view, view
from opseer_gateway.pages.rendering import Renderer
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions

_SOURCE: Source = "stripe"


class DayPages:
    """The handlers."""

    def __init__(
        self, details: Details, sessions: Sessions, renderer: Renderer
    ) -> None:
        """Take the parts that app.py made."""
        self._details = details
        self._sessions = sessions
        self._renderer = renderer

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        handle = self._renderer.shown(self._show)
        return [Route("GET", "/dashboard/days/{date}", handle, "What is behind a day")]

    async def _show(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        found = await self._details.day(
            visitor.account_id,
            _SOURCE,
            request.match_info["date"],
            request.query.get("cursor"),
        )
        return self._renderer.page(
            request,
            "day",
            banner=view.banner(found.integration, visitor),
            day=found.entries.date.isoformat(),
            timezone=found.entries.timezone,
            neighbours=day_view.neighbours(found.entries.date, found.today),
            revenue=day_view.revenue_cards(found),
            columns=day_view.ENTRY_COLUMNS,
            entries_note=day_view.entries_note(found.entries),
            entries=day_view.entry_lines(found.entries),
            older=found.entries.next_cursor,
            movement=day_view.movement_cards(found),
            changes_note=day_view.changes_note(found),
            changes=day_view.change_cards(found.changes),
        )
