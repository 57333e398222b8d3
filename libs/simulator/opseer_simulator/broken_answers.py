"""Answers that no client can use, whatever API they are of."""

from __future__ import annotations

from aiohttp import web


def html_page() -> web.Response:
    """Return a page with 200 where JSON is expected."""
    return web.Response(
        text="<html><body>Be right back</body></html>", content_type="text/html"
    )


def truncated(whole: web.StreamResponse) -> web.Response:
    """Return the first half of an answer's body."""
    body = whole.body if isinstance(whole, web.Response) else b""
    half = body[: len(body) // 2] if isinstance(body, bytes) else b""
    return web.Response(body=half, content_type="application/json")
