"""The page of a day: what stands behind its figures."""

from __future__ import annotations

from aiohttp import web

from opseer_gateway.actions.details import Details
from opseer_gateway.domain.integrations import SOURCE_NAMES
from opseer_gateway.pages import formats
from opseer_gateway.pages.frame import Frames
from opseer_gateway.pages.rendering import Renderer, see
from opseer_gateway.pages.revenue import day_view
from opseer_gateway.pages.revenue.page import source_of
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions


class DayPages:
    """The handlers."""

    def __init__(
        self,
        details: Details,
        sessions: Sessions,
        renderer: Renderer,
        frames: Frames,
    ) -> None:
        """Take the parts that app.py made."""
        self._details = details
        self._sessions = sessions
        self._renderer = renderer
        self._frames = frames

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        shown = self._renderer.shown
        path = "/dashboard/revenue/{source}/{date}"
        return [
            Route("GET", path, shown(self._show), "What is behind a day"),
            Route(
                "GET", "/dashboard/days/{date}", shown(self._moved), "A day of Stripe"
            ),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        source = source_of(request)
        found = await self._details.day(
            visitor.account_id,
            source,
            request.match_info["date"],
            request.query.get("cursor"),
        )
        of = found.entries.date
        return self._renderer.page(
            request,
            "day",
            frame=await self._frames.of(visitor, source),
            source=source,
            name=SOURCE_NAMES[source],
            day=of.isoformat(),
            words=formats.long_day(of),
            timezone=found.entries.timezone,
            neighbours=day_view.neighbours(of, found.today),
            revenue=day_view.revenue_cards(found),
            entries_note=day_view.entries_note(found.entries),
            entries=day_view.entry_lines(found.entries),
            older=found.entries.next_cursor,
            entries_as_of=formats.instant(found.entries.as_of),
            movement=day_view.movement_cards(found),
            changes_note=day_view.changes_note(found),
            changes=day_view.change_cards(found.changes),
            changes_as_of=formats.instant(found.changes.as_of),
        )

    async def _moved(self, request: web.Request) -> web.Response:
        return see(f"/dashboard/revenue/stripe/{request.match_info['date']}")
