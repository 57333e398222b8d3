"""Routes about more than a day of MRR: rates, comparisons, older history."""

from __future__ import annotations

from aiohttp import web

from opseer_gateway.actions.trends import Trends
from opseer_gateway.api.figures import asked_grain, asked_source
from opseer_gateway.api.integrations import RunAnswer, source_of
from opseer_gateway.domain.history import History
from opseer_gateway.domain.metrics import Metrics
from opseer_gateway.domain.reconciliations import Reconciliations
from opseer_gateway.web.routes import Route, answer
from opseer_gateway.web.sessions import Sessions

_BASE = "/api/v1/mrr"


class TrendRoutes:
    """The handlers."""

    def __init__(self, trends: Trends, sessions: Sessions) -> None:
        """Take the parts that app.py made."""
        self._trends = trends
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        return [
            Route(
                "GET",
                f"{_BASE}/metrics",
                self._metrics,
                "Churn rates and the quick ratio of days (by default the last 29 that "
                "are over), in parts per ten thousand",
                answers=Metrics,
                query=("source", "from", "to", "grain"),
            ),
            Route(
                "GET",
                f"{_BASE}/reconciliations",
                self._reconciliations,
                "Carried MRR against recomputed MRR, per computation (by default of "
                "the last 90 days)",
                answers=Reconciliations,
                query=("source", "from", "to"),
            ),
            Route(
                "GET",
                f"{_BASE}/history",
                self._history,
                "MRR of the days before the exact ones, estimated from invoices",
                answers=History,
                query=("source",),
            ),
            Route(
                "POST",
                "/api/v1/integrations/{source}/history",
                self._ask_history,
                "Read older history in the background (twelve months of invoices)",
                answers=RunAnswer,
                status=202,
                refuses=("SOURCE_NOT_SUPPORTED", "NOT_CONNECTED"),
            ),
        ]

    async def _metrics(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        found = await self._trends.metrics(
            visitor.account_id,
            asked_source(request),
            request.query.get("from"),
            request.query.get("to"),
            asked_grain(request),
        )
        return answer(found)

    async def _reconciliations(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        found = await self._trends.reconciliations(
            visitor.account_id,
            asked_source(request),
            request.query.get("from"),
            request.query.get("to"),
        )
        return answer(found)

    async def _history(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        source = asked_source(request)
        return answer(await self._trends.history(visitor.account_id, source))

    async def _ask_history(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        run_id = await self._trends.ask_history(visitor, source_of(request))
        return answer(RunAnswer(run_id), 202)
