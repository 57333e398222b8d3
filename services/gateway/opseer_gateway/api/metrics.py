"""The route for Prometheus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from opseer_gateway.web.metrics import Metrics
from opseer_gateway.web.origins import Origins
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions


class MetricsRoute:
    """Open to this machine; anybody else needs a token."""

    def __init__(
        self,
        metrics: Metrics,
        measured: Callable[[], Awaitable[dict[str, int]]],
        origins: Origins,
        sessions: Sessions,
    ) -> None:
        """Show `metrics`, and what is `measured` when they are asked for."""
        self._metrics = metrics
        self._measured = measured
        self._origins = origins
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the route."""
        summary = "Figures for Prometheus; from another machine with a token"
        return [
            Route(
                "GET",
                "/metrics",
                self._show,
                summary,
                public=True,
                forms=("text",),
                refuses=("UNAUTHENTICATED",),
            )
        ]

    async def _show(self, request: web.Request) -> web.Response:
        if not self._origins.is_this_machine(request):
            await self._sessions.visitor(request)
        text = self._metrics.text(await self._measured())
        return web.Response(body=text, content_type="text/plain", charset="utf-8")
