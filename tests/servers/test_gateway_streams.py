"""How long, and by how many, a collection is followed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio

from opseer_gateway.api.integrations import MOST_STREAMS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

    from opseer_common.testing.gateway import Owner, RunningGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = "/api/v1/integrations/stripe"
PATIENCE_SECONDS = 5


@pytest_asyncio.fixture(loop_scope="module")
async def follower(shared_gateway: RunningGateway, owner_of_own: Owner) -> Owner:
    """Return who has connected; nobody collects, so that there is much to follow."""
    answer = await shared_gateway.call("PUT", f"{PATH}/demo", owner=owner_of_own)
    assert answer.status == 201, answer.text
    return owner_of_own


@asynccontextmanager
async def followed(
    gateway: RunningGateway, owner: Owner
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Open a stream."""
    headers = {"Authorization": f"Bearer {owner.token}"}
    url = f"{gateway.url}{PATH}/progress"
    async with gateway.session.get(url, headers=headers) as answer:
        yield answer


async def test_one_account_has_so_many(
    shared_gateway: RunningGateway, follower: Owner
) -> None:
    """Then 429, for this account alone; one that was left makes room for the next."""
    other = await shared_gateway.sign_up(f"{uuid4().hex[:12]}@example.com")
    async with AsyncExitStack() as held:
        for _ in range(MOST_STREAMS):
            opened = followed(shared_gateway, follower)
            assert (await held.enter_async_context(opened)).status == 200
        async with followed(shared_gateway, follower) as refused:
            assert refused.status == 429
            assert (await refused.json(content_type=None))["code"] == "RATE_LIMITED"
        async with followed(shared_gateway, other) as fine:
            assert fine.status == 200
    status = 429
    async with asyncio.timeout(PATIENCE_SECONDS):
        while status == 429:
            async with followed(shared_gateway, follower) as again:
                status = again.status
    assert status == 200


async def test_who_may_not_read_any_more(
    shared_gateway: RunningGateway, follower: Owner
) -> None:
    """The stream ends when the token is deleted, although the run goes on."""
    async with followed(shared_gateway, follower) as answer:
        assert b'"stage":"queued"' in await answer.content.readline()
        tokens = await shared_gateway.call("GET", "/api/v1/tokens", owner=follower)
        [token] = tokens.json["tokens"]
        await shared_gateway.call(
            "DELETE", f"/api/v1/tokens/{token['token_id']}", owner=follower
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            rest = await answer.content.read()
    assert b'"progress":null' not in rest
