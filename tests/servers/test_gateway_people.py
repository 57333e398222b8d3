"""Users, invitations, projects, and what API tokens may do."""

from __future__ import annotations

from typing import Any

import pytest

from opseer_common.testing.gateway import PASSWORD, Answer, Owner, RunningGateway

ROW = "/api/v1/integrations/stripe"
pytestmark = pytest.mark.asyncio(loop_scope="module")
INVITATIONS = "/api/v1/invitations"
PROJECTS = "/api/v1/projects"
LIVE = "rk_" + "live_" + "A" * 24


@pytest.fixture
def gateway(shared_gateway: RunningGateway) -> RunningGateway:
    """Return the module's gateway."""
    return shared_gateway


@pytest.fixture
def owner(owner_of_own: Owner) -> Owner:
    """Return an account of this test alone."""
    return owner_of_own


def guest_of(owner: Owner, name: str = "guest") -> str:
    """Return an address that nobody has."""
    return f"{name}-{owner.email}"


async def invite(gateway: RunningGateway, owner: Owner, **body: str) -> str:
    """Invite somebody and return the token of the link."""
    asked = {"email": guest_of(owner), **body}
    answer = await gateway.call("POST", INVITATIONS, owner=owner, json=asked)
    assert answer.status == 201, answer.text
    link: str = answer.json["link"]
    assert link.startswith(f"{gateway.url}/invite/")
    return link.rpartition("/")[2]


async def accept(
    gateway: RunningGateway, token: str, password: str = PASSWORD
) -> Answer:
    """Take an invitation."""
    body = {"token": token, "password": password}
    return await gateway.call("POST", f"{INVITATIONS}/accept", json=body)


async def member(gateway: RunningGateway, owner: Owner) -> dict[str, str]:
    """Invite a member, who accepts; return the member's cookie."""
    answer = await accept(gateway, await invite(gateway, owner))
    return {"Cookie": f"opseer_session={answer.cookies['opseer_session']}"}


async def test_invitation(gateway: RunningGateway, owner: Owner) -> None:
    """An invited user signs in to the same account with a password of one's own."""
    token = await invite(gateway, owner)
    answer = await accept(gateway, token, "another good one")
    assert (answer.status, answer.json) == (201, {"account_id": str(owner.account_id)})
    login = {"email": guest_of(owner), "password": "another good one"}
    signed_in = await gateway.call("POST", "/api/v1/auth/login", json=login)
    assert signed_in.json == {"account_id": str(owner.account_id)}
    users = (await gateway.call("GET", "/api/v1/users", owner=owner)).json["users"]
    assert [(user["email"], user["role"]) for user in users] == [
        (owner.email, "owner"),
        (guest_of(owner), "member"),
    ]


async def test_invitation_works_once(gateway: RunningGateway, owner: Owner) -> None:
    """A link that was used, withdrawn or made up opens nothing."""
    used = await invite(gateway, owner)
    await accept(gateway, used)
    withdrawn = await invite(gateway, owner, email=guest_of(owner, "other"))
    waiting = await gateway.call("GET", INVITATIONS, owner=owner)
    (row,) = waiting.json["invitations"]
    path = f"{INVITATIONS}/{row['invitation_id']}"
    assert (await gateway.call("DELETE", path, owner=owner)).status == 204
    assert (await gateway.call("DELETE", path, owner=owner)).status == 404
    for token in (used, withdrawn, "A" * 43, "x"):
        assert (await accept(gateway, token)).code == "NOT_FOUND"


async def test_invitation_ends(gateway: RunningGateway, owner: Owner) -> None:
    """A link is good for seven days."""
    token = await invite(gateway, owner)
    await gateway.fetch(
        """
        UPDATE gateway.invitation SET expires_at = expires_at - interval '7 days'
        WHERE account_id = $1
        """,
        owner.account_id,
    )
    assert (await accept(gateway, token)).code == "NOT_FOUND"
    waiting = await gateway.call("GET", INVITATIONS, owner=owner)
    assert waiting.json == {"invitations": []}


async def test_invitation_is_hashed(gateway: RunningGateway, owner: Owner) -> None:
    """The link is not in the database; inviting again makes the old one worthless."""
    first = await invite(gateway, owner)
    second = await invite(gateway, owner)
    rows = await gateway.fetch(
        "SELECT * FROM gateway.invitation WHERE account_id = $1", owner.account_id
    )
    assert len(rows) == 1
    assert second not in str([dict(row) for row in rows])
    assert (await accept(gateway, first)).code == "NOT_FOUND"
    assert (await accept(gateway, second)).status == 201


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "EMAIL_TAKEN"),
        ({"email": "nobody"}, "INVALID_EMAIL"),
        ({"email": "<nobody@example.com>"}, "INVALID_EMAIL"),
        ({"email": 'no"body@example.com'}, "INVALID_EMAIL"),
        ({"email": "no@example.com\r\nBcc: b@example.com"}, "INVALID_EMAIL"),
        ({"role": "admin"}, "INVALID_VALUE"),
    ],
)
async def test_refused_invitation(
    gateway: RunningGateway, owner: Owner, body: dict[str, str], code: str
) -> None:
    """Who is there already, no address and no role are refused."""
    asked = {"email": owner.email, **body}
    answer = await gateway.call("POST", INVITATIONS, owner=owner, json=asked)
    assert answer.code == code


async def test_weak_password_keeps_the_link(
    gateway: RunningGateway, owner: Owner
) -> None:
    """A refused password does not use the link up."""
    token = await invite(gateway, owner)
    assert (await accept(gateway, token, "short")).code == "INVALID_PASSWORD"
    assert (await accept(gateway, token)).status == 201


async def test_member_reads(gateway: RunningGateway, owner: Owner) -> None:
    """A member reads everything, and changes neither keys, people nor projects."""
    headers = await member(gateway, owner)
    for path in (ROW, PROJECTS, "/api/v1/users", "/api/v1/tokens"):
        assert (await gateway.call("GET", path, headers=headers)).status == 200
    refused: list[tuple[str, str, Any]] = [
        ("PUT", ROW, {"api_key": LIVE}),
        ("DELETE", ROW, None),
        ("PATCH", ROW, {"timezone": "Europe/Berlin"}),
        ("POST", INVITATIONS, {"email": "third@example.com"}),
        ("POST", PROJECTS, {"name": "Mine"}),
        ("POST", "/api/v1/tokens", {"name": "mine"}),
        ("DELETE", f"/api/v1/users/{owner.account_id}", None),
    ]
    for method, path, body in refused:
        answer = await gateway.call(method, path, headers=headers, json=body)
        assert (answer.status, answer.code) == (403, "OWNER_REQUIRED"), path


async def test_removed_user(gateway: RunningGateway, owner: Owner) -> None:
    """A removed user is signed out at once; the last owner stays."""
    headers = await member(gateway, owner)
    users = (await gateway.call("GET", "/api/v1/users", owner=owner)).json["users"]
    first, second = (f"/api/v1/users/{user['user_id']}" for user in users)
    assert (await gateway.call("DELETE", second, owner=owner)).status == 204
    assert (await gateway.call("GET", ROW, headers=headers)).status == 401
    last = await gateway.call("DELETE", first, owner=owner)
    assert (last.status, last.code) == (409, "LAST_OWNER")


async def test_read_token(gateway: RunningGateway, owner: Owner) -> None:
    """A token of the scope `read` reads and writes nothing, no token either."""
    body = {"name": "spreadsheet", "scope": "read"}
    made = await gateway.call("POST", "/api/v1/tokens", owner=owner, json=body)
    assert made.json["scope"] == "read"
    reader = Owner(owner.account_id, made.json["token"], "")
    assert (await gateway.call("GET", ROW, owner=reader)).status == 200
    for method, path, sent in (
        ("POST", "/api/v1/tokens", body),
        ("POST", f"{ROW}/refresh", None),
        ("PUT", ROW, {"api_key": LIVE}),
    ):
        answer = await gateway.call(method, path, owner=reader, json=sent)
        assert (answer.status, answer.code) == (403, "READ_ONLY_TOKEN")
    tokens = await gateway.call("GET", "/api/v1/tokens", owner=owner)
    scopes = [token["scope"] for token in tokens.json["tokens"]]
    assert scopes == ["write", "read"]


async def test_one_key_serves_two_projects(
    gateway: RunningGateway, owner: Owner
) -> None:
    """Every project of an account sees the one connection of the account."""
    made = await gateway.call("POST", PROJECTS, owner=owner, json={"name": "Second"})
    assert (made.status, made.json["sources"]) == (201, [])
    connected = await gateway.call("PUT", ROW, owner=owner, json={"api_key": LIVE})
    assert connected.status == 201
    projects = (await gateway.call("GET", PROJECTS, owner=owner)).json["projects"]
    assert [(row["name"], row["sources"]) for row in projects] == [
        ("My project", ["stripe"]),
        ("Second", ["stripe"]),
    ]
    rows = await gateway.fetch(
        "SELECT 1 FROM gateway.opseer_user_integration WHERE account_id = $1",
        owner.account_id,
    )
    assert len(rows) == 1


async def test_rename_project(gateway: RunningGateway, owner: Owner) -> None:
    """A project is renamed, not to the name of another, and not by a stranger."""
    (first,) = (await gateway.call("GET", PROJECTS, owner=owner)).json["projects"]
    await gateway.call("POST", PROJECTS, owner=owner, json={"name": "Second"})
    path = f"{PROJECTS}/{first['project_id']}"
    named = await gateway.call("PATCH", path, owner=owner, json={"name": " Shop "})
    assert (named.status, named.json["name"]) == (200, "Shop")
    taken = await gateway.call("PATCH", path, owner=owner, json={"name": "SECOND"})
    assert (taken.status, taken.code) == (409, "NAME_TAKEN")
    empty = await gateway.call("PATCH", path, owner=owner, json={"name": " "})
    assert empty.code == "INVALID_NAME"
    stranger = await gateway.sign_up(guest_of(owner, "stranger"))
    other = await gateway.call("PATCH", path, owner=stranger, json={"name": "Mine"})
    assert other.code == "NOT_FOUND"
