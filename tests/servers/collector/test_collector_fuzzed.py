"""Whatever a provider sends, a run ends, and what it cannot read is told."""

from __future__ import annotations

import copy
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import msgspec
import pytest
from aiohttp import ClientSession, web

from opseer_common.testing.listening import listening

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany

ODD: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63 - 1, -(2**63), 10**30, 1.5, -0.0),
    *("", "x", "usd", "USD ", "a\0b", "\u202e", "z" * 300, "1000", "\ud7ff"),
    *([], [None], [[[[[]]]]], {}, {"id": None}, {"id": "x\0"}, {"data": 5}),
    *({"data": [{}], "has_more": True}, {"data": [None], "has_more": "yes"}),
)
"""What no field expects."""


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place of a JSON value, as container and key."""
    found: list[tuple[Any, Any]] = []
    keys = value if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        found.append((value, key))
        if isinstance(value[key], dict | list):
            found += places(value[key])
    return found


def spoiled(value: Any, rng: random.Random) -> Any:
    """Return a JSON value with something odd in some of its places."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 5))):
        known = places(value)
        if not known:
            return value
        container, key = rng.choice(known)
        if isinstance(container, dict) and rng.random() < 0.2:
            del container[key]
        else:
            container[key] = copy.deepcopy(rng.choice(ODD))
    return value


@asynccontextmanager
async def between(base: str, seed: int) -> AsyncIterator[str]:
    """Stand between the collector and the company, and spoil some of its answers."""
    rng = random.Random(seed)  # noqa: S311 - what to spoil, no secret

    async def handle(request: web.Request) -> web.Response:
        """Pass a request on; in a third of the answers something is odd."""
        async with session.get(base + request.path_qs, headers=headers(request)) as got:
            body, status = await got.read(), got.status
        if rng.random() < 0.35 and request.path != "/v1/balance":
            body = msgspec.json.encode(spoiled(msgspec.json.decode(body), rng))
        return web.Response(body=body, status=status, content_type="application/json")

    def headers(request: web.Request) -> dict[str, str]:
        """Return what the company reads."""
        names = ("Authorization", "Stripe-Version")
        return {name: request.headers[name] for name in names}

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    async with ClientSession() as session, listening(app) as url:
        yield url


@pytest.mark.parametrize(
    "seeds",
    [range(2), pytest.param(range(2, 60), marks=pytest.mark.deep)],
    ids=["few", "many"],
)
@pytest.mark.timeout(3000)
async def test_no_answer_breaks_a_run(
    company: StripeCompany, collector: Collector, seeds: range
) -> None:
    """It ends as done or is tried later for the provider's sake, never for a fault.

    And the next honest reading heals whatever was read.
    """
    made = await collector.collect()
    for seed in seeds:
        async with between(company.base, seed) as base:
            collector.bases["test"] = base
            await collector.request(made, uuid4(), "refresh")
            assert await collector.drive_all() == 1
        error = (await collector.connection(made))["last_error_code"]
        assert error in (None, "PROVIDER_UNAVAILABLE"), seed
        collector.bases["test"] = company.base
        company.now += timedelta(hours=2)
    await collector.request(made, uuid4(), "refresh")
    assert await collector.drive_all() >= 1
    assert await collector.figures(made) == company.truth()
    assert set((await collector.connection(made))["flags"]) <= {"drift"}
