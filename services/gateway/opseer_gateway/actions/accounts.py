"""Signing up, in and out, and API tokens."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from opseer_common import tokens
from opseer_common.clock import Clock
from opseer_common.errors import RefusedError
from opseer_gateway.domain.credentials import (
    LONGEST_EMAIL,
    check_email,
    check_name,
    check_password,
)
from opseer_gateway.domain.limits import Brake, Window, place_of
from opseer_gateway.domain.refusals import not_found
from opseer_gateway.domain.visitors import (
    ApiToken,
    NewToken,
    Scope,
    User,
    Visitor,
    owner_only,
)

_WRONG_TRIES = 20
_HOUR = timedelta(hours=1)
_PAUSE = timedelta(seconds=10)
_MOST_PLACES = 20_000
# Where sign-up is open it must not keep those out who have an account.
_SIGN_UPS_AT_ONCE = 4


class Accounts(Protocol):
    """Where accounts are kept."""

    async def account_count(self) -> int: ...  # noqa: D102
    async def add_account(  # noqa: D102
        self,
        *,
        email: str,
        password_hash: str,
        token_hash: bytes,
        token_hint: str,
        plan: str,
        only_first: bool,
        now: datetime,
    ) -> UUID: ...
    async def find_user(self, email: str) -> User | None: ...  # noqa: D102
    async def password_hash(  # noqa: D102
        self, account_id: UUID, user_id: UUID
    ) -> str | None: ...
    async def set_password(  # noqa: D102
        self,
        account_id: UUID,
        user_id: UUID,
        password_hash: str,
        *,
        end_sessions: bool,
        now: datetime,
    ) -> None: ...
    async def add_session(  # noqa: D102
        self, account_id: UUID, user_id: UUID, token_hash: bytes, now: datetime
    ) -> None: ...
    async def end_session(self, account_id: UUID, token_hash: bytes) -> None: ...  # noqa: D102
    async def by_session(  # noqa: D102
        self, token_hash: bytes, now: datetime
    ) -> Visitor | None: ...
    async def by_api_token(  # noqa: D102
        self, token_hash: bytes, now: datetime
    ) -> Visitor | None: ...
    async def use_sign_in_link(  # noqa: D102
        self, token_hash: bytes, now: datetime
    ) -> User | None: ...
    async def add_token(  # noqa: D102
        self, account_id: UUID, new: NewToken, now: datetime
    ) -> ApiToken: ...
    async def tokens(self, account_id: UUID) -> list[ApiToken]: ...  # noqa: D102
    async def delete_token(  # noqa: D102
        self, account_id: UUID, token_id: UUID, now: datetime
    ) -> bool: ...


class Hasher(Protocol):
    """Hashes passwords slowly, few at a time. RefusedError(BUSY) beyond that."""

    async def hash(self, password: str) -> str:
        """Return what is stored for a password."""
        ...

    async def fits(self, password_hash: str | None, password: str) -> bool:
        """Return whether the password fits; None takes as long and never does."""
        ...

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether the hash was made with other parameters than today's."""
        ...


class Entrance:
    """The ways in and out."""

    def __init__(
        self,
        accounts: Accounts,
        hasher: Hasher,
        clock: Clock,
        *,
        setup_code: Callable[[], str],
        plan: str,
        open_signup: bool,
    ) -> None:
        """Take the ports. `setup_code` reads the code that opens the first account."""
        self._accounts = accounts
        self._hasher = hasher
        self._clock = clock
        self._setup_code = setup_code
        self._plan = plan
        self._open_signup = open_signup
        self._wrong_codes = Window(_WRONG_TRIES, _HOUR)
        self._wrong_by_place = Window(_WRONG_TRIES, _HOUR)
        self._wrong_by_both = Window(_WRONG_TRIES, _HOUR)
        self._wrong_by_user = Brake(_WRONG_TRIES, _HOUR, _PAUSE)
        self._wrong_changes = Window(_WRONG_TRIES, _HOUR)
        self._sign_ups = Window(_SIGN_UPS_AT_ONCE, _HOUR)
        self._good: OrderedDict[str, None] = OrderedDict()

    async def sign_up(
        self, code: str, email: str, password: str, ip: str
    ) -> tuple[UUID, str]:
        """Make an account; return its id and an API token, which is shown once.

        The first account needs the setup code. Further ones are SIGNUP_CLOSED, or
        need no code where sign-up is open. Raises RefusedError: INVALID_SETUP_CODE,
        INVALID_EMAIL, INVALID_PASSWORD, EMAIL_TAKEN, RATE_LIMITED, BUSY.
        """
        now = self._clock()
        if await self._accounts.account_count():
            if not self._open_signup:
                raise RefusedError(
                    "SIGNUP_CLOSED", "There is an account already. Sign in instead."
                )
        else:
            self._wrong_codes.check(place_of(ip), now)
            right = self._setup_code()
            # An empty file opens nothing.
            if not right or not hmac.compare_digest(code.encode(), right.encode()):
                self._wrong_codes.count(place_of(ip), now)
                raise RefusedError(
                    "INVALID_SETUP_CODE",
                    "That is not the setup code. It is printed at the start, and in "
                    "the file setup-code of the data directory.",
                )
        email = check_email(email)
        check_password(password)
        with self._sign_ups.attempt("all", now):
            password_hash = await self._hasher.hash(password)
        token = tokens.new_api_token()
        account_id = await self._accounts.add_account(
            email=email,
            password_hash=password_hash,
            token_hash=tokens.hash_of(token),
            token_hint=tokens.hint_of(token),
            plan=self._plan,
            only_first=not self._open_signup,
            now=now,
        )
        return account_id, token

    async def sign_in(self, email: str, password: str, ip: str) -> tuple[UUID, str]:
        """Return the account and a new session token.

        An unknown address is refused like a wrong password and takes as long. 20
        wrong tries an hour from one place are enough; 20 for one user slow that user
        down everywhere but where signing in has worked before, and lock nobody out.
        Raises RefusedError: INVALID_CREDENTIALS, RATE_LIMITED, BUSY.
        """
        now, place = self._clock(), place_of(ip)
        name = email.strip().lower()
        both = f"{place} {name}"
        if len(name) > LONGEST_EMAIL:  # nobody's, and not worth the memory of counting
            raise _wrong()
        with ExitStack() as open_attempts:
            open_attempts.enter_context(self._wrong_by_place.attempt(place, now))
            open_attempts.enter_context(self._wrong_by_both.attempt(both, now))
            if both not in self._good:
                open_attempts.enter_context(self._wrong_by_user.attempt(name, now))
            user = await self._checked(email.strip(), password)
            if user is None:
                self._wrong_by_place.count(place, now)
                self._wrong_by_both.count(both, now)
                self._wrong_by_user.count(name, now)
                raise _wrong()
        self._wrong_by_place.forgive(place, self._wrong_by_both.forget(both))
        self._remember(both)
        if self._hasher.is_outdated(user.password_hash):
            await self._accounts.set_password(
                user.account_id,
                user.user_id,
                await self._hasher.hash(password),
                end_sessions=False,
                now=now,
            )
        return user.account_id, await self.new_session(user)

    async def _checked(self, email: str, password: str) -> User | None:
        """Return the user whose password it is; who is unknown takes as long."""
        # Postgres has no text with NUL or half a surrogate pair.
        user = await self._accounts.find_user(email) if email.isprintable() else None
        fits = await self._hasher.fits(user.password_hash if user else None, password)
        return user if fits else None

    def _remember(self, both: str) -> None:
        """Note that a user has signed in from a place."""
        self._good[both] = None
        self._good.move_to_end(both)
        while len(self._good) > _MOST_PLACES:
            self._good.popitem(last=False)

    async def sign_in_by_link(self, token: str) -> str:
        """Consume a one-time link and return a session token. NOT_FOUND otherwise."""
        if not tokens.is_opaque(token):
            raise not_found()
        user = await self._accounts.use_sign_in_link(
            tokens.hash_of(token), self._clock()
        )
        if user is None:
            raise not_found()
        return await self.new_session(user)

    async def leave(self, token: str | None) -> None:
        """End the session that a browser had before it signed in anew."""
        visitor = await self.by_session(token) if token else None
        if visitor is not None:
            await self.sign_out(visitor)

    async def sign_out(self, visitor: Visitor) -> None:
        """End the visitor's session; an API token stays."""
        if visitor.session_hash is not None:
            await self._accounts.end_session(visitor.account_id, visitor.session_hash)

    async def change_password(self, visitor: Visitor, current: str, new: str) -> str:
        """Change the password, end every session, and return a new one.

        RefusedError: SESSION_REQUIRED for an API token, WRONG_PASSWORD,
        INVALID_PASSWORD, RATE_LIMITED, BUSY.
        """
        if visitor.user_id is None:
            raise RefusedError("SESSION_REQUIRED", "Sign in with the password first.")
        check_password(new)
        now, mine = self._clock(), str(visitor.user_id)
        self._wrong_changes.check(mine, now)
        known = await self._accounts.password_hash(visitor.account_id, visitor.user_id)
        if known is None or not await self._hasher.fits(known, current):
            self._wrong_changes.count(mine, now)
            raise RefusedError("WRONG_PASSWORD", "The current password is wrong.")
        await self._accounts.set_password(
            visitor.account_id,
            visitor.user_id,
            await self._hasher.hash(new),
            end_sessions=True,
            now=now,
        )
        return await self.new_session(User(visitor.user_id, visitor.account_id, ""))

    async def by_session(self, token: str) -> Visitor | None:
        """Return who holds a session token."""
        if not tokens.is_opaque(token):
            return None
        return await self._accounts.by_session(tokens.hash_of(token), self._clock())

    async def by_api_token(self, token: str) -> Visitor | None:
        """Return whose API token it is."""
        if not tokens.is_api_token(token):
            return None
        return await self._accounts.by_api_token(tokens.hash_of(token), self._clock())

    async def add_token(
        self, visitor: Visitor, name: str, scope: Scope
    ) -> tuple[ApiToken, str]:
        """Make an API token; the text is shown once.

        RefusedError: OWNER_REQUIRED, INVALID_NAME.
        """
        owner_only(visitor)
        name, token = check_name(name), tokens.new_api_token()
        new = NewToken(name, tokens.hash_of(token), tokens.hint_of(token), scope)
        added = await self._accounts.add_token(visitor.account_id, new, self._clock())
        return added, token

    async def tokens(self, visitor: Visitor) -> list[ApiToken]:
        """Return the account's API tokens."""
        return await self._accounts.tokens(visitor.account_id)

    async def delete_token(self, visitor: Visitor, token_id: UUID) -> None:
        """Delete an API token.

        RefusedError: OWNER_REQUIRED, NOT_FOUND where the account has none of that id.
        """
        owner_only(visitor)
        if not await self._accounts.delete_token(
            visitor.account_id, token_id, self._clock()
        ):
            raise not_found()

    async def is_new(self) -> bool:
        """Return whether there is no account yet."""
        return await self._accounts.account_count() == 0

    async def new_session(self, user: User) -> str:
        """Sign a user in; return a fresh session's token, never one that was there."""
        token = tokens.new_opaque()
        await self._accounts.add_session(
            user.account_id, user.user_id, tokens.hash_of(token), self._clock()
        )
        return token


def _wrong() -> RefusedError:
    """Return the refusal that tells neither an unknown user nor a wrong password."""
    return RefusedError(
        "INVALID_CREDENTIALS", "The e-mail address or the password is wrong."
    )
