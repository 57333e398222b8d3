"""The account's page: channels, password, projects, people, API tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from opseer_common.errors import RefusedError
from opseer_gateway.actions.accounts import Entrance
from opseer_gateway.actions.people import People
from opseer_gateway.domain.visitors import Role, Scope, Visitor
from opseer_gateway.pages.account.channel_pages import Channels
from opseer_gateway.pages.doors import Doors, Fields, Refused, id_of
from opseer_gateway.pages.rendering import see
from opseer_gateway.web.problems import Handler
from opseer_gateway.web.routes import Route

_BASE: Final = "/dashboard/account"
_ROLES: Final[tuple[Role, ...]] = ("member", "owner")
_SCOPES: Final[tuple[Scope, ...]] = ("read", "write")


@dataclass(frozen=True, slots=True)
class Secret:
    """Something that is shown once."""

    words: str
    text: str


Change = Callable[[web.Request, Visitor, Fields], Awaitable[Secret | None]]
"""Does what a form asks for; returns what is shown once."""


class AccountPages:
    """The handlers."""

    def __init__(
        self, entrance: Entrance, people: People, channels: Channels, doors: Doors
    ) -> None:
        """Take the parts that app.py made."""
        self._entrance = entrance
        self._people = people
        self._channels = channels
        self._doors = doors

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        changes: list[tuple[str, str, Change, str]] = [
            ("projects/add", "projects", self._add_project, "Make a project"),
            ("projects/rename", "projects", self._rename_project, "Rename a project"),
            ("people/invite", "people", self._invite, "Invite a user"),
            ("people/withdraw", "people", self._withdraw, "Withdraw an invitation"),
            ("people/remove", "people", self._remove, "Remove a user"),
            ("tokens/add", "tokens", self._add_token, "Make an API token"),
            ("tokens/delete", "tokens", self._delete_token, "Delete an API token"),
        ]
        shown = self._doors.renderer.shown
        return [
            Route("GET", _BASE, shown(self._show), "The account"),
            Route(
                "POST",
                f"{_BASE}/password",
                self._doors.form(self._password, self._refused("password")),
                "Change the password",
            ),
            Route(
                "POST",
                f"{_BASE}/projects/choose",
                self._doors.form(self._choose, self._refused("projects")),
                "Look at another project",
            ),
            *(
                Route("POST", f"{_BASE}/{path}", self._changed(part, act), summary)
                for path, part, act, summary in changes
            ),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        visitor = await self._doors.sessions.visitor(request)
        return await self._page(request, visitor)

    def _changed(self, part: str, act: Change) -> Handler:
        """Return the handler of a form that leads back to its `part`."""

        async def filled(
            request: web.Request, visitor: Visitor, fields: Fields
        ) -> web.StreamResponse:
            secret = await act(request, visitor, fields)
            if secret is None:
                return see(f"{_BASE}#{part}")
            return await self._page(request, visitor, part, secret=secret)

        return self._doors.form(filled, self._refused(part))

    def _refused(self, part: str) -> Refused:
        """Return what shows a refusal in its `part`."""

        async def refused(
            request: web.Request, visitor: Visitor, error: RefusedError
        ) -> web.StreamResponse:
            return await self._page(request, visitor, part, error=error)

        return refused

    async def _password(
        self, _: web.Request, visitor: Visitor, fields: Fields
    ) -> web.Response:
        session = await self._entrance.change_password(
            visitor, fields.get("current_password", ""), fields.get("new_password", "")
        )
        changed = see(f"{_BASE}#password")
        self._doors.sessions.enter(changed, session)
        return changed

    async def _choose(
        self, _: web.Request, visitor: Visitor, fields: Fields
    ) -> web.Response:
        await self._people.choose(visitor, id_of(fields.get("project_id", "")))
        return see("/dashboard")

    async def _add_project(
        self, _: web.Request, visitor: Visitor, fields: Fields
    ) -> None:
        await self._people.add_project(visitor, fields.get("name", ""))

    async def _rename_project(
        self, _: web.Request, visitor: Visitor, fields: Fields
    ) -> None:
        await self._people.rename_project(
            visitor, id_of(fields.get("project_id", "")), fields.get("name", "")
        )

    async def _invite(
        self, request: web.Request, visitor: Visitor, fields: Fields
    ) -> Secret:
        role = next((r for r in _ROLES if r == fields.get("role")), _ROLES[0])
        made, token = await self._people.invite(visitor, fields.get("email", ""), role)
        link = f"{self._doors.origins.address(request)}/invite/{token}"
        return Secret(
            f"Send this link to {made.email}. It works once, for seven days, and is "
            "shown this once.",
            link,
        )

    async def _withdraw(self, _: web.Request, visitor: Visitor, fields: Fields) -> None:
        await self._people.withdraw(visitor, id_of(fields.get("invitation_id", "")))

    async def _remove(self, _: web.Request, visitor: Visitor, fields: Fields) -> None:
        await self._people.remove_user(visitor, id_of(fields.get("user_id", "")))

    async def _add_token(
        self, _: web.Request, visitor: Visitor, fields: Fields
    ) -> Secret:
        scope = next((s for s in _SCOPES if s == fields.get("scope")), _SCOPES[0])
        _added, token = await self._entrance.add_token(
            visitor, fields.get("name", ""), scope
        )
        return Secret("Your new API token. It is shown this once.", token)

    async def _delete_token(
        self, _: web.Request, visitor: Visitor, fields: Fields
    ) -> None:
        await self._entrance.delete_token(visitor, id_of(fields.get("token_id", "")))

    async def _page(
        self,
        request: web.Request,
        visitor: Visitor,
        part: str = "",
        *,
        error: RefusedError | None = None,
        secret: Secret | None = None,
    ) -> web.Response:
        """Return the page; `error` and `secret` stand in their `part`."""
        chosen, projects = await self._people.chosen(visitor)
        return self._doors.renderer.page(
            request,
            "account",
            error=error,
            part=part,
            secret=secret,
            frame=await self._doors.frames.of(visitor, "account"),
            channels=await self._channels.cards(visitor),
            is_owner=visitor.role == "owner",
            visitor=visitor,
            chosen=chosen,
            projects=projects,
            users=await self._people.users(visitor),
            invitations=await self._people.invitations(visitor),
            tokens=await self._entrance.tokens(visitor),
            back=_BASE,
        )


class InvitationPages:
    """The page that an invitation's link opens."""

    def __init__(self, people: People, doors: Doors) -> None:
        """Take the parts that app.py made."""
        self._people = people
        self._doors = doors

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        shown = self._doors.renderer.shown
        path, summary = "/invite/{token}", "Become a user by an invitation"
        return [
            Route("GET", path, shown(self._show), summary, public=True),
            Route("POST", path, shown(self._accept), summary, public=True),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        return await self._page(request)

    async def _accept(self, request: web.Request) -> web.Response:
        fields = await self._doors.renderer.form(request)
        token = request.match_info["token"]
        try:
            _, session = await self._people.accept(token, fields.get("password", ""))
        except RefusedError as error:
            return await self._page(request, error)
        entered = see("/dashboard")
        self._doors.sessions.enter(entered, session)
        return entered

    async def _page(
        self, request: web.Request, error: RefusedError | None = None
    ) -> web.Response:
        """Return the form; NOT_FOUND for a link that is not good any more."""
        email = await self._people.invited(request.match_info["token"])
        return self._doors.renderer.page(
            request, "invite", email=email, path=request.path, error=error
        )
