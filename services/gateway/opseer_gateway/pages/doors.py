"""What the pages of a signed-in user share: who asks, and how a form is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from opseer_common.errors import RefusedError
from opseer_gateway.domain.refusals import not_found
from opseer_gateway.domain.visitors import Visitor
from opseer_gateway.pages.frame import Frames
from opseer_gateway.pages.rendering import Renderer
from opseer_gateway.web.origins import Origins
from opseer_gateway.web.problems import Handler
from opseer_gateway.web.sessions import Sessions

Fields = Mapping[str, str]
Filled = Callable[[web.Request, Visitor, Fields], Awaitable[web.StreamResponse]]
"""Answers a form that was filled in."""
Refused = Callable[[web.Request, Visitor, RefusedError], Awaitable[web.StreamResponse]]
"""Shows the page of a form again, with what was wrong."""


@dataclass(frozen=True, slots=True)
class Doors:
    """What a page knows of whoever asks."""

    sessions: Sessions
    origins: Origins
    renderer: Renderer
    frames: Frames

    def form(self, filled: Filled, refused: Refused) -> Handler:
        """Return the handler of one form of a signed-in user."""

        async def handle(request: web.Request) -> web.StreamResponse:
            visitor = await self.sessions.visitor(request)
            fields = await self.renderer.form(request)
            try:
                return await filled(request, visitor, fields)
            except RefusedError as error:
                return await refused(request, visitor, error)

        return self.renderer.shown(handle)


def id_of(text: str) -> UUID:
    """Return an id. RefusedError(NOT_FOUND) for what is none."""
    try:
        return UUID(text)
    except ValueError:
        raise not_found() from None
