"""The OpenAPI document says of each operation what it takes, answers and refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from opseer_gateway.api.description import codes_of, openapi
from opseer_gateway.web.routes import Route

ERRORS = Path(__file__).parents[3] / "docs" / "ERRORS.md"


class Wanted(msgspec.Struct):
    """A body."""

    name: str


class Row(msgspec.Struct):
    """An answer."""

    day: str


async def handle(_: web.Request) -> web.Response:
    """Answer nothing."""
    return web.Response()


READ = Route(
    "GET",
    "/api/v1/things/{date}",
    handle,
    "Read it",
    answers=Row,
    query=("source", "limit", "format"),
    forms=("csv",),
)
WRITE = Route(
    "PUT",
    "/api/v1/things/{thing_id}",
    handle,
    "Write it",
    takes=Wanted,
    answers=Row,
    status=201,
    also=(200,),
    refuses=("NAME_TAKEN",),
)
OPEN = Route("GET", "/healthz", handle, "Alive", public=True)


@pytest.fixture
def paths() -> dict[str, Any]:
    """Return the operations of the three."""
    found: dict[str, Any] = openapi([READ, WRITE, OPEN])["paths"]
    return found


def test_parameters(paths: dict[str, Any]) -> None:
    """A parameter has its form; only the source of a query has to be there."""
    read = paths["/api/v1/things/{date}"]["get"]["parameters"]
    found = {one["name"]: (one["in"], one["required"], one["schema"]) for one in read}
    assert found == {
        "date": ("path", True, {"type": "string", "format": "date"}),
        "source": (
            "query",
            True,
            {"type": "string", "enum": ["stripe", "revenuecat", "polar"]},
        ),
        "limit": (
            "query",
            False,
            {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
        ),
        "format": (
            "query",
            False,
            {"type": "string", "enum": ["json", "csv"], "default": "json"},
        ),
    }
    thing, key = paths["/api/v1/things/{thing_id}"]["put"]["parameters"]
    assert thing["schema"] == {"type": "string", "format": "uuid"}
    assert (key["name"], key["in"], key["required"]) == (
        "Idempotency-Key",
        "header",
        False,
    )


def test_good_answers(paths: dict[str, Any]) -> None:
    """An answer is there with each status and in each form."""
    read = paths["/api/v1/things/{date}"]["get"]["responses"]
    assert set(read["200"]["content"]) == {"application/json", "text/csv"}
    write = paths["/api/v1/things/{thing_id}"]["put"]["responses"]
    assert write["200"]["content"] == write["201"]["content"]
    body = paths["/api/v1/things/{thing_id}"]["put"]["requestBody"]
    assert body["required"] is True


@pytest.mark.parametrize(
    ("route", "codes", "others"),
    [
        (
            READ,
            {"UNAUTHENTICATED", "INVALID_DATE", "INVALID_SOURCE", "INVALID_LIMIT"},
            {"FORBIDDEN_ORIGIN", "INVALID_JSON", "NOT_FOUND"},
        ),
        (
            WRITE,
            {"NAME_TAKEN", "NOT_FOUND", "READ_ONLY_TOKEN", "INVALID_JSON"},
            {"INVALID_DATE"},
        ),
        (OPEN, {"MISDIRECTED_REQUEST"}, {"UNAUTHENTICATED"}),
    ],
)
def test_refusals(route: Route, codes: set[str], others: set[str]) -> None:
    """What a route refuses with follows from its parts."""
    found = set(codes_of(route))
    assert codes <= found
    assert not others & found


def test_refusals_by_status(paths: dict[str, Any]) -> None:
    """Each status names its codes, and nothing else may be answered with it."""
    refused = paths["/api/v1/things/{thing_id}"]["put"]["responses"]["409"]
    assert refused["description"] == "IN_PROGRESS, NAME_TAKEN"
    problem = refused["content"]["application/problem+json"]["schema"]
    codes = ["IN_PROGRESS", "NAME_TAKEN"]
    assert problem["allOf"][1] == {"properties": {"code": {"enum": codes}}}
    assert "default" not in paths["/healthz"]["get"]["responses"]


def test_codes_are_explained() -> None:
    """Rule: a code that a route's parts bring along is one of docs/ERRORS.md."""
    text = ERRORS.read_text("utf-8")
    for route in (READ, WRITE, OPEN):
        assert [code for code in codes_of(route) if f"`{code}`" not in text] == []
