"""Who says and who hears, read from the code itself."""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from pathlib import Path

import pytest

from opseer_cli import messages
from opseer_common.contracts import MESSAGES
from opseer_common.rights import SAYS
from opseer_common.topology import HEARS

ROOT = Path(__file__).parents[2]
SERVICES = ("gateway", "collector", "mrr", "notifier")
NAMES = {message.__name__ for message in MESSAGES}


def trees(service: str) -> list[ast.Module]:
    """Return the parsed modules of a service."""
    folder = ROOT / "services" / service
    return [ast.parse(path.read_text("utf-8")) for path in folder.rglob("*.py")]


def calls(service: str) -> tuple[set[str], set[str]]:
    """Return the contracts that a service makes, and those that it hears."""
    said, heard = set(), set()
    for node in (n for tree in trees(service) for n in ast.walk(tree)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        target = node.func.value
        if node.func.attr == "of" and isinstance(target, ast.Name):
            said.add(target.id)
        if node.func.attr == "hear" and isinstance(node.args[0], ast.Name):
            heard.add(node.args[0].id)
    return said & NAMES, heard & NAMES


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_what_its_rights_allow(service: str) -> None:
    """Rule: rights.SAYS is what the code says, no more and no less."""
    said, _ = calls(service)
    assert said == {message.__name__ for message in SAYS[service]}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_hears_what_the_topology_lays_down(service: str) -> None:
    """Rule: every durable has its subscriber and every subscriber its durable."""
    _, heard = calls(service)
    assert heard == {message.__name__ for message in HEARS.get(service, ())}


def test_a_subject_is_written_once() -> None:
    """Rule: a subject stands in its contract and nowhere else in shipped code."""
    found = defaultdict(set)
    for folder in ("libs", "services"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    for message in MESSAGES:
                        if node.value == message.subject:
                            found[message.subject].add(path.parent.name)
    assert found == {message.subject: {"contracts"} for message in MESSAGES}


def test_the_page_of_messages_is_fresh() -> None:
    """Rule: docs/MESSAGES.md is what `make messages` writes."""
    assert (ROOT / "docs/MESSAGES.md").read_text("utf-8") == messages.page()


def test_the_asyncapi_document_is_fresh() -> None:
    """Rule: docs/asyncapi.json is what `make messages` writes."""
    assert json.loads((ROOT / "docs/asyncapi.json").read_text("utf-8")) == json.loads(
        json.dumps(messages.asyncapi())
    )
