"""Checks of tokens that are remembered for a moment."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from opseer_gateway.domain.visitors import Visitor
from opseer_gateway.web.remembered import SECONDS, Remembered

OWNER = Visitor(UUID(int=1), "max")


class Door:
    """Knows one session and one API token, until they end; counts the questions."""

    def __init__(self) -> None:
        self.asked = 0
        self.open = True

    async def by_session(self, token: str) -> Visitor | None:
        self.asked += 1
        return OWNER if self.open and token == "good" else None

    async def by_api_token(self, token: str) -> Visitor | None:
        return await self.by_session(token)


class Watch:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_good_token_is_asked_for_once_a_second() -> None:
    """Within a second it is not asked for again; after it, it is."""
    door, watch = Door(), Watch()
    remembered = Remembered(door, watch)
    for _ in range(3):
        assert await remembered.by_session("good") == OWNER
    assert door.asked == 1
    watch.now += SECONDS + 0.01
    door.open = False
    assert await remembered.by_session("good") is None
    assert SECONDS <= 1


async def test_a_wrong_token_is_never_remembered() -> None:
    """One that nobody holds is asked for each time: it may be good the next moment."""
    door = Door()
    remembered = Remembered(door, Watch())
    door.open = False
    assert await remembered.by_session("good") is None
    door.open = True
    assert await remembered.by_session("good") == OWNER


async def test_sessions_and_api_tokens_are_apart() -> None:
    """The same text as the other kind of token is a question of its own."""
    door = Door()
    remembered = Remembered(door, Watch())
    await remembered.by_session("good")
    await remembered.by_api_token("good")
    assert door.asked == 2


async def test_a_write_forgets() -> None:
    """Whatever is written, signing out among it, makes each token be checked anew."""
    door = Door()
    remembered = Remembered(door, Watch())
    assert await remembered.by_session("good") == OWNER

    async def sign_out(_: web.Request) -> web.Response:
        door.open = False
        return web.Response()

    app = web.Application(middlewares=[remembered.middleware])
    app.router.add_post("/logout", sign_out)
    async with TestClient(TestServer(app)) as client:
        await client.post("/logout")
    assert await remembered.by_session("good") is None
