"""The API's page, from the same document as /api/v1/openapi.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from opseer_gateway.pages.frame import Frames
from opseer_gateway.pages.rendering import Renderer
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions

_HEADS: Final = {
    "setup": "Setting up",
    "auth": "Signing in",
    "tokens": "API tokens",
    "users": "People",
    "invitations": "People",
    "integrations": "Payment channels",
    "revenue": "Revenue",
    "mrr": "MRR",
    "reports": "Reports",
    "alerts": "Alerts",
    "deliveries": "Alerts",
    "projects": "Projects",
}
_REST: Final = "Operations"


@dataclass(frozen=True, slots=True)
class Field:
    """One property of a body; `kind` in words."""

    name: str
    kind: str
    required: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as the page shows it."""

    method: str
    path: str
    summary: str
    public: bool
    parameters: tuple[tuple[str, str], ...]
    takes: str
    takes_note: str
    takes_fields: tuple[Field, ...]
    status: str
    answers: str
    answers_note: str
    answers_fields: tuple[Field, ...]


def sections_of(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """Return the operations of an OpenAPI document, by what they are about."""
    found: dict[str, list[Operation]] = {}
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        words = [word for word in path.split("/") if word not in ("", "api", "v1")]
        head = _HEADS.get(words[0], _REST)
        for method, one in operations.items():
            operation = _operation(method, path, one, schemas)
            found.setdefault(head, []).append(operation)
    return found


class ReferencePage:
    """The handler."""

    def __init__(
        self,
        document: Mapping[str, Any],
        sessions: Sessions,
        renderer: Renderer,
        frames: Frames,
    ) -> None:
        """Show `document`, an OpenAPI one."""
        self._sections = sections_of(document)
        self._sessions = sessions
        self._renderer = renderer
        self._frames = frames

    def routes(self) -> list[Route]:
        """Return the route."""
        show = self._renderer.shown(self._show)
        return [Route("GET", "/docs/api", show, "How the API is used", public=True)]

    async def _show(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.find(request)
        return self._renderer.page(
            request,
            "reference",
            frame=await self._frames.of(visitor, "account") if visitor else None,
            sections=self._sections,
        )


def _operation(
    method: str, path: str, one: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Operation:
    status = next(code for code in one["responses"] if code != "default")
    takes = _body(one.get("requestBody", {}))
    answers = _body(one["responses"][status])
    return Operation(
        method=method.upper(),
        path=path,
        summary=one["summary"],
        public=one.get("security") == [],
        parameters=tuple(
            (parameter["name"], parameter["in"]) for parameter in one["parameters"]
        ),
        takes=_name(takes),
        takes_note=_note(takes, schemas),
        takes_fields=tuple(_fields(takes, schemas)),
        status=status,
        answers=_name(answers),
        answers_note=_note(answers, schemas),
        answers_fields=tuple(_fields(answers, schemas)),
    )


def _body(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a body, empty where there is none."""
    content: Mapping[str, Any] = part.get("content", {})
    found: Mapping[str, Any] = content.get("application/json", {}).get("schema", {})
    return found


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _resolved(
    schema: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schemas.get(_name(schema), schema)
    return found


def _note(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    return str(_resolved(schema, schemas).get("description", ""))


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[Field]:
    shape = _resolved(schema, schemas)
    required = shape.get("required", ())
    for name, inner in shape.get("properties", {}).items():
        yield Field(name, kind_of(inner), name in required)


def kind_of(schema: Mapping[str, Any]) -> str:
    """Return what a value is, in words: "string (uuid)", "list of Entry"."""
    if "$ref" in schema:
        return _name(schema)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind_of(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(
            "null" if value is None else f"“{value}”" for value in schema["enum"]
        )
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"map of {kind_of(schema['additionalProperties'])}"
    kind, form = schema.get("type", "any"), schema.get("format")
    return f"{kind} ({form})" if form else str(kind)
