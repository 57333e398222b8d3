"""The OpenAPI document of the API, from the routes and the shapes that they use.

What an operation can answer is the sum of what its parts can: its parameters, its
body, its visitor, and the codes that its route names itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, get_args

import msgspec

from opseer_gateway.domain.figures import Grain
from opseer_gateway.domain.integrations import SOURCES
from opseer_gateway.domain.paging import CURSOR_FORM, DEFAULT_LIMIT, LARGEST_LIMIT
from opseer_gateway.web.idempotency import FORM, HEADER
from opseer_gateway.web.problems import Problem, status_of
from opseer_gateway.web.routes import Route

_VERSION: Final = "0.1.0"
_ALWAYS: Final = (
    "BAD_REQUEST",
    "DUPLICATE_COOKIE",
    "MISDIRECTED_REQUEST",
    "UNAVAILABLE",
)
_BODY: Final = (
    "INVALID_JSON",
    "DUPLICATE_FIELD",
    "UNKNOWN_FIELD",
    "REQUIRED",
    "TYPE",
    "INVALID_VALUE",
    "INVALID_TEXT",
)
_WRITE: Final = (
    "FORBIDDEN_ORIGIN",
    "REQUEST_TIMEOUT",
    "BODY_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
)
_SIGNED_WRITE: Final = (
    "READ_ONLY_TOKEN",
    "INVALID_IDEMPOTENCY_KEY",
    "IDEMPOTENCY_KEY_REUSED",
    "IN_PROGRESS",
)
_QUERY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "source": ("INVALID_SOURCE",),
        "from": ("INVALID_DATE", "INVALID_RANGE"),
        "to": ("INVALID_DATE", "INVALID_RANGE"),
        "date": ("INVALID_DATE",),
        "format": ("INVALID_FORMAT",),
        "grain": ("INVALID_GRAIN",),
        "limit": ("INVALID_LIMIT",),
        "cursor": ("INVALID_CURSOR",),
    }
)
"""What a query parameter may be refused with. Dates in paths are refused so, too."""
_REQUIRED: Final = frozenset({"source"})
_DAY: Mapping[str, Any] = MappingProxyType({"type": "string", "format": "date"})
_SHAPES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "source": {"type": "string", "enum": list(SOURCES)},
        "from": _DAY,
        "to": _DAY,
        "date": _DAY,
        "grain": {
            "type": "string",
            "enum": list(get_args(Grain)),
            "default": "subscription",
        },
        "limit": {
            "type": "integer",
            "minimum": 1,
            "maximum": LARGEST_LIMIT,
            "default": DEFAULT_LIMIT,
        },
        "cursor": {"type": "string", "pattern": f"^{CURSOR_FORM}$"},
        "token": {"type": "string"},
        HEADER: {"type": "string", "pattern": f"^{FORM}$"},
    }
)
_SAID: Mapping[str, str] = MappingProxyType(
    {
        "source": "The payment channel",
        "from": "The first day; an older one than there is is clipped",
        "to": "The last day; at most 366 days after the first",
        "date": "The day, in the time zone of the account's days",
        "format": "How the answer is written",
        "grain": "Whether MRR moves per subscription or per customer",
        "limit": "How many entries a page has",
        "cursor": "`next_cursor` of the page before",
        HEADER: "For 24 hours the same request with the same key is done once",
    }
)
_MEDIA: Mapping[str, str] = MappingProxyType(
    {
        "json": "application/json",
        "csv": "text/csv",
        "text": "text/plain",
        "html": "text/html",
        "events": "text/event-stream",
    }
)
_JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"


def openapi(routes: list[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of `routes`."""
    shapes = [shape for route in routes for shape in (route.takes, route.answers)]
    known = [*(one for one in dict.fromkeys(shapes) if one is not None), Problem]
    schemas, components = msgspec.json.schema_components(
        known, ref_template="#/components/schemas/{name}"
    )
    by_shape = dict(zip(known, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operations = paths.setdefault(route.path, {})
        operations[route.method.lower()] = _operation(route, by_shape)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Opseer", "version": _VERSION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "opseer_session"},
            },
        },
        "security": [{"token": []}, {"session": []}],
    }


def codes_of(route: Route) -> tuple[str, ...]:
    """Return every code that a route refuses with, each once."""
    return tuple(dict.fromkeys(_codes(route)))


def _codes(route: Route) -> Iterator[str]:
    """Return the codes of a route's parts."""
    yield from _ALWAYS
    if not route.public:
        yield "UNAUTHENTICATED"
    if route.method != "GET":
        yield from _WRITE
        if not route.public:
            yield from _SIGNED_WRITE
    if route.takes is not None:
        yield from _BODY
    for name in _in_path(route):
        yield "INVALID_DATE" if name == "date" else "NOT_FOUND"
    for name in route.query:
        yield from _QUERY[name]
    yield from route.refuses


def _operation(route: Route, by_shape: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    """Return one operation."""
    words = [word.strip("{}") for word in route.path.split("/") if word]
    found: dict[str, Any] = {
        "operationId": "_".join([route.method.lower(), *words]).replace(".", "_"),
        "summary": route.summary,
        "parameters": [
            *(_parameter(route, name, "path") for name in _in_path(route)),
            *(_parameter(route, name, "query") for name in route.query),
            *(
                [_parameter(route, HEADER, "header")]
                if route.method != "GET" and not route.public
                else []
            ),
        ],
        "responses": {**_good(route, by_shape), **_bad(route, by_shape)},
    }
    if route.takes is not None:
        found["requestBody"] = {
            "required": not route.may_be_empty,
            "content": {_JSON: {"schema": by_shape[route.takes]}},
        }
    if route.public:
        found["security"] = []
    return found


def _good(route: Route, by_shape: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    """Return the answers of a request that is not refused."""
    good: dict[str, Any] = {"description": route.summary}
    content: dict[str, Any] = {}
    if route.answers is not None:
        content[_JSON] = {"schema": by_shape[route.answers]}
    for form in route.forms:
        content[_MEDIA[form]] = {"schema": {"type": "string"}}
    if content:
        good["content"] = content
    return {str(status): good for status in (route.status, *route.also)}


def _bad(route: Route, by_shape: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    """Return the refusals by status, each with its codes."""
    by_status: dict[int, list[str]] = {}
    for code in codes_of(route):
        by_status.setdefault(status_of(code), []).append(code)
    return {
        str(status): {
            "description": ", ".join(codes),
            "content": {
                _PROBLEM: {
                    "schema": {
                        "allOf": [
                            by_shape[Problem],
                            {"properties": {"code": {"enum": codes}}},
                        ]
                    }
                }
            },
        }
        for status, codes in sorted(by_status.items())
        if status not in (route.status, *route.also)
    }


def _in_path(route: Route) -> list[str]:
    """Return the names of the parameters in a path."""
    return [part[1:-1] for part in route.path.split("/") if part.startswith("{")]


def _parameter(route: Route, name: str, place: str) -> dict[str, Any]:
    """Return a parameter; one name means the same everywhere."""
    shape: Mapping[str, Any] = {"type": "string", "format": "uuid"}
    if name == "format":
        shape = {"type": "string", "enum": ["json", *route.forms], "default": "json"}
    elif name in _SHAPES:
        shape = _SHAPES[name]
    found = {
        "name": name,
        "in": place,
        "required": place == "path" or name in _REQUIRED,
        "schema": dict(shape),
    }
    if name in _SAID:
        found["description"] = _SAID[name]
    return found
