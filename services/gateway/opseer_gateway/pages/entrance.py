"""The pages before the dashboard: set up, sign in, sign out."""

from __future__ import annotations

from aiohttp import web

from opseer_common.errors import RefusedError
from opseer_gateway.actions.accounts import Entrance
from opseer_gateway.pages.rendering import Renderer, see
from opseer_gateway.web.origins import Origins
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions


class EntrancePages:
    """The handlers."""

    def __init__(
        self,
        entrance: Entrance,
        sessions: Sessions,
        origins: Origins,
        renderer: Renderer,
    ) -> None:
        """Take the parts that app.py made."""
        self._entrance = entrance
        self._sessions = sessions
        self._origins = origins
        self._renderer = renderer

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        table = [
            ("GET", "/", self._front, "The front door"),
            ("GET", "/setup", self._setup, "Make the first account"),
            ("POST", "/setup", self._set_up, "Make the first account"),
            ("GET", "/login", self._login, "Sign in"),
            ("POST", "/login", self._log_in, "Sign in"),
            ("POST", "/logout", self._log_out, "Sign out"),
            ("GET", "/sign-in/{token}", self._link, "Sign in once"),
            ("POST", "/sign-in/{token}", self._use_link, "Sign in once"),
        ]
        shown = self._renderer.shown
        return [
            Route(method, path, shown(handle), summary, public=True)
            for method, path, handle, summary in table
        ]

    async def _front(self, _: web.Request) -> web.Response:
        return see("/setup" if await self._entrance.is_new() else "/dashboard")

    async def _setup(self, request: web.Request) -> web.Response:
        return self._renderer.page(
            request, "setup", code=request.query.get("code", ""), email=""
        )

    async def _set_up(self, request: web.Request) -> web.Response:
        fields = await self._renderer.form(request)
        email, password = fields.get("email", ""), fields.get("password", "")
        ip = self._origins.client_ip(request)
        try:
            _, token = await self._entrance.sign_up(
                fields.get("setup_code", "").strip(), email, password, ip
            )
        except RefusedError as error:
            return self._renderer.page(
                request, "setup", error=error, code="", email=email
            )
        _, session = await self._entrance.sign_in(email, password, ip)
        done = self._renderer.page(request, "welcome", token=token)
        self._sessions.enter(done, session)
        return done

    async def _login(self, request: web.Request) -> web.Response:
        if await self._entrance.is_new() and not request.cookies:
            return see("/setup")
        return self._renderer.page(request, "login", email="")

    async def _log_in(self, request: web.Request) -> web.Response:
        fields = await self._renderer.form(request)
        email = fields.get("email", "")
        try:
            _, session = await self._entrance.sign_in(
                email, fields.get("password", ""), self._origins.client_ip(request)
            )
        except RefusedError as error:
            return self._renderer.page(request, "login", error=error, email=email)
        return await self._entered(request, session)

    async def _log_out(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        await self._renderer.form(request)
        await self._entrance.sign_out(visitor)
        left = see("/login")
        self._sessions.leave(left)
        return left

    async def _link(self, request: web.Request) -> web.Response:
        """Show a button: a link that is only looked at is not used up."""
        return self._renderer.page(request, "sign_in", path=request.path)

    async def _use_link(self, request: web.Request) -> web.Response:
        await self._renderer.form(request)
        token = request.match_info["token"]
        return await self._entered(request, await self._entrance.sign_in_by_link(token))

    async def _entered(self, request: web.Request, session: str) -> web.Response:
        """Return the way to the dashboard with a new session; the old one ends."""
        await self._entrance.leave(self._sessions.token(request))
        entered = see("/dashboard")
        self._sessions.enter(entered, session)
        return entered
