"""Routes for what stands behind the figures."""

from __future__ import annotations

from aiohttp import web

from opseer_gateway.actions.details import Details
from opseer_gateway.api.figures import asked_grain, asked_source
from opseer_gateway.domain.entries import DayEntries
from opseer_gateway.domain.movement_changes import DayChanges
from opseer_gateway.domain.plans import Plans
from opseer_gateway.web.routes import Route, answer
from opseer_gateway.web.sessions import Sessions

_BASE = "/api/v1"


class DetailRoutes:
    """The handlers."""

    def __init__(self, details: Details, sessions: Sessions) -> None:
        """Take the parts that app.py made."""
        self._details = details
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        return [
            Route(
                "GET",
                f"{_BASE}/revenue/daily/{{date}}/entries",
                self._entries,
                "The balance transactions, failed charges and disputes behind a day, "
                "newest first, `limit` (1 to 100, 50 by default) at once",
                answers=DayEntries,
                query=("source", "limit", "cursor"),
                refuses=("SOURCE_NOT_SUPPORTED",),
            ),
            Route(
                "GET",
                f"{_BASE}/mrr/movements/{{date}}/changes",
                self._changes,
                "The subscriptions behind a day of MRR movements",
                answers=DayChanges,
                query=("source", "grain"),
                refuses=("SOURCE_NOT_SUPPORTED",),
            ),
            Route(
                "GET",
                f"{_BASE}/mrr/plans",
                self._plans,
                "MRR, subscriptions and share (parts per ten thousand) per plan",
                answers=Plans,
                query=("source",),
                refuses=("SOURCE_NOT_SUPPORTED",),
            ),
        ]

    async def _entries(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        found = await self._details.entries(
            visitor.account_id,
            asked_source(request),
            request.match_info["date"],
            request.query.get("limit"),
            request.query.get("cursor"),
        )
        return answer(found)

    async def _changes(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        found = await self._details.changes(
            visitor.account_id,
            asked_source(request),
            request.match_info["date"],
            asked_grain(request),
        )
        return answer(found)

    async def _plans(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        source = asked_source(request)
        return answer(await self._details.plans(visitor.account_id, source))
