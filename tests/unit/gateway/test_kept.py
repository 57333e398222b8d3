"""Answers that are kept while nothing changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from opseer_gateway.domain.visitors import Visitor
from opseer_gateway.web.kept import FRESH_SECONDS, LONGEST_SECONDS, Kept
from opseer_gateway.web.routes import Route, definitions
from opseer_gateway.web.sessions import Sessions

ADA = {"Authorization": "Bearer ada"}
BOB = {"Authorization": "Bearer bob"}


class World:
    """Two accounts, a figure, and how often each was asked for."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.revision = "r1"
        self.figure = 1
        self.made = 0
        self.read = 0
        self.gone: set[str] = set()
        self.counted: list[tuple[int, float]] = []

    def clock(self) -> float:
        return self.now

    async def tag(self, _: UUID) -> str:
        self.read += 1
        return self.revision

    def count(self, _: web.Request, answer: web.StreamResponse, seconds: float) -> None:
        self.counted.append((answer.status, seconds))

    async def by_session(self, _: str) -> Visitor | None:
        return None

    async def by_api_token(self, token: str) -> Visitor | None:
        if token in self.gone:
            return None
        return Visitor(UUID(int=len(token) + ord(token[0])), "max")

    async def show(self, request: web.Request) -> web.Response:
        self.made += 1
        return web.json_response([self.figure, request.query.get("n")])

    async def other(self, _: web.Request) -> web.Response:
        return web.Response()


@asynccontextmanager
async def serving(
    world: World,
) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """Serve one kept route, and one that is not."""
    sessions = Sessions(world, secure=False)
    kept = Kept(sessions, world.tag, world.count, world.clock)
    app = web.Application(middlewares=[kept.repeats, kept.middleware])
    routes = kept.routes([Route("GET", "/figure", world.show, "")])
    app.add_routes(definitions(routes))
    app.router.add_route("*", "/other", world.other)
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_made_once_while_nothing_changes() -> None:
    """The same request is answered with the kept body, also after a moment."""
    world = World()
    async with serving(world) as client:
        for _ in range(3):
            answer = await client.get("/figure", headers=ADA)
            assert await answer.json() == [1, None]
            world.now += FRESH_SECONDS * 2
    assert (world.made, world.read) == (1, 3)


async def test_repeats_are_counted() -> None:
    """What is answered before the counting middleware is told to it all the same."""
    world = World()
    async with serving(world) as client:
        for _ in range(3):
            await client.get("/figure", headers=ADA)
    assert world.counted == [(200, 0.0)] * 2


async def test_a_new_revision_is_seen() -> None:
    """Once the revisions are read again, an answer of older ones is not used."""
    world = World()
    async with serving(world) as client:
        await client.get("/figure", headers=ADA)
        world.revision, world.figure = "r2", 2
        world.now += FRESH_SECONDS * 1.1
        answer = await client.get("/figure", headers=ADA)
        assert await answer.json() == [2, None]


async def test_who_saw_something_else_sees_the_newest() -> None:
    """After any other request the revisions are read again, however soon."""
    world = World()
    async with serving(world) as client:
        for method in ("GET", "POST", "DELETE"):
            await client.get("/figure", headers=ADA)
            world.revision, world.figure = method, world.figure + 1
            await client.request(method, "/other", headers=ADA)
            answer = await client.get("/figure", headers=ADA)
            assert (await answer.json())[0] == world.figure


async def test_each_account_and_address_has_its_own() -> None:
    """Nobody gets the answer of another account, or of another query."""
    world = World()
    async with serving(world) as client:
        await client.get("/figure", headers=ADA)
        world.figure = 7
        answer = await client.get("/figure", headers=BOB)
        assert await answer.json() == [7, None]
        answer = await client.get("/figure?n=1", headers=ADA)
        assert await answer.json() == [7, "1"]


async def test_a_token_that_ended_gets_nothing_kept() -> None:
    """What is kept is for those who may read it: each is checked again."""
    world = World()
    async with serving(world) as client:
        await client.get("/figure", headers=ADA)
        world.gone.add("ada")
        world.now += FRESH_SECONDS * 1.1
        before = world.made
        await client.get("/figure", headers=ADA)
        assert world.made == before + 1  # the route itself, which refuses


async def test_nothing_is_kept_for_long() -> None:
    """Pages say how long ago things were: an answer is made anew after a while."""
    world = World()
    async with serving(world) as client:
        await client.get("/figure", headers=ADA)
        world.now += LONGEST_SECONDS + 1
        await client.get("/figure", headers=ADA)
    assert world.made == 2


async def test_a_client_that_has_it_gets_no_body() -> None:
    """If-None-Match with the answer's ETag is 304, and 200 once the answer differs."""
    world = World()
    async with serving(world) as client:
        etag = (await client.get("/figure", headers=ADA)).headers["ETag"]
        for sent in (etag, f'"x", W/{etag}', "*"):
            asked = {**ADA, "If-None-Match": sent}
            answer = await client.get("/figure", headers=asked)
            assert (answer.status, await answer.read()) == (304, b"")
            assert answer.headers["ETag"] == etag
        world.revision, world.figure = "r2", 2
        world.now += FRESH_SECONDS * 1.1
        answer = await client.get("/figure", headers={**ADA, "If-None-Match": etag})
        assert answer.status == 200
        assert answer.headers["ETag"] != etag
