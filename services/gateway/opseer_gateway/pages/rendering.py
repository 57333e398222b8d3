"""Turning templates into answers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import jinja2
from aiohttp import web
from aiohttp.typedefs import Middleware

from opseer_common.errors import RefusedError
from opseer_gateway.domain.refusals import UNAUTHENTICATED, WaitError, not_found
from opseer_gateway.pages.assets import Assets
from opseer_gateway.pages.frame import Frame
from opseer_gateway.web.origins import FORM_TYPE
from opseer_gateway.web.problems import STATUS, Handler
from opseer_gateway.web.sessions import VISITOR, Sessions, form_token

_HERE: Final = Path(__file__).parent
_SEE_OTHER: Final = 303


class Renderer:
    """Renders pages with the token that their forms carry."""

    def __init__(self, sessions: Sessions, assets: Assets) -> None:
        """Read the templates."""
        self._sessions = sessions
        self._assets = assets
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(
        self,
        request: web.Request,
        name: str,
        /,
        *,
        frame: Frame | None = None,
        error: RefusedError | None = None,
        **values: object,
    ) -> web.Response:
        """Return the page `name`; with `error` it says so and has its status.

        Every page of a signed-in user has a `frame`.
        """
        visitor = request.get(VISITOR)
        seed = self._sessions.form_seed(request)
        text = self._templates.get_template(f"{name}.html").render(
            sheets=self._assets.sheets,
            script=self._assets.script,
            csrf=form_token(seed),
            frame=frame,
            project=visitor.project if visitor else None,
            error=error,
            **values,
        )
        status = 200 if error is None else STATUS.get(error.code, 422)
        answer = web.Response(
            text=text, status=status, content_type="text/html", charset="utf-8"
        )
        if isinstance(error, WaitError):
            answer.headers["Retry-After"] = str(error.retry_after)
        self._sessions.keep_form_seed(request, answer, seed)
        return answer

    async def form(self, request: web.Request) -> dict[str, str]:
        """Return the fields of a form of ours.

        RefusedError: UNSUPPORTED_MEDIA_TYPE, FORBIDDEN_ORIGIN without its token.
        """
        if request.content_type != FORM_TYPE:
            raise RefusedError("UNSUPPORTED_MEDIA_TYPE", "Send the page's own form.")
        try:
            sent = await request.post()
        except (ValueError, LookupError):
            raise RefusedError("BAD_REQUEST", "The form could not be read.") from None
        fields = {name: str(value) for name, value in sent.items()}
        self._sessions.check_form(request, fields.get("csrf", ""))
        return fields

    def shown(self, handle: Handler) -> Handler:
        """Return `handle` with refusals as pages and strangers sent to sign in."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                return await handle(request)
            except RefusedError as error:
                if error.code == UNAUTHENTICATED:
                    return see("/login")
                return self.page(request, "refused", error=error)

        return guarded

    @property
    def nowhere(self) -> Middleware:
        """The middleware that shows whoever browses to no address of ours a page.

        It is the page of what is not the visitor's: nobody can tell one from the other.
        """

        @web.middleware
        async def answered(
            request: web.Request, handler: Handler
        ) -> web.StreamResponse:
            try:
                return await handler(request)
            except web.HTTPNotFound:
                if not _browses(request):
                    raise
                return self.page(request, "refused", error=not_found())

        return answered


def _browses(request: web.Request) -> bool:
    """Tell a browser that opens a page from everything else."""
    return (
        request.method == "GET"
        and "text/html" in request.headers.get("Accept", "")
        and not request.path.startswith("/api/")
    )


def see(path: str) -> web.Response:
    """Send the browser to another page of ours."""
    return web.Response(status=_SEE_OTHER, headers={"Location": path})
