"""A conversation with a provider that tells figures by the day, against a stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import web

from opseer_collector.domain.fetching import ProviderAwayError
from opseer_collector.providers.attempts import UnreadableError
from opseer_collector.providers.polar.dialect import PolarDialect
from opseer_collector.providers.reading import JsonReader, Place
from opseer_collector.providers.session import open_session
from opseer_common.sealing import Secret
from opseer_common.testing.listening import listening


class Shape(msgspec.Struct):
    """What is asked for."""

    count: int


class StandIn:
    """Answers with what it is given, the last of it again and again."""

    def __init__(self) -> None:
        self.calls = 0
        self.bodies: list[tuple[str, str]] = []
        self.base = ""

    async def answer(self, _: web.Request) -> web.Response:
        """Give the next answer."""
        body, kind = self.bodies[min(self.calls, len(self.bodies) - 1)]
        self.calls += 1
        return web.Response(text=body, content_type=kind)


@pytest.fixture
async def provider() -> AsyncIterator[StandIn]:
    """Return a provider of one path."""
    made = StandIn()
    app = web.Application()
    app.add_routes([web.get("/v1/thing", made.answer)])
    async with listening(app) as made.base:
        yield made


async def read(provider: StandIn) -> Shape:
    """Ask once, without waiting between the tries."""

    async def no_sleep(_: float) -> None:
        """Wait for nothing."""

    async with open_session() as session:
        key = Secret("polar_" + "oat_" + "x" * 20)
        reader = JsonReader(session, provider.base, key, PolarDialect(), no_sleep)
        return await reader.get(Place("/v1/thing"), [], Shape)


@pytest.mark.parametrize(
    ("body", "kind"),
    [("<html>down for maintenance</html>", "text/html"), ("", "application/json")],
)
async def test_a_page_or_nothing_is_a_provider_that_is_away(
    provider: StandIn, body: str, kind: str
) -> None:
    """Rule: 200 without JSON is as a 503: tried six times, then tried later."""
    provider.bodies = [(body, kind)]
    with pytest.raises(ProviderAwayError):
        await read(provider)
    assert provider.calls == 6


@pytest.mark.parametrize(
    ("body", "path"), [('{"count": "7"}', "$.count"), ("{", "invalid JSON")]
)
async def test_json_of_another_shape_stays_unreadable(
    provider: StandIn, body: str, path: str
) -> None:
    """Rule: what came and cannot be read is told by its place."""
    provider.bodies = [(body, "application/json")]
    with pytest.raises(UnreadableError) as refused:
        await read(provider)
    assert (refused.value.path, provider.calls) == (path, 6)


async def test_a_passing_fault_changes_nothing(provider: StandIn) -> None:
    """Rule: the first answer that can be read is taken."""
    provider.bodies = [("", "text/html"), ("{", "application/json")]
    provider.bodies.append(('{"count": 7}', "application/json"))
    assert (await read(provider)).count == 7
    assert provider.calls == 3
