"""Ids in paths."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from opseer_gateway.domain.refusals import not_found


def id_of(request: web.Request, name: str) -> UUID:
    """Return the id in the path. NOT_FOUND for what no answer of ours has written."""
    text = request.match_info[name]
    try:
        found = UUID(text)
    except ValueError:
        raise not_found() from None
    if str(found) != text:
        raise not_found()
    return found
