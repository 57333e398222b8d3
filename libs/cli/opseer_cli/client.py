"""A running gateway as the command line sees it: docs/API, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import aiohttp

from opseer_common.errors import OpseerError

_TIMEOUT = aiohttp.ClientTimeout(total=30)
_FIRST_ERROR = 400


class Gateway:
    """One gateway, called with one API token."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        """Use `session`, whose headers hold the token; `url` has no path."""
        self._session = session
        self._url = url

    async def integration(self, source: str) -> dict[str, Any]:
        """Return the integration's row."""
        return await self._json("GET", f"/api/v1/integrations/{source}")

    async def connect(self, source: str, key: str) -> dict[str, Any]:
        """Connect `source` with a provider key; return the row."""
        body = {"api_key": key}
        return await self._json("PUT", f"/api/v1/integrations/{source}", body)

    async def connect_demo(self, source: str) -> dict[str, Any]:
        """Connect `source` with demo data; return the row."""
        return await self._json("PUT", f"/api/v1/integrations/{source}/demo")

    async def refresh(self, source: str) -> dict[str, Any]:
        """Fetch the 90 days again; return `{run_id}`."""
        return await self._json("POST", f"/api/v1/integrations/{source}/refresh")

    async def ask_history(self, source: str) -> dict[str, Any]:
        """Have older history read; return `{run_id}`."""
        return await self._json("POST", f"/api/v1/integrations/{source}/history")

    async def history(self, source: str) -> dict[str, Any]:
        """Return older history, estimated, and the run that reads it."""
        query = {"source": source}
        return await self._json("GET", "/api/v1/mrr/history", query=query)

    async def disconnect(self, source: str) -> None:
        """Delete the key and what it brought."""
        await self._text("DELETE", f"/api/v1/integrations/{source}")

    async def report(self, day: date | None, form: str = "json") -> str:
        """Return the daily report as text, JSON or HTML; without `day` the latest."""
        query = {"format": form} if form != "json" else {}
        if day is not None:
            query["date"] = day.isoformat()
        return await self._text("GET", "/api/v1/reports/daily", query=query)

    async def figures(self, path: str, query: Mapping[str, str]) -> str:
        """Return what a route of figures answers, JSON or CSV as `query` asks."""
        return await self._text("GET", f"/api/v1/{path}", query=query)

    async def report_document(self, day: date) -> dict[str, Any]:
        """Return the daily report as a document."""
        query = {"date": day.isoformat()}
        return await self._json("GET", "/api/v1/reports/daily", query=query)

    async def _json(
        self,
        method: str,
        path: str,
        body: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        async with self._answer(method, path, body, query) as answer:
            document: dict[str, Any] = await answer.json()
            return document

    async def _text(
        self, method: str, path: str, query: Mapping[str, str] | None = None
    ) -> str:
        async with self._answer(method, path, None, query) as answer:
            return await answer.text()

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, str] | None,
        query: Mapping[str, str] | None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield a good answer. OpseerError with the gateway's words for another."""
        try:
            async with self._session.request(
                method, self._url + path, json=body, params=query
            ) as answer:
                if answer.status >= _FIRST_ERROR:
                    raise OpseerError(await _words_of(answer))
                yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OpseerError(
                f"no answer from {self._url} ({type(error).__name__}): is Opseer up?"
            ) from None


async def _words_of(answer: aiohttp.ClientResponse) -> str:
    """Return what a problem document says."""
    try:
        problem = await answer.json(content_type=None)
        return f"{problem['code']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"the gateway answered {answer.status}"


@asynccontextmanager
async def gateway(url: str, token: str) -> AsyncIterator[Gateway]:
    """Yield the gateway at `url`, called with `token`."""
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {token}"},
        timeout=_TIMEOUT,
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield Gateway(session, url.rstrip("/"))
