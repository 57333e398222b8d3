"""Reasons in words, for every reason that the engine has."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

import pytest

from opseer_gateway.domain.movement_changes import REASON_TEXTS, why_no_row
from opseer_mrr.domain import drafts, movements, reasons

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Connect

DAY = date(2026, 11, 20)


def words(node: ast.AST | None) -> Iterator[str]:
    """Yield the constants that an expression may come to, conditions left out."""
    if isinstance(node, ast.IfExp):
        yield from words(node.body)
        yield from words(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from words(value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def codes() -> set[str]:
    """Return every reason that the engine's source can give to a change."""
    found = {*reasons._BACK.values(), *reasons._GONE.values()}
    for node in ast.walk(ast.parse(inspect.getsource(reasons))):
        if isinstance(node, ast.Return):
            found.update(words(node.value))
    for module in (drafts, movements):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == "reason"
                for target in node.targets
            ):
                found.update(words(node.value))
    return found


def test_every_reason_has_words() -> None:
    """Rule: the table of words has each of the engine's codes, and no other."""
    assert codes() == set(REASON_TEXTS)
    assert len(codes()) == 20
    assert len(set(REASON_TEXTS.values())) == 20


@pytest.mark.parametrize(
    ("events", "first", "reason"),
    [
        ("ok", date(2026, 11, 21), "BEFORE_HISTORY"),
        ("ok", date(2026, 11, 19), "CRON_PENDING"),
        ("ok", None, "CRON_PENDING"),
        ("missing", date(2026, 11, 21), "EVENTS_PERMISSION"),
    ],
)
def test_why_a_day_has_no_movements(
    connect: Connect, events: str, first: date | None, reason: str
) -> None:
    """A missing permission explains it before the history's beginning does."""
    assert why_no_row(connect(events=events), DAY, first) == reason
