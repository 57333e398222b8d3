"""Routes for users, invitations and projects."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from aiohttp import web

from opseer_common.contracts import Source
from opseer_gateway.actions.people import People
from opseer_gateway.actions.reading import Reading
from opseer_gateway.api.accounts import LoginAnswer
from opseer_gateway.domain.people import AppUser, Invitation, Project
from opseer_gateway.domain.visitors import Role, Visitor
from opseer_gateway.web.bodies import read_json
from opseer_gateway.web.ids import id_of
from opseer_gateway.web.origins import Origins
from opseer_gateway.web.routes import Route, answer
from opseer_gateway.web.sessions import Sessions

_NAMING: Final = ("OWNER_REQUIRED", "INVALID_NAME", "NAME_TAKEN")


class Users(msgspec.Struct, frozen=True):
    """Who signs in to the account."""

    users: list[AppUser]


class InvitationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Invites somebody. A member reads, an owner changes everything."""

    email: str
    role: Role = "member"


class NewInvitation(msgspec.Struct, frozen=True):
    """An invitation. Its link works once and is shown this once."""

    invitation_id: UUID
    email: str
    role: Role
    expires_at: datetime
    link: str


class Invitations(msgspec.Struct, frozen=True):
    """The invitations that wait."""

    invitations: list[Invitation]


class AcceptRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Takes an invitation; `token` is the last part of its link."""

    token: str
    password: str


class ProjectRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a project."""

    name: str


class ProjectRow(msgspec.Struct, frozen=True):
    """A project with the account's connections, which it sees."""

    project_id: UUID
    name: str
    created_at: datetime
    sources: list[Source]


class Projects(msgspec.Struct, frozen=True):
    """The account's projects, oldest first."""

    projects: list[ProjectRow]


class PeopleRoutes:
    """The handlers."""

    def __init__(
        self, people: People, reading: Reading, sessions: Sessions, origins: Origins
    ) -> None:
        """Take the parts that app.py made."""
        self._people = people
        self._reading = reading
        self._sessions = sessions
        self._origins = origins

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        return [*self._user_routes(), *self._project_routes()]

    def _user_routes(self) -> list[Route]:
        users, invitations = "/api/v1/users", "/api/v1/invitations"
        return [
            Route("GET", users, self._users, "List the users", answers=Users),
            Route(
                "DELETE",
                f"{users}/{{user_id}}",
                self._remove_user,
                "Remove a user",
                status=204,
                refuses=("OWNER_REQUIRED", "LAST_OWNER"),
            ),
            Route(
                "POST",
                invitations,
                self._invite,
                "Invite a user by a one-time link",
                takes=InvitationRequest,
                answers=NewInvitation,
                status=201,
                refuses=("OWNER_REQUIRED", "INVALID_EMAIL", "EMAIL_TAKEN"),
            ),
            Route(
                "GET",
                invitations,
                self._invitations,
                "List the invitations that wait",
                answers=Invitations,
            ),
            Route(
                "DELETE",
                f"{invitations}/{{invitation_id}}",
                self._withdraw,
                "Withdraw an invitation",
                status=204,
                refuses=("OWNER_REQUIRED",),
            ),
            Route(
                "POST",
                f"{invitations}/accept",
                self._accept,
                "Become a user by an invitation",
                takes=AcceptRequest,
                answers=LoginAnswer,
                status=201,
                public=True,
                refuses=("NOT_FOUND", "INVALID_PASSWORD", "EMAIL_TAKEN", "BUSY"),
            ),
        ]

    def _project_routes(self) -> list[Route]:
        base = "/api/v1/projects"
        return [
            Route("GET", base, self._projects, "List the projects", answers=Projects),
            Route(
                "POST",
                base,
                self._add_project,
                "Make a project",
                takes=ProjectRequest,
                answers=ProjectRow,
                status=201,
                refuses=_NAMING,
            ),
            Route(
                "PATCH",
                f"{base}/{{project_id}}",
                self._rename_project,
                "Rename a project",
                takes=ProjectRequest,
                answers=ProjectRow,
                refuses=_NAMING,
            ),
        ]

    async def _users(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        return answer(Users(await self._people.users(visitor)))

    async def _remove_user(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        await self._people.remove_user(visitor, id_of(request, "user_id"))
        return web.Response(status=204)

    async def _invite(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        body = await read_json(request, InvitationRequest)
        made, token = await self._people.invite(visitor, body.email, body.role)
        link = f"{self._origins.address(request)}/invite/{token}"
        shown = NewInvitation(
            made.invitation_id, made.email, made.role, made.expires_at, link
        )
        return answer(shown, 201)

    async def _invitations(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        return answer(Invitations(await self._people.invitations(visitor)))

    async def _withdraw(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        await self._people.withdraw(visitor, id_of(request, "invitation_id"))
        return web.Response(status=204)

    async def _accept(self, request: web.Request) -> web.Response:
        body = await read_json(request, AcceptRequest, raw=("password",))
        account_id, session = await self._people.accept(body.token, body.password)
        entered = answer(LoginAnswer(account_id), 201)
        self._sessions.enter(entered, session)
        return entered

    async def _projects(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        projects = await self._people.projects(visitor)
        sources = await self._sources(visitor)
        return answer(Projects([_row(project, sources) for project in projects]))

    async def _add_project(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        body = await read_json(request, ProjectRequest)
        project = await self._people.add_project(visitor, body.name)
        return answer(_row(project, await self._sources(visitor)), 201)

    async def _rename_project(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        project_id = id_of(request, "project_id")
        body = await read_json(request, ProjectRequest)
        project = await self._people.rename_project(visitor, project_id, body.name)
        return answer(_row(project, await self._sources(visitor)))

    async def _sources(self, visitor: Visitor) -> list[Source]:
        """Return what the account has connected."""
        rows = await self._reading.integrations(visitor.account_id)
        return [row.source for row in rows if row.state != "disconnected"]


def _row(project: Project, sources: list[Source]) -> ProjectRow:
    """Return a project as the API shows it."""
    return ProjectRow(project.project_id, project.name, project.created_at, sources)
