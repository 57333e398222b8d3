"""The dashboard: Stripe's figures, and the card that connects it."""

from __future__ import annotations

from aiohttp import web

from opseer_common.contracts import Source
from opseer_common.errors import RefusedError
from opseer_gateway.actions.connections import Connections
from opseer_gateway.actions.reading import Reading
from opseer_gateway.domain.visitors import Visitor
from opseer_gateway.pages import view
from opseer_gateway.pages.rendering import Renderer, see
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions

_SOURCE: Source = "stripe"


class DashboardPages:
    """The handlers."""

    def __init__(
        self,
        connections: Connections,
        reading: Reading,
        sessions: Sessions,
        renderer: Renderer,
    ) -> None:
        """Take the parts that app.py made."""
        self._connections = connections
        self._reading = reading
        self._sessions = sessions
        self._renderer = renderer

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        table = [
            ("GET", "/dashboard", self._show, "The dashboard"),
            ("POST", "/dashboard/stripe/connect", self._connect, "Connect Stripe"),
            ("POST", "/dashboard/stripe/refresh", self._refresh, "Refresh Stripe"),
            (
                "POST",
                "/dashboard/stripe/disconnect",
                self._disconnect,
                "Disconnect Stripe",
            ),
        ]
        shown = self._renderer.shown
        return [
            Route(method, path, shown(handle), summary)
            for method, path, handle, summary in table
        ]

    async def _show(self, request: web.Request) -> web.Response:
        return await self._page(request, await self._sessions.visitor(request))

    async def _connect(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        fields = await self._renderer.form(request)
        try:
            await self._connections.connect(
                visitor,
                _SOURCE,
                fields.get("api_key", ""),
                replace=fields.get("replace") == "yes",
            )
        except RefusedError as error:
            return await self._page(request, visitor, error)
        return see("/dashboard")

    async def _refresh(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        await self._renderer.form(request)
        await self._connections.refresh(visitor, _SOURCE)
        return see("/dashboard")

    async def _disconnect(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        await self._renderer.form(request)
        await self._connections.disconnect(visitor, _SOURCE)
        return see("/dashboard")

    async def _page(
        self,
        request: web.Request,
        visitor: Visitor,
        error: RefusedError | None = None,
    ) -> web.Response:
        """Return the dashboard; `error` is shown under the key's field."""
        found = await self._reading.overview(visitor.account_id, _SOURCE)
        integration = found.integration
        return self._renderer.page(
            request,
            "dashboard",
            error=error,
            banner=view.banner(integration, visitor),
            integration=integration,
            state=view.state(integration),
            progress=view.progress(integration),
            missing=view.missing(integration),
            cards=view.cards(found),
            columns=view.COLUMNS,
            lines=view.lines(found),
        )
