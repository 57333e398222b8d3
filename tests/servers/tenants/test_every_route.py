"""Two accounts over every route: one never learns of the other, by code or by rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from tests.servers.tenants.conftest import Bound, Table

from opseer_common.testing.gateway import Answer, Owner, RunningGateway
from opseer_common.testing.tenants import Tenant
from opseer_gateway.web.sessions import form_token

pytestmark = pytest.mark.asyncio(loop_scope="module")
BODIES: Mapping[str, Any] = {"/api/v1/projects/{project_id}": {"name": "taken over"}}
"""What a write has to say to reach what its id is about."""
FORMS = {
    "/dashboard/account/people/remove": "user_id",
    "/dashboard/account/people/withdraw": "invitation_id",
    "/dashboard/account/projects/choose": "project_id",
    "/dashboard/account/projects/rename": "project_id",
    "/dashboard/account/tokens/delete": "token_id",
    "/dashboard/alert/destinations/remove": "destination_id",
    "/dashboard/alert/resend": "delivery_id",
    "/dashboard/alert/test": "destination_id",
}
"""The forms that take an id in a field."""
NO_IDS = re.compile(
    r"/dashboard/account/(password|projects/add|people/invite|tokens/add)"
    r"|/dashboard/alert/(settings|destinations/add)|/unsubscribe"
    r"|/dashboard/(integrations|revenue)/\{source\}/\w+"
    r"|/(setup|login|logout)|/(sign-in|invite)/\{token\}"
)
"""The forms that take none: of the visitor's own account, or a token that opens."""
KNOWN = frozenset({"source", "date", "token", "name"})
"""Parameters of paths that are no ids."""
QUERY = "?source=stripe&limit=100"
ENDLESS = "/progress"


def filled(path: str, ids: Mapping[str, object], day: object) -> str:
    """Return the path with `ids` in it. A parameter that is not known is a KeyError."""
    values = {"source": "stripe", "date": day, "token": "A" * 43, "name": "x", **ids}
    return path.format_map(values)


def parameters(path: str) -> set[str]:
    """Return the parameters of a path."""
    return set(re.findall(r"\{(\w+)\}", path))


def same(answer: Answer) -> tuple[int, str]:
    """Return what of an answer must not depend on whose an id is."""
    return answer.status, re.sub(r'"request_id":"\w+"', "", answer.text)


async def ask(
    gateway: RunningGateway, owner: Owner, method: str, path: str, body: object = None
) -> Answer:
    """Send a request, with a body where it is a write."""
    if method == "GET":
        return await gateway.call(method, path, owner=owner)
    return await gateway.call(method, path, owner=owner, json=body or {})


async def post(
    gateway: RunningGateway, owner: Owner, path: str, fields: Mapping[str, str]
) -> Answer:
    """Send a form as one of our pages would."""
    sent = {"csrf": form_token("seed"), **fields}
    headers = {"Cookie": "opseer_form=seed"}
    return await gateway.call("POST", path, owner=owner, data=sent, headers=headers)


async def rows(gateway: RunningGateway) -> dict[str, str]:
    """Return a hash of each table that holds something of an account."""
    tables = await gateway.fetch(
        """
        SELECT n.nspname || '.' || c.relname AS name FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id'
        WHERE c.relkind = 'r' AND c.relname NOT IN ('session', 'api_token')
        """
    )
    parts = " UNION ALL ".join(
        f"SELECT '{row['name']}' AS name, md5(string_agg(t::text, '' ORDER BY t::text))"  # noqa: S608
        f" AS hash FROM {row['name']} t"
        for row in tables
    )
    return {row["name"]: row["hash"] for row in await gateway.fetch(parts)}


def with_ids(table: Table) -> list[tuple[str, str]]:
    """Return the routes with an id of somebody in the path, or in the query."""
    return [
        *((method, path) for method, path in table if parameters(path) - KNOWN),
        ("GET", "/dashboard/alert?delivery={delivery_id}"),
    ]


async def test_every_form_is_known(table: Table) -> None:
    """Rule: a page that takes a form is among those that are tried, or takes no id."""
    forms = {path for method, path in table if method == "POST" and "/api/" not in path}
    assert set(FORMS) <= forms
    assert [path for path in forms - set(FORMS) if not NO_IDS.fullmatch(path)] == []


async def test_foreign_ids(
    shared_gateway: RunningGateway, tenants: tuple[Tenant, Tenant], table: Table
) -> None:
    """Another tenant's id is a 404 like one that nobody has, and nothing changes."""
    mine, other = tenants
    before = await rows(shared_gateway)
    tried = with_ids(table)
    assert len(tried) >= 8
    for method, path in tried:
        answers = []
        for ids in (other.ids, dict.fromkeys(other.ids, uuid4())):
            answer = await ask(
                shared_gateway,
                mine.owner,
                method,
                filled(path, ids, mine.day),
                BODIES.get(path),
            )
            answers.append(same(answer))
        assert answers[0] == answers[1], path
        assert answers[0][0] == 404, path
    assert await rows(shared_gateway) == before


async def test_own_ids(
    shared_gateway: RunningGateway, tenants: tuple[Tenant, Tenant], table: Table
) -> None:
    """The same paths with ids of one's own are there: the 404 is about whose it is."""
    mine, _ = tenants
    for method, path in with_ids(table):
        if method in ("GET", "PATCH"):
            whole = filled(path, mine.ids, mine.day)
            answer = await ask(
                shared_gateway, mine.owner, method, whole, {"name": mine.mark}
            )
            assert answer.status == 200, path


async def test_foreign_ids_in_forms(
    shared_gateway: RunningGateway, tenants: tuple[Tenant, Tenant]
) -> None:
    """In a form, too, another tenant's id is one that nobody has."""
    mine, other = tenants
    before = await rows(shared_gateway)
    for path, field in FORMS.items():
        answers = []
        for name in (other.ids[field], uuid4()):
            fields = {field: str(name), "name": "taken over"}
            answer = await post(shared_gateway, mine.owner, path, fields)
            answers.append(same(answer))
        assert answers[0] == answers[1], path
        assert answers[0][0] == 404, path
    assert await rows(shared_gateway) == before


async def test_foreign_sources(
    shared_gateway: RunningGateway, owner_of_own: Owner, tenants: tuple[Tenant, Tenant]
) -> None:
    """What one does to one's own channel, which is not connected, is one's own."""
    before = await rows(shared_gateway)
    own = "/api/v1/integrations/stripe"
    assert (await ask(shared_gateway, owner_of_own, "DELETE", own)).status == 204
    for path in (f"{own}/refresh", f"{own}/history"):
        answer = await ask(shared_gateway, owner_of_own, "POST", path)
        assert (answer.status, answer.code) == (409, "NOT_CONNECTED")
    answer = await ask(shared_gateway, owner_of_own, "PATCH", own, {"timezone": "UTC"})
    assert (answer.status, answer.code) == (409, "NOT_CONNECTED")
    row = (await ask(shared_gateway, owner_of_own, "GET", own)).json
    assert row["state"] == "disconnected"
    assert await rows(shared_gateway) == before


async def reads(
    gateway: RunningGateway, reader: Tenant, ids: Mapping[str, object], table: Table
) -> dict[str, Answer]:
    """Return what every route that reads answers."""
    found = {}
    for method, path in table:
        if method == "GET" and not path.endswith(ENDLESS):
            whole = filled(path, ids, reader.day) + QUERY
            found[path] = await gateway.call("GET", whole, owner=reader.owner)
    return found


async def test_nobody_reads_of_another(
    shared_gateway: RunningGateway, tenants: tuple[Tenant, Tenant], table: Table
) -> None:
    """No answer that reads holds a mark of the other; most hold one of one's own."""
    mine, other = tenants
    answers = await reads(shared_gateway, mine, mine.ids, table)
    for path, answer in answers.items():
        assert answer.status < 500, path
        assert not [mark for mark in other.marks if mark in answer.text], path
    own = [path for path, answer in answers.items() if mine.mark in answer.text]
    assert len(own) >= 14, own


async def test_row_security_alone(
    unfiltered: RunningGateway,
    bound: tuple[web.Application, Bound],
    tenants: tuple[Tenant, Tenant],
    table: Table,
) -> None:
    """With the code asking for one account while the rows are another's: none come."""
    asked, rows_of = tenants
    bound[1].account_id = rows_of.owner.account_id
    answers = await reads(unfiltered, asked, asked.ids, table)
    for path, answer in answers.items():
        assert answer.status < 500, path
        assert not [mark for mark in asked.marks if mark in answer.text], path
    for path in {path for _, path in with_ids(table)} & set(answers):
        assert answers[path].status == 404, path


async def test_row_security_alone_keeps_rows(
    unfiltered: RunningGateway,
    bound: tuple[web.Application, Bound],
    tenants: tuple[Tenant, Tenant],
    table: Table,
) -> None:
    """Nor is anything written or deleted across that border."""
    asked, rows_of = tenants
    bound[1].account_id = rows_of.owner.account_id
    before = await rows(unfiltered)
    for method, path in with_ids(table):
        if method != "GET":
            whole = filled(path, asked.ids, asked.day)
            answer = await ask(unfiltered, asked.owner, method, whole, BODIES.get(path))
            # 500 where a function of another service refuses the transaction's account.
            assert answer.status in (404, 500), path
    assert await rows(unfiltered) == before


async def test_reading_changes_nothing(
    shared_gateway: RunningGateway, tenants: tuple[Tenant, Tenant], table: Table
) -> None:
    """No GET changes a row; when somebody was seen last is not counted."""
    mine, _ = tenants
    before = await rows(shared_gateway)
    await reads(shared_gateway, mine, mine.ids, table)
    assert await rows(shared_gateway) == before
