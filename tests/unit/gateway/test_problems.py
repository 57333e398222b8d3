"""Faults of ours: told in general to the visitor, in particular to the log."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
import structlog
from aiohttp import web

from opseer_common import logs
from opseer_gateway.web.bodies import BodyTimer
from opseer_gateway.web.guard import GuardedRunner
from opseer_gateway.web.problems import expectation, problems

CANARY = "Zq8" * 12
KEY = "rk_" + "live_" + CANARY


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Return what the process writes to its log, set up as a service does."""
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    before = logging.root.handlers[:]
    logs.configure("gateway", level=logging.DEBUG)
    yield out
    logging.root.handlers[:] = before
    logging.root.setLevel(logging.WARNING)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
async def url(written: io.StringIO) -> AsyncIterator[str]:
    """Return the address of a server whose one route fails."""

    async def fail(request: web.Request) -> web.Response:
        sent = (await request.read()).decode()
        raise ValueError(f"cannot use {sent} of {request.rel_url}")

    app = web.Application(middlewares=[problems, BodyTimer().middleware])
    app.router.add_post("/fail", fail, expect_handler=expectation)
    runner = GuardedRunner(app, access_log=None, lingering_time=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def post(url: str, path: str, headers: str, body: str = "") -> str:
    """Send a request as it is, and return what comes until the connection ends."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    answer = (await asyncio.wait_for(reader.read(), 5)).decode()
    writer.close()
    return answer


async def test_a_fault_tells_the_visitor_nothing(
    url: str, written: io.StringIO
) -> None:
    """500 with the id that the log has, and not a word of the exception."""
    answer = await post(url, f"/fail?api_key={KEY}", "", KEY)
    assert answer.startswith("HTTP/1.1 500 ")
    problem = msgspec.json.decode(answer.partition("\r\n\r\n")[2])
    assert problem["code"] == "INTERNAL_ERROR"
    assert problem["request_id"] in written.getvalue()
    for word in (CANARY, "cannot use", "ValueError", "Traceback", "api_key"):
        assert word not in answer


async def test_no_key_and_no_address_is_logged(url: str, written: io.StringIO) -> None:
    """Neither a fault, nor a path that is not served, nor bad HTTP logs what was sent.

    At the level DEBUG, too; who handles a fault finds its kind and its traceback.
    """
    authorization = f"Authorization: Bearer {KEY}\r\n"
    await post(url, "/fail", authorization, KEY)
    await post(url, f"/nowhere/{KEY}?api_key={KEY}&colour=red", authorization)
    await post(url, f"/fail?colour=red&q={KEY}", f"{authorization}X: \0{KEY}\r\n")
    await post(url, "/fail", f"{authorization}Expect: {KEY}\r\n")
    log = written.getvalue()
    assert "ValueError" in log
    assert "in fail" in log
    assert CANARY not in log
    assert "colour=red" not in log
