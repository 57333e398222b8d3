"""A stand-in for Stripe's server whose every answer a test writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import msgspec
import pytest
from aiohttp import web

from opseer_collector.providers.session import open_session
from opseer_collector.providers.stripe.client import StripeClient
from opseer_collector.providers.stripe.pace import Pacer
from opseer_common.sealing import Secret
from opseer_common.testing.listening import listening

KEY = "rk_" + "test_" + "z" * 24
Answer = web.Response | Callable[[web.Request], Awaitable[web.StreamResponse]]


class StandIn:
    """Answers with what was written, in order; the last answer repeats."""

    def __init__(self) -> None:
        """Answer nothing yet."""
        self.answers: list[Answer] = []
        self.asked: list[web.Request] = []
        self.slept: list[float] = []
        self.base = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, web.Response):
            return web.Response(
                body=answer.body, status=answer.status, headers=answer.headers
            )
        return await answer(request)

    async def sleep(self, seconds: float) -> None:
        """Note how long would have been waited."""
        self.slept.append(seconds)

    def json(
        self, *values: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Write JSON answers."""
        self.answers += [
            web.Response(
                body=msgspec.json.encode(value),
                status=status,
                headers={"Content-Type": "application/json", **(headers or {})},
            )
            for value in values
        ]

    def error(self, status: int, message: str = "no", **fields: str) -> None:
        """Write one refusal in Stripe's envelope."""
        self.json({"error": {"message": message, **fields}}, status=status)


@pytest.fixture
async def stripe() -> AsyncIterator[StandIn]:
    """Return the stand-in, listening."""
    made = StandIn()
    app = web.Application()
    app.router.add_get("/{path:.*}", made.handle)
    async with listening(app) as made.base:
        yield made


@pytest.fixture
async def client(stripe: StandIn) -> AsyncIterator[StripeClient]:
    """Return a client of the stand-in that never really waits."""
    async with open_session() as session:
        yield StripeClient(session, stripe.base, Secret(KEY), Pacer(5000), stripe.sleep)
