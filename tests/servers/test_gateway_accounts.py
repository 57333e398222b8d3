"""Signing up, in and out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from opseer_common.clock import utc_now
from opseer_common.demo_account import ensure_demo_account
from opseer_common.testing.gateway import (
    PASSWORD,
    SETUP_CODE,
    Owner,
    RunningGateway,
)

if TYPE_CHECKING:
    from pathlib import Path

ROW = "/api/v1/integrations/stripe"
LOGIN = "/api/v1/auth/login"


def setup_body(**other: str) -> dict[str, str]:
    """Return a set-up request."""
    body = {"setup_code": SETUP_CODE, "email": "a@example.com", "password": PASSWORD}
    return body | other


@pytest.mark.parametrize(
    ("other", "status", "code"),
    [
        ({"setup_code": "wrong"}, 403, "INVALID_SETUP_CODE"),
        ({"setup_code": ""}, 403, "INVALID_SETUP_CODE"),
        ({"email": "nobody"}, 422, "INVALID_EMAIL"),
        ({"password": "7 chars"}, 422, "INVALID_PASSWORD"),
        ({"password": "x" * 1025}, 422, "INVALID_PASSWORD"),
        ({"plan": "max"}, 422, "UNKNOWN_FIELD"),
    ],
)
async def test_refused_setup(
    gateway: RunningGateway, other: dict[str, str], status: int, code: str
) -> None:
    """A set-up that is wrong makes no account."""
    answer = await gateway.call("POST", "/api/v1/setup", json=setup_body(**other))
    assert (answer.status, answer.code) == (status, code)
    assert not await gateway.fetch("SELECT 1 FROM gateway.account")


async def test_an_empty_code_opens_nothing(start_gateway: Any, tmp_path: Path) -> None:
    """Where the code's file is empty, no code is the right one: not even none."""
    empty = tmp_path / "empty"
    empty.write_text("\n", "utf-8")
    gateway = await start_gateway(signup="closed", setup_code_file=empty)
    body = setup_body(setup_code="")
    answer = await gateway.call("POST", "/api/v1/setup", json=body)
    assert (answer.status, answer.code) == (403, "INVALID_SETUP_CODE")


async def test_setup_once(start_gateway: Any) -> None:
    """The first account closes the door, also for one that came at the same time."""
    gateway = await start_gateway(signup="closed")
    answers = await asyncio.gather(
        *(
            gateway.call(
                "POST", "/api/v1/setup", json=setup_body(email=f"{n}@example.com")
            )
            for n in range(4)
        )
    )
    assert sorted(answer.status for answer in answers) == [201, 403, 403, 403]
    late = await gateway.call("POST", "/api/v1/setup", json=setup_body())
    assert (late.status, late.code) == (403, "SIGNUP_CLOSED")
    (account,) = await gateway.fetch("SELECT plan, demo FROM gateway.account")
    assert tuple(account) == ("max", False)


async def test_demo_is_not_the_first_account(start_gateway: Any) -> None:
    """The demo's account leaves the door open for the first real one."""
    gateway = await start_gateway(signup="closed")
    await ensure_demo_account(gateway.admin_url, clock=utc_now)
    answer = await gateway.call("POST", "/api/v1/setup", json=setup_body())
    assert answer.status == 201


async def test_email_is_taken(gateway: RunningGateway, owner: Owner) -> None:
    """One address is one user, whatever its case."""
    body = setup_body(email="OWNER@example.com")
    answer = await gateway.call("POST", "/api/v1/setup", json=body)
    assert (answer.status, answer.code) == (409, "EMAIL_TAKEN")


async def test_secrets_are_hashed(gateway: RunningGateway, owner: Owner) -> None:
    """Neither password nor tokens are in the database."""
    session = await gateway.sign_in(owner)
    rows = [
        *await gateway.fetch("SELECT * FROM gateway.app_user"),
        *await gateway.fetch("SELECT * FROM gateway.api_token"),
        *await gateway.fetch("SELECT * FROM gateway.session"),
    ]
    text = str([dict(row) for row in rows])
    for secret in (PASSWORD, owner.token, session["Cookie"].partition("=")[2]):
        assert secret not in text
    assert "$argon2id$v=19$m=47104,t=1,p=1$" in text


async def test_session(gateway: RunningGateway, owner: Owner) -> None:
    """A session opens the API; after signing out it is dead and the browser is told."""
    session = await gateway.sign_in(owner)
    assert (await gateway.call("GET", ROW, headers=session)).status == 200
    left = await gateway.call("POST", "/api/v1/auth/logout", headers=session)
    assert left.status == 204
    assert "cookies" in left.headers["Clear-Site-Data"]
    assert (await gateway.call("GET", ROW, headers=session)).status == 401


async def test_each_sign_in_is_new(gateway: RunningGateway, owner: Owner) -> None:
    """Signing in gives a token that was not there before, whatever was sent."""
    first = await gateway.sign_in(owner)
    body = {"email": owner.email, "password": PASSWORD}
    again = await gateway.call("POST", LOGIN, json=body, headers=first)
    assert again.cookies["opseer_session"] != first["Cookie"].partition("=")[2]


@pytest.mark.parametrize(
    ("created", "seen"), [("14 days 1 minute", "14 days 1 minute"), ("30 days", "0")]
)
async def test_sessions_end(
    gateway: RunningGateway, owner: Owner, created: str, seen: str
) -> None:
    """A session ends after 14 days without use, and after 30 days in any case."""
    session = await gateway.sign_in(owner)
    await gateway.fetch(
        f"""
        UPDATE gateway.session SET created_at = now() - interval '{created}',
            seen_at = now() - interval '{seen}'
        """  # noqa: S608 - the test's own words
    )
    assert (await gateway.call("GET", ROW, headers=session)).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer ops_" + "A" * 43},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic b3BzOm9wcw=="},
        {"Cookie": "opseer_session=" + "A" * 43},
        {"Cookie": "opseer_session=%00"},
    ],
)
async def test_strangers(
    gateway: RunningGateway, owner: Owner, headers: dict[str, str]
) -> None:
    """Who is not known is 401, on every route that is not public."""
    for method, path in (
        ("GET", "/api/v1/integrations"),
        ("PUT", ROW),
        ("GET", "/api/v1/mrr?source=stripe"),
        ("GET", "/api/v1/reports/daily"),
        ("GET", "/api/v1/tokens"),
        ("POST", "/api/v1/auth/logout"),
    ):
        answer = await gateway.call(method, path, headers=headers)
        assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")


async def test_two_session_cookies(gateway: RunningGateway, owner: Owner) -> None:
    """Two session cookies are 400: one of them may be planted."""
    session = await gateway.sign_in(owner)
    both = {"Cookie": f"{session['Cookie']}; opseer_session=x"}
    answer = await gateway.call("GET", ROW, headers=both)
    assert (answer.status, answer.code) == (400, "DUPLICATE_COOKIE")


async def test_unknown_user_and_wrong_password(
    gateway: RunningGateway, owner: Owner
) -> None:
    """An unknown address is answered exactly like a wrong password."""
    bodies = (
        {"email": owner.email, "password": "wrong password"},
        {"email": "nobody@example.com", "password": "wrong password"},
    )
    answers = [await gateway.call("POST", LOGIN, json=body) for body in bodies]
    assert {(a.status, a.code, a.json["detail"]) for a in answers} == {
        (401, "INVALID_CREDENTIALS", "The e-mail address or the password is wrong.")
    }


async def test_guessing_is_slowed_down(gateway: RunningGateway, owner: Owner) -> None:
    """After 20 wrong tries in an hour even the right password is 429."""
    wrong = {"email": owner.email, "password": "wrong password"}
    for _ in range(20):
        assert (await gateway.call("POST", LOGIN, json=wrong)).status == 401
    right = {"email": owner.email, "password": PASSWORD}
    answer = await gateway.call("POST", LOGIN, json=right)
    assert (answer.status, answer.code) == (429, "RATE_LIMITED")
    assert 0 < int(answer.headers["Retry-After"]) <= 3600


async def test_password_change(gateway: RunningGateway, owner: Owner) -> None:
    """Changing the password needs the current one and ends every other session."""
    mine, other = await gateway.sign_in(owner), await gateway.sign_in(owner)
    path = "/api/v1/auth/password"
    wrong = {"current_password": "wrong", "new_password": "another password"}
    answer = await gateway.call("POST", path, json=wrong, headers=mine)
    assert (answer.status, answer.code) == (422, "WRONG_PASSWORD")
    right = wrong | {"current_password": PASSWORD}
    answer = await gateway.call("POST", path, json=right, headers=mine)
    assert answer.status == 204
    for old in (mine, other):
        assert (await gateway.call("GET", ROW, headers=old)).status == 401
    new = {"Cookie": f"opseer_session={answer.cookies['opseer_session']}"}
    assert (await gateway.call("GET", ROW, headers=new)).status == 200


async def test_tokens(gateway: RunningGateway, owner: Owner) -> None:
    """An API token is shown once, listed by its hint, and dead when deleted."""
    path = "/api/v1/tokens"
    made = await gateway.call("POST", path, owner=owner, json={"name": "ci"})
    assert made.status == 201
    token = Owner(owner.account_id, made.json["token"], owner.email)
    listed = (await gateway.call("GET", path, owner=token)).json["tokens"]
    assert [one["name"] for one in listed] == ["first token", "ci"]
    assert made.json["token"] not in str(listed)
    one = f"{path}/{made.json['token_id']}"
    stranger = await gateway.sign_up("stranger@example.com")
    assert (await gateway.call("DELETE", one, owner=stranger)).status == 404
    assert (await gateway.call("DELETE", one, owner=owner)).status == 204
    assert (await gateway.call("DELETE", one, owner=owner)).status == 404
    assert (await gateway.call("GET", path, owner=token)).status == 401


async def test_demo_account(gateway: RunningGateway) -> None:
    """The demo's token works; asking again gives a new one for the same account."""
    first = await ensure_demo_account(gateway.admin_url, clock=utc_now)
    again = await ensure_demo_account(gateway.admin_url, clock=utc_now)
    assert again.account_id == first.account_id
    statuses = [
        (
            await gateway.call("GET", ROW, headers={"Authorization": f"Bearer {token}"})
        ).status
        for token in (first.token, again.token)
    ]
    assert statuses == [401, 200]
    login = {"email": "demo@opseer.local", "password": "!"}
    assert (await gateway.call("POST", LOGIN, json=login)).status == 401


async def test_many_sign_ins_at_once(gateway: RunningGateway, owner: Owner) -> None:
    """Of many sign-ins at once some get in and the rest are told to come again."""
    body = {"email": owner.email, "password": PASSWORD}
    answers = await asyncio.gather(
        *(gateway.call("POST", LOGIN, json=body) for _ in range(40))
    )
    assert {answer.status for answer in answers} == {200, 503}
    busy = next(answer for answer in answers if answer.status == 503)
    assert (busy.code, busy.headers["Retry-After"]) == ("BUSY", "1")


async def test_guessing_at_once(gateway: RunningGateway, owner: Owner) -> None:
    """However many guesses come at once, no more than 20 an hour are tried."""
    body = {"email": owner.email, "password": "wrong password"}
    answers = [
        answer
        for _ in range(3)
        for answer in await asyncio.gather(
            *(gateway.call("POST", LOGIN, json=body) for _ in range(30))
        )
    ]
    assert [answer.status for answer in answers].count(401) == 20


async def test_many_sign_ups_at_once(gateway: RunningGateway, owner: Owner) -> None:
    """Four hash at a time, the rest are to come again; who has an account gets in."""
    many = [setup_body(email=f"new{n}@example.com") for n in range(16)]
    body = {"email": owner.email, "password": PASSWORD}
    *sign_ups, sign_in = await asyncio.gather(
        *(gateway.call("POST", "/api/v1/setup", json=one) for one in many),
        gateway.call("POST", LOGIN, json=body),
    )
    assert sign_in.status == 200
    statuses = [answer.status for answer in sign_ups]
    assert statuses.count(201) >= 4
    assert statuses.count(503) >= 8
    assert {one.code for one in sign_ups if one.status == 503} == {"BUSY"}


async def guess(gateway: RunningGateway, name: str, forwarded: str) -> int:
    """Guess a password from behind an address that a proxy names."""
    body = {"email": f"{name}@example.com", "password": "wrong password"}
    headers = {"X-Forwarded-For": forwarded}
    return (await gateway.call("POST", LOGIN, json=body, headers=headers)).status


async def test_guessing_from_one_place(gateway: RunningGateway) -> None:
    """20 wrong tries from one place are enough, whichever users and whatever proxy."""
    tries = [await guess(gateway, f"user{n}", f"192.0.2.{n}") for n in range(21)]
    assert tries == [401] * 20 + [429]


async def test_a_proxy_that_adds_a_line(start_gateway: Any) -> None:
    """What a visitor sent in a line of its own before the proxy's says nothing."""
    gateway = await start_gateway(trusted_proxies=("127.0.0.0/8",))
    body = b'{"setup_code":"wrong","email":"a@example.com","password":"x"}'
    statuses = []
    for n in range(21):
        head = (
            "POST /api/v1/setup HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"X-Forwarded-For: 198.51.100.{n}\r\nX-Forwarded-For: 192.0.2.7\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        said = await gateway.send(head.encode() + body)
        statuses.append(int(said[9:12]))
    assert statuses == [403] * 20 + [429]


async def test_places_behind_a_proxy(start_gateway: Any) -> None:
    """A trusted proxy's word counts: the last address that is not a proxy's."""
    gateway = await start_gateway(trusted_proxies=("127.0.0.0/8",))
    forwarded = "198.51.100.1, 192.0.2.7, 127.0.0.9"
    tries = [await guess(gateway, f"user{n}", forwarded) for n in range(21)]
    assert tries[-1] == 429
    assert await guess(gateway, "other", "198.51.100.1, 192.0.2.8") == 401
    assert await guess(gateway, "other", "198.51.100.99, 192.0.2.7") == 429
    assert await guess(gateway, "other", "192.0.2.7:50001") == 429
    assert await guess(gateway, "other", "[2001:db8::1]:50001") == 401
