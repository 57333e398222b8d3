"""Routes for setting up, signing in and out, and API tokens."""

from __future__ import annotations

from uuid import UUID

import msgspec
from aiohttp import web

from opseer_gateway.actions.accounts import Entrance
from opseer_gateway.domain.visitors import ApiToken, Scope
from opseer_gateway.web.bodies import read_json
from opseer_gateway.web.ids import id_of
from opseer_gateway.web.origins import Origins
from opseer_gateway.web.routes import Route, answer
from opseer_gateway.web.sessions import Sessions


class SetupRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Makes the first account."""

    email: str
    password: str
    setup_code: str = ""


class SetupAnswer(msgspec.Struct, frozen=True):
    """The new account. `token` is an API token, shown this once."""

    account_id: UUID
    token: str


class LoginRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Signs in."""

    email: str
    password: str


class LoginAnswer(msgspec.Struct, frozen=True):
    """Whose user is signed in; the session is in the cookie."""

    account_id: UUID


class PasswordRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Changes the password; every other session ends."""

    current_password: str
    new_password: str


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Makes an API token. One with the scope `read` changes nothing."""

    name: str
    scope: Scope = "write"


class NewToken(msgspec.Struct, frozen=True):
    """An API token, shown this once."""

    token_id: UUID
    name: str
    hint: str
    scope: Scope
    token: str


class Tokens(msgspec.Struct, frozen=True):
    """The account's API tokens."""

    tokens: list[ApiToken]


class AccountRoutes:
    """The handlers."""

    def __init__(
        self, entrance: Entrance, sessions: Sessions, origins: Origins
    ) -> None:
        """Take the parts that app.py made."""
        self._entrance = entrance
        self._sessions = sessions
        self._origins = origins

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        base = "/api/v1"
        return [
            Route(
                "POST",
                f"{base}/setup",
                self._setup,
                "Make the first account",
                takes=SetupRequest,
                answers=SetupAnswer,
                status=201,
                public=True,
                refuses=(
                    "INVALID_SETUP_CODE",
                    "SIGNUP_CLOSED",
                    "INVALID_EMAIL",
                    "INVALID_PASSWORD",
                    "EMAIL_TAKEN",
                    "RATE_LIMITED",
                    "BUSY",
                ),
            ),
            Route(
                "POST",
                f"{base}/auth/login",
                self._login,
                "Sign in",
                takes=LoginRequest,
                answers=LoginAnswer,
                public=True,
                refuses=("INVALID_CREDENTIALS", "RATE_LIMITED", "BUSY"),
            ),
            Route("POST", f"{base}/auth/logout", self._logout, "Sign out", status=204),
            Route(
                "POST",
                f"{base}/auth/password",
                self._password,
                "Change the password",
                takes=PasswordRequest,
                status=204,
                refuses=(
                    "SESSION_REQUIRED",
                    "WRONG_PASSWORD",
                    "INVALID_PASSWORD",
                    "RATE_LIMITED",
                    "BUSY",
                ),
            ),
            Route(
                "POST",
                f"{base}/tokens",
                self._add_token,
                "Make an API token",
                takes=TokenRequest,
                answers=NewToken,
                status=201,
                refuses=("OWNER_REQUIRED", "INVALID_NAME"),
            ),
            Route(
                "GET",
                f"{base}/tokens",
                self._tokens,
                "List the API tokens",
                answers=Tokens,
            ),
            Route(
                "DELETE",
                f"{base}/tokens/{{token_id}}",
                self._delete_token,
                "Delete an API token",
                status=204,
                refuses=("OWNER_REQUIRED",),
            ),
        ]

    async def _setup(self, request: web.Request) -> web.Response:
        body = await read_json(request, SetupRequest, raw=("password",))
        account_id, token = await self._entrance.sign_up(
            body.setup_code,
            body.email,
            body.password,
            self._origins.client_ip(request),
        )
        return answer(SetupAnswer(account_id, token), 201)

    async def _login(self, request: web.Request) -> web.Response:
        body = await read_json(request, LoginRequest, raw=("password",))
        account_id, token = await self._entrance.sign_in(
            body.email, body.password, self._origins.client_ip(request)
        )
        await self._entrance.leave(self._sessions.token(request))
        entered = answer(LoginAnswer(account_id))
        self._sessions.enter(entered, token)
        return entered

    async def _logout(self, request: web.Request) -> web.Response:
        await self._entrance.sign_out(await self._sessions.visitor(request))
        left = web.Response(status=204)
        self._sessions.leave(left)
        return left

    async def _password(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        body = await read_json(
            request, PasswordRequest, raw=("current_password", "new_password")
        )
        token = await self._entrance.change_password(
            visitor,
            body.current_password,
            body.new_password,
        )
        changed = web.Response(status=204)
        self._sessions.enter(changed, token)
        return changed

    async def _add_token(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        body = await read_json(request, TokenRequest)
        added, token = await self._entrance.add_token(visitor, body.name, body.scope)
        made = NewToken(added.token_id, added.name, added.hint, added.scope, token)
        return answer(made, 201)

    async def _tokens(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        return answer(Tokens(await self._entrance.tokens(visitor)))

    async def _delete_token(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        await self._entrance.delete_token(visitor, id_of(request, "token_id"))
        return web.Response(status=204)
