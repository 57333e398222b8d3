"""Turning templates into answers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import jinja2
from aiohttp import web

from opseer_common.errors import RefusedError
from opseer_gateway.domain.refusals import UNAUTHENTICATED, WaitError
from opseer_gateway.web.origins import FORM_TYPE
from opseer_gateway.web.problems import STATUS, Handler
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions, form_token

_HERE: Final = Path(__file__).parent
_CSS: Final = (_HERE / "static" / "opseer.css").read_bytes()
_CSS_PATH: Final = "/static/opseer.css"
_VERSION: Final = hashlib.sha256(_CSS).hexdigest()[:12]
_SEE_OTHER: Final = 303


class Renderer:
    """Renders pages with the token that their forms carry."""

    def __init__(self, sessions: Sessions) -> None:
        """Read the templates."""
        self._sessions = sessions
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
        *,
        error: RefusedError | None = None,
        **values: object,
    ) -> web.Response:
        """Return the page `name`; with `error` it says so and has its status."""
        seed = self._sessions.form_seed(request)
        text = self._templates.get_template(f"{name}.html").render(
            css=f"{_CSS_PATH}?v={_VERSION}",
            csrf=form_token(seed),
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


def see(path: str) -> web.Response:
    """Send the browser to another page of ours."""
    return web.Response(status=_SEE_OTHER, headers={"Location": path})


def stylesheet() -> Route:
    """Return the route of the one style sheet."""

    async def show(_: web.Request) -> web.Response:
        return web.Response(
            body=_CSS,
            content_type="text/css",
            charset="utf-8",
            headers={"Cache-Control": "public, max-age=86400"},
        )

    return Route("GET", _CSS_PATH, show, "The style sheet", public=True)
