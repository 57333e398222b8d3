"""The API's page: what a value is, in words."""

from __future__ import annotations

from typing import Any

import pytest

from opseer_gateway.pages.account.reference import kind_of, sections_of


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "format": "uuid"}, "string (uuid)"),
        ({"type": "array", "items": {"$ref": "#/c/s/Entry"}}, "list of Entry"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer or null"),
        ({"enum": ["read", "write"]}, "“read” or “write”"),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            "map of integer",
        ),
        ({}, "any"),
    ],
)
def test_kinds(schema: dict[str, Any], words: str) -> None:
    """A schema is said in a few words."""
    assert kind_of(schema) == words


def test_sections() -> None:
    """Operations stand under what they are about, with the fields of their bodies."""
    body = {"content": {"application/json": {"schema": {"$ref": "#/c/s/Named"}}}}
    document = {
        "components": {
            "schemas": {
                "Named": {
                    "description": "A name.",
                    "properties": {"name": {"type": "string"}},
                    "required": ["name"],
                }
            }
        },
        "paths": {
            "/api/v1/projects": {
                "post": {
                    "summary": "Make one",
                    "parameters": [],
                    "requestBody": body,
                    "responses": {"201": body, "default": {}},
                }
            },
            "/healthz": {
                "get": {
                    "summary": "Alive",
                    "parameters": [],
                    "security": [],
                    "responses": {"200": {}},
                }
            },
        },
    }
    found = sections_of(document)
    assert list(found) == ["Projects", "Operations"]
    (made,) = found["Projects"]
    assert (made.method, made.status, made.takes_note) == ("POST", "201", "A name.")
    assert [(one.name, one.kind, one.required) for one in made.takes_fields] == [
        ("name", "string", True)
    ]
    assert found["Operations"][0].public
