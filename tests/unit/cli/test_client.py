"""The gateway as the command line calls it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console

from opseer_cli.client import Gateway, gateway
from opseer_cli.progress import follow, follow_history
from opseer_common.errors import OpseerError

_SOURCE = "/api/v1/integrations/stripe"


class Script:
    """A gateway that gives the answers of a list, and keeps what it was asked."""

    def __init__(self) -> None:
        """Know no answers yet."""
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[tuple[str, str, str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        """Give the next answer."""
        self.asked.append(
            (
                request.method,
                request.path_qs,
                request.headers["Authorization"],
                await request.text(),
            )
        )
        status, body = self.answers.pop(0)
        if isinstance(body, str):
            return web.Response(status=status, text=body)
        return web.json_response(body, status=status)


@pytest.fixture
async def script() -> AsyncIterator[tuple[Script, Gateway]]:
    """Return a scripted gateway and its client."""
    scripted = Script()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", scripted.answer)
    async with (
        TestServer(app) as server,
        gateway(str(server.make_url("/")), "ops_token") as api,
    ):
        yield scripted, api


async def test_connect_says_what_the_contract_says(
    script: tuple[Script, Gateway],
) -> None:
    """A connect is one PUT with the key in its body and the token in its header."""
    scripted, api = script
    scripted.answers = [(201, {"state": "collecting"})]
    assert await api.connect("stripe", "key") == {"state": "collecting"}
    assert scripted.asked == [
        ("PUT", _SOURCE, "Bearer ops_token", '{"api_key": "key"}'),
    ]


@pytest.mark.parametrize(
    ("call", "asked"),
    [
        (lambda api: api.integration("stripe"), ("GET", _SOURCE)),
        (lambda api: api.refresh("stripe"), ("POST", f"{_SOURCE}/refresh")),
        (lambda api: api.disconnect("stripe"), ("DELETE", _SOURCE)),
        (
            lambda api: api.report(date(2026, 3, 1), "text"),
            ("GET", "/api/v1/reports/daily?format=text&date=2026-03-01"),
        ),
        (lambda api: api.report(None), ("GET", "/api/v1/reports/daily")),
        (lambda api: api.ask_history("stripe"), ("POST", f"{_SOURCE}/history")),
    ],
)
async def test_each_call_has_its_route(
    script: tuple[Script, Gateway],
    call: Callable[[Gateway], Any],
    asked: tuple[str, str],
) -> None:
    """The calls go where the contract puts them."""
    scripted, api = script
    scripted.answers = [(200, {})]
    await call(api)
    assert scripted.asked[0][:2] == asked


async def test_refusal_keeps_the_gateways_words(
    script: tuple[Script, Gateway],
) -> None:
    """A problem document becomes its code and detail."""
    scripted, api = script
    scripted.answers = [(422, {"code": "INVALID_PREFIX", "detail": "Use rk_."})]
    with pytest.raises(OpseerError, match=r"^INVALID_PREFIX: Use rk_\.$"):
        await api.connect("stripe", "key")


async def test_answer_of_a_proxy_is_no_crash(script: tuple[Script, Gateway]) -> None:
    """An error page that isn't JSON becomes its status."""
    scripted, api = script
    scripted.answers = [(502, "<html>")]
    with pytest.raises(OpseerError, match="answered 502"):
        await api.integration("stripe")


def _row(state: str, progress: object) -> tuple[int, dict[str, object]]:
    """Return an answer with an integration's row."""
    return 200, {"state": state, "progress": progress, "last_error": None}


async def test_following_ends_with_the_run(
    script: tuple[Script, Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar stays until the first collection is over, whatever is null meanwhile."""
    monkeypatch.setattr("opseer_cli.progress._INTERVAL", 0.01)
    scripted, api = script
    scripted.answers = [
        _row("collecting", None),
        _row("collecting", {"stage": "days", "done": 3, "total": 90, "eta_s": 9}),
        _row("connected", {"stage": "mrr", "done": 1, "total": None, "eta_s": None}),
        _row("connected", None),
    ]
    row = await follow(api, "stripe", Console(file=io.StringIO()))
    assert row["state"] == "connected"
    assert scripted.answers == []


async def test_following_stops_at_a_refused_key(
    script: tuple[Script, Gateway],
) -> None:
    """A key that the provider refuses meanwhile is an error, not an endless bar."""
    scripted, api = script
    scripted.answers = [_row("auth_failed", None)]
    with pytest.raises(OpseerError, match="AUTH_FAILED"):
        await follow(api, "stripe", Console(file=io.StringIO()))


def _history(state: str, progress: object, reason: str | None) -> tuple[int, Any]:
    """Return an answer with a run that reads older history."""
    run = {"run_id": "7", "state": state, "progress": progress}
    return 200, {"run": run, "reason": reason, "rows": []}


async def test_older_history_is_followed_to_its_end(
    script: tuple[Script, Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar stays from before the run is known until its estimate is made."""
    monkeypatch.setattr("opseer_cli.progress._INTERVAL", 0.01)
    scripted, api = script
    progress = {"stage": "invoices", "done": 3, "total": 200, "eta_s": 9}
    scripted.answers = [
        (200, {"run": None, "reason": "BEFORE_HISTORY", "rows": []}),
        _history("running", progress, "COLLECTING"),
        _history("done", {**progress, "stage": "computing"}, "COLLECTING"),
        _history("done", None, None),
    ]
    found = await follow_history(api, "stripe", "7", Console(file=io.StringIO()))
    assert (found["reason"], scripted.answers) == (None, [])
    scripted.answers = [_history("failed", None, "BEFORE_HISTORY")]
    with pytest.raises(OpseerError, match="AUTH_FAILED"):
        await follow_history(api, "stripe", "7", Console(file=io.StringIO()))
