"""Writes that come again with their Idempotency-Key."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

if TYPE_CHECKING:
    from opseer_common.testing.gateway import Answer, Owner, RunningGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOKENS = "/api/v1/tokens"
REPLAYED = "Idempotency-Replayed"


async def made(
    gateway: RunningGateway, owner: Owner, key: str, name: str = "script"
) -> Answer:
    """Make an API token."""
    headers = {"Idempotency-Key": key}
    return await gateway.call(
        "POST", TOKENS, owner=owner, json={"name": name}, headers=headers
    )


async def count(gateway: RunningGateway, owner: Owner) -> int:
    """Return how many API tokens there are beside the first."""
    answer = await gateway.call("GET", TOKENS, owner=owner)
    return len(answer.json["tokens"]) - 1


async def test_the_same_again(
    shared_gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """Done once, and answered word for word as the first time."""
    key = uuid4().hex
    first = await made(shared_gateway, owner_of_own, key)
    again = await made(shared_gateway, owner_of_own, key)
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert (REPLAYED in first.headers, again.headers[REPLAYED]) == (False, "true")
    assert await count(shared_gateway, owner_of_own) == 1
    with_it = {"Authorization": f"Bearer {again.json['token']}"}
    assert (await shared_gateway.call("GET", TOKENS, headers=with_it)).status == 200


async def test_an_answer_without_a_body(
    shared_gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """What was deleted once is 204 again, and not 404."""
    token = (await made(shared_gateway, owner_of_own, "a")).json["token_id"]
    for key, status in (("b", 204), ("b", 204), ("c", 404)):
        answer = await shared_gateway.call(
            "DELETE",
            f"{TOKENS}/{token}",
            owner=owner_of_own,
            headers={"Idempotency-Key": key},
        )
        assert answer.status == status


async def test_another_request_with_the_same_key(
    shared_gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """Is refused, and does nothing."""
    await made(shared_gateway, owner_of_own, "once")
    other = await made(shared_gateway, owner_of_own, "once", "other")
    assert (other.status, other.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await count(shared_gateway, owner_of_own) == 1


async def test_two_visitors_do_not_share_keys(
    shared_gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """Somebody else's key of the same name is another one, and tells nothing."""
    stranger = await shared_gateway.sign_up(f"{uuid4().hex[:12]}@example.com")
    first = await made(shared_gateway, owner_of_own, "1")
    second = await made(shared_gateway, stranger, "1")
    assert REPLAYED not in second.headers
    assert first.json["token"] != second.json["token"]


async def test_all_at_once(shared_gateway: RunningGateway, owner_of_own: Owner) -> None:
    """Of many at once one does it; the others get its answer, or are to wait."""
    answers = await asyncio.gather(
        *(made(shared_gateway, owner_of_own, "burst") for _ in range(8))
    )
    assert await count(shared_gateway, owner_of_own) == 1
    done = {answer.body for answer in answers if answer.status == 201}
    assert len(done) == 1
    for answer in answers:
        if answer.status != 201:
            assert (answer.status, answer.code) == (409, "IN_PROGRESS")
            assert answer.headers["Retry-After"] == "1"


async def test_a_refused_write_may_be_corrected(
    shared_gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """Nothing was done: the key is free again."""
    refused = await made(shared_gateway, owner_of_own, "k", "")
    assert refused.code == "INVALID_NAME"
    assert (await made(shared_gateway, owner_of_own, "k")).status == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ä"])
async def test_what_is_no_key(
    shared_gateway: RunningGateway, owner_of_own: Owner, key: str
) -> None:
    """Visible ASCII of at most 255 characters."""
    answer = await made(shared_gateway, owner_of_own, key)
    assert (answer.status, answer.code) == (422, "INVALID_IDEMPOTENCY_KEY")
    assert await count(shared_gateway, owner_of_own) == 0


async def test_a_stolen_table_tells_nothing(
    shared_gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """Neither the key, nor the token that was shown once, nor what was asked.

    A hash of the request without a key would be one to guess its passwords by.
    """
    key = uuid4().hex
    token = (await made(shared_gateway, owner_of_own, key)).json["token"]
    rows = await shared_gateway.fetch(
        """
        SELECT k::text, answer, request_hash FROM gateway.idempotency_key k
        WHERE account_id = $1
        """,
        owner_of_own.account_id,
    )
    [(text, answer, request_hash)] = [tuple(row) for row in rows]
    for secret in (key, token, owner_of_own.token):
        assert secret not in text
        assert secret.encode() not in answer
    asked = f"POST {TOKENS}\napplication/json\n" + '{"name": "script"}'
    assert hashlib.sha256(asked.encode()).digest() != request_hash


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("begun_at = begun_at - interval '24 hours 1 second'", 201),
        ("answer = NULL", 409),
        ("answer = NULL, begun_at = begun_at - interval '61 seconds'", 201),
    ],
    ids=["a day ago", "under way", "the gateway stopped in between"],
)
async def test_when_it_is_done_again(
    shared_gateway: RunningGateway, owner_of_own: Owner, change: str, status: int
) -> None:
    """After a day, and where nobody can know an answer any more."""
    await made(shared_gateway, owner_of_own, "k")
    admin = await asyncpg.connect(shared_gateway.admin_url)
    await admin.execute(
        f"UPDATE gateway.idempotency_key SET {change} WHERE account_id = $1",  # noqa: S608
        owner_of_own.account_id,
    )
    await admin.close()
    again = await made(shared_gateway, owner_of_own, "k")
    assert again.status == status
    assert REPLAYED not in again.headers


@pytest.mark.parametrize("step", [29, pytest.param(1, marks=pytest.mark.deep)])
async def test_a_client_that_hangs_up(
    shared_gateway: RunningGateway, owner_of_own: Owner, step: int
) -> None:
    """Wherever the connection breaks off, the write is done once in the end."""
    headers = {"Idempotency-Key": "dropped", "Content-Type": "application/json"}
    body = b'{"name":"script"}'
    lines = {
        "Host": "localhost",
        "Authorization": f"Bearer {owner_of_own.token}",
        "Content-Length": str(len(body)),
        **headers,
    }
    fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    whole = f"POST {TOKENS} HTTP/1.1\r\n{fields}\r\n".encode() + body
    address = urlsplit(shared_gateway.url)
    for end in range(len(whole), 0, -step):
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(whole[:end])
        await writer.drain()
        writer.close()

    async def sent() -> Answer:
        return await shared_gateway.call(
            "POST", TOKENS, owner=owner_of_own, data=body, headers=headers
        )

    async with asyncio.timeout(10):
        while (again := await sent()).status == 409:
            await asyncio.sleep(0.01)
    assert (again.status, again.headers[REPLAYED]) == (201, "true")
    assert await count(shared_gateway, owner_of_own) == 1
