"""Entries 103 to 121: who is asking."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from typing_extensions import override

from opseer_common.clock import utc_now
from opseer_common.database import Database
from opseer_common.errors import RefusedError
from opseer_common.testing.gateway import PASSWORD, Answer, Owner, RunningGateway
from opseer_common.testing.servers import FreshDatabase
from opseer_gateway.actions.accounts import Entrance, Hasher
from opseer_gateway.domain.credentials import check_password
from opseer_gateway.store.accounts import AccountStore
from opseer_gateway.web.passwords import Passwords

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROW = "/api/v1/integrations/stripe"
LOGIN = "/api/v1/auth/login"
EMAIL = "guessed@example.com"


class CountingHasher(Hasher):
    """Knows the right password and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    @override
    async def hash(self, password: str) -> str:
        return password

    @override
    async def fits(self, password_hash: str | None, password: str) -> bool:
        self.asked += 1
        return password_hash is not None and password == PASSWORD

    @override
    def is_outdated(self, password_hash: str) -> bool:
        return not password_hash


class Door:
    """An entrance at a time of the test's own."""

    def __init__(self, database: Database, hasher: Hasher) -> None:
        self.now = utc_now()
        self.entrance = Entrance(
            AccountStore(database),
            hasher,
            self.read,
            setup_code=lambda: "",
            plan="max",
            open_signup=True,
        )

    def read(self) -> datetime:
        """Return the time."""
        return self.now

    async def tries(self, ip: str, password: str, email: str = EMAIL) -> str:
        """Return how signing in ended."""
        try:
            await self.entrance.sign_in(email, password, ip)
        except RefusedError as error:
            return error.code
        return "in"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def database(module_database: FreshDatabase) -> AsyncIterator[Database]:
    """Return the database with one user whom somebody tries to guess."""
    opened = await Database.connect(module_database.login_url("gateway"))
    await AccountStore(opened).add_account(
        email=EMAIL,
        password_hash="stored",
        token_hash=uuid4().bytes * 2,
        token_hint="ops_…",
        plan="max",
        only_first=False,
        now=utc_now(),
    )
    yield opened
    await opened.close()


async def test_107_session_before_signing_in(
    gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """Signing in ends the session that the browser had: nobody can plant one."""
    before = await gateway.sign_in(owner_of_own)
    body = {"email": owner_of_own.email, "password": PASSWORD}
    answer = await gateway.call("POST", LOGIN, json=body, headers=before)
    assert answer.status == 200
    assert (await gateway.call("GET", ROW, headers=before)).status == 401
    after = {"Cookie": f"opseer_session={answer.cookies['opseer_session']}"}
    assert (await gateway.call("GET", ROW, headers=after)).status == 200


async def test_110_token_in_the_query(gateway: RunningGateway, account: Owner) -> None:
    """A token counts in its header alone, not where addresses are kept."""
    for name in ("token", "access_token", "opseer_session", "api_key"):
        answer = await gateway.call("GET", f"{ROW}?{name}={account.token}")
        assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")


async def set_up(gateway: RunningGateway, password: str) -> tuple[Answer, str]:
    """Make an account with a password; return the answer and the address."""
    email = f"{uuid4().hex[:12]}@example.com"
    body = {"email": email, "password": password}
    return await gateway.call("POST", "/api/v1/setup", json=body), email


@pytest.mark.parametrize(
    ("number", "password"),
    [
        (115, "7 chars"),
        (115, "x" * 1025),
        (115, "\u00e9" * 513),
        (116, "password"),
        (116, "Password1"),
        (116, "qwertyuiop"),
        (116, "1234567890"),
        (116, "trustno1"),
    ],
)
async def test_refused_passwords(
    gateway: RunningGateway, account: Owner, number: int, password: str
) -> None:
    """Too short, too long before it is hashed, or the first that others try: 422."""
    answer, email = await set_up(gateway, password)
    assert (answer.status, answer.code) == (422, "INVALID_PASSWORD"), number
    known = "SELECT FROM gateway.app_user WHERE email = $1"
    assert not await gateway.fetch(known, email)


async def test_117_taken_passwords(gateway: RunningGateway) -> None:
    """Every character is taken as it is: the same opens, what looks alike does not."""
    odd = " a\0b \U0001f511 caf\u00e9 half \ud800 a pair ".ljust(128, "y")
    made, email = await set_up(gateway, odd)
    assert made.status == 201
    body = {"email": email, "password": odd}
    assert (await gateway.call("POST", LOGIN, json=body)).status == 200
    for alike in (odd.replace("\u00e9", "e\u0301"), odd.replace("\0", "")):
        answer = await gateway.call("POST", LOGIN, json=body | {"password": alike})
        assert answer.code == "INVALID_CREDENTIALS"


@pytest.mark.parametrize("size", [8, 64, 128])
async def test_115_lengths(size: int) -> None:
    """8, 64 and 128 characters are a password."""
    check_password("\u00e9" * size)


async def test_118_guesses_from_one_place(database: Database) -> None:
    """Of 1,000 guesses 20 are tried; the owner gets in from elsewhere all the same."""
    hasher = CountingHasher()
    door = Door(database, hasher)
    ended = [await door.tries("192.0.2.1", f"guess {n}") for n in range(1000)]
    assert ended.count("INVALID_CREDENTIALS") == hasher.asked == 20
    assert ended.count("RATE_LIMITED") == 980
    assert await door.tries("198.51.100.7", PASSWORD) == "in"


async def test_119_guesses_from_100_places(database: Database) -> None:
    """One user's guesses are counted together: 20, then one in 10 s, for everybody.

    It locks nobody out: where the owner has signed in before nothing changes, and
    elsewhere the owner's turn comes.
    """
    hasher = CountingHasher()
    door = Door(database, hasher)
    assert await door.tries("198.51.100.7", PASSWORD) == "in"
    ended = [await door.tries(f"192.0.2.{n}", "guess") for n in range(100)]
    assert ended.count("INVALID_CREDENTIALS") == 21
    assert await door.tries("198.51.100.7", PASSWORD) == "in"
    assert await door.tries("203.0.113.9", PASSWORD) == "RATE_LIMITED"
    door.now += timedelta(seconds=10)
    assert await door.tries("203.0.113.9", PASSWORD) == "in"


async def test_119_networks_of_ipv6(database: Database) -> None:
    """Whoever has one address of IPv6 has a whole network: it is one place."""
    door = Door(database, CountingHasher())
    ended = [
        await door.tries(f"2001:db8::{n:x}", "guess", f"{n}@example.com")
        for n in range(30)
    ]
    assert ended.count("INVALID_CREDENTIALS") == 20


async def test_120_one_own_account_is_no_key_to_others(database: Database) -> None:
    """Signing in to an account of one's own gives guesses at others none back."""
    hasher = CountingHasher()
    door = Door(database, hasher)
    for n in range(40):
        await door.tries("192.0.2.1", "guess", f"{n}@example.com")
        if n < 19:
            assert await door.tries("192.0.2.1", PASSWORD) == "in"
    assert hasher.asked == 20 + 19
    assert await door.tries("192.0.2.1", "guess", "x@example.com") == "RATE_LIMITED"


async def test_115_an_address_that_nobody_has(database: Database) -> None:
    """One too long for an address costs no hash and no memory of counting."""
    hasher = CountingHasher()
    door = Door(database, hasher)
    long = "x" * 15_000 + "@example.com"
    ended = {await door.tries("192.0.2.1", "guess", f"{n}{long}") for n in range(30)}
    assert (ended, hasher.asked) == ({"INVALID_CREDENTIALS"}, 0)


@pytest.mark.deep
@pytest.mark.timeout(600)
async def test_114_unknown_users_take_as_long(database: Database) -> None:
    """Over 200 tries each the means differ by less than 5 %."""
    passwords = Passwords()
    known = await passwords.hash(PASSWORD)
    await AccountStore(database).add_account(
        email="timed@example.com",
        password_hash=known,
        token_hash=uuid4().bytes * 2,
        token_hint="ops_…",
        plan="max",
        only_first=False,
        now=utc_now(),
    )
    took: dict[str, list[float]] = {"timed@example.com": [], "nobody@example.com": []}
    for _ in range(200):
        door = Door(database, passwords)
        for email, times in took.items():
            began = time.process_time()
            assert await door.tries("192.0.2.1", "guess", email) == (
                "INVALID_CREDENTIALS"
            )
            times.append(time.process_time() - began)
    await passwords.close()
    first, second = (statistics.mean(times) for times in took.values())
    assert abs(first - second) < 0.05 * first
