"""The gateway answers as its OpenAPI document says: Schemathesis looks for more."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from opseer_common.testing.gateway import Owner, RunningGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT = Path(__file__).parents[2]
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,"
    "negative_data_rejection"
)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
STREAM = "/api/v1/integrations/{source}/progress"
"""Left out: it has no end while a collection runs."""


async def tried(
    gateway: RunningGateway, owner: Owner, folder: Path, *options: str
) -> dict[str, Any]:
    """Run Schemathesis against the gateway and return its report."""
    report = folder / "report.json"
    program = Path(sys.executable).with_name("schemathesis")
    running = await asyncio.create_subprocess_exec(
        program,
        "run",
        f"{gateway.url}/api/v1/openapi.json",
        f"--header=Authorization: Bearer {owner.token}",
        f"--checks={CHECKS}",
        f"--exclude-path={STREAM}",
        "--report=json",
        f"--report-json-path={report}",
        *options,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await running.communicate()
    assert running.returncode == 0, said.decode()
    found: dict[str, Any] = json.loads(report.read_bytes())
    return found


def cases(report: dict[str, Any]) -> int:
    """Return how many answers were looked at."""
    counts = report["test_cases"]
    found: int = counts["generated"] - counts["without_checks"]
    return found


async def test_every_code_is_explained(shared_gateway: RunningGateway) -> None:
    """Rule: whatever the document says that may be refused is in docs/ERRORS.md."""
    document = (await shared_gateway.call("GET", "/api/v1/openapi.json")).json
    explained = (ROOT / "docs" / "ERRORS.md").read_text("utf-8")
    codes = {
        code
        for operations in document["paths"].values()
        for one in operations.values()
        for status, answer in one["responses"].items()
        if status[0] in "45"
        for code in answer["description"].split(", ")
        if code.isupper()
    }
    assert len(codes) > 40
    assert [code for code in sorted(codes) if f"`{code}`" not in explained] == []


async def test_schemas_have_plain_names(shared_gateway: RunningGateway) -> None:
    """Two that are called the same would be told apart by the names of modules."""
    document = (await shared_gateway.call("GET", "/api/v1/openapi.json")).json
    names = document["components"]["schemas"].keys()
    assert [name for name in names if "." in name] == []


async def test_nothing_is_open_but_what_is_said_to_be(
    shared_gateway: RunningGateway,
) -> None:
    """Rule: without a token every operation is 401 that the document calls closed."""
    document = (await shared_gateway.call("GET", "/api/v1/openapi.json")).json
    closed = [
        (method.upper(), re.sub(r"\{\w+\}", "stripe", path))
        for path, operations in document["paths"].items()
        for method, one in operations.items()
        if one.get("security") != []
    ]
    assert len(closed) > 35
    for method, path in closed:
        answer = await shared_gateway.call(method, path)
        assert (answer.status, answer.code) == (401, "UNAUTHENTICATED"), path


async def test_every_other_method_is_405(
    shared_gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """Rule: where there is a path, a method it lacks is 405 and Allow says the rest."""
    document = (await shared_gateway.call("GET", "/api/v1/openapi.json")).json
    wrong = []
    for path, operations in document["paths"].items():
        has = {method.upper() for method in operations}
        has |= {"HEAD"} if "GET" in has else set()
        for method in sorted(METHODS - has):
            answer = await shared_gateway.call(
                method, re.sub(r"\{\w+\}", "stripe", path), owner=owner_of_own
            )
            allowed = set(answer.headers.get("Allow", "").split(", "))
            if (answer.status, allowed) != (405, has):
                wrong.append((method, path, answer.status, allowed))
    assert wrong == []


async def test_a_head_has_no_body(
    shared_gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """Rule: HEAD is GET without its body: what came after it would be another answer.

    Both are sent by one connection, which the health follows.
    """
    document = (await shared_gateway.call("GET", "/api/v1/openapi.json")).json
    for path in (path for path, of in document["paths"].items() if "get" in of):
        filled = re.sub(r"\{\w+\}", "stripe", path)
        head = f"HEAD {filled} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        said = await shared_gateway.send(
            f"{head}{owner_of_own.token}\r\n\r\n".encode(),
            b"GET /healthz HTTP/1.0\r\n\r\n",
        )
        first, _, after = said.partition(b"\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 "), path
        assert after.startswith(b"HTTP/1.0 200 OK"), path


async def test_no_undocumented_answer(
    shared_gateway: RunningGateway, owner_of_own: Owner, tmp_path: Path
) -> None:
    """No 5xx and no answer that is not described, at every boundary of the document.

    That is more than 1,000 requests, the same ones each time.
    """
    options = ("--phases=coverage", "--seed=1")
    report = await tried(shared_gateway, owner_of_own, tmp_path, *options)
    assert cases(report) >= 1_000


@pytest.mark.deep
@pytest.mark.timeout(1800)
async def test_no_undocumented_answer_in_10000(
    shared_gateway: RunningGateway, owner_of_own: Owner, tmp_path: Path
) -> None:
    """Nor in 10,000 by chance."""
    options = ("--phases=fuzzing", "--max-examples=250", "--seed=2")
    report = await tried(shared_gateway, owner_of_own, tmp_path, *options)
    assert cases(report) >= 10_000
