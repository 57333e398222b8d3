"""Readiness, and the description of the API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from opseer_common.errors import TryLaterError
from opseer_gateway.api import operations
from opseer_gateway.api.operations import OperationRoutes


async def well() -> bool:
    """Answer."""
    return True


async def away() -> bool:
    """Fail as a part does that is away."""
    raise TryLaterError("away")


async def stuck() -> bool:
    """Hang."""
    await asyncio.Event().wait()
    return True


@pytest.mark.parametrize(("probe", "status"), [(well, 200), (away, 503), (stuck, 503)])
async def test_readiness(
    monkeypatch: pytest.MonkeyPatch,
    probe: Callable[[], Awaitable[bool]],
    status: int,
) -> None:
    """Ready means that each part answers in time; one that hangs keeps nobody."""
    monkeypatch.setattr(operations, "_PROBE_SECONDS", 0.1)
    app = web.Application()
    for route in OperationRoutes({"database": probe, "bus": well}, []).routes():
        app.router.add_route(route.method, route.path, route.handle)
    async with TestClient(TestServer(app)) as client:
        async with asyncio.timeout(10), client.get("/readyz") as answer:
            assert answer.status == status
            parts = (await answer.json())["parts"]
        assert parts == {"database": status == 200, "bus": True}
        async with client.get("/healthz") as answer:
            assert answer.status == 200
