"""Every entry of the catalogue of inputs, 1 to 133, is a test: here is where."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
ALL = frozenset(range(1, 134))
HTTP = "servers/test_gateway_http.py"
ACCOUNTS = "servers/test_gateway_accounts.py"
CONNECTIONS = "servers/test_gateway_connections.py"

ELSEWHERE = {
    81: f"{ACCOUNTS}::test_guessing_from_one_place",
    103: f"{ACCOUNTS}::test_strangers",
    104: f"{ACCOUNTS}::test_strangers",
    105: f"{ACCOUNTS}::test_sessions_end",
    106: f"{ACCOUNTS}::test_session",
    108: f"{ACCOUNTS}::test_two_session_cookies",
    109: f"{HTTP}::test_https_is_said",
    111: "servers/tenants/test_every_route.py::test_foreign_ids",
    112: "servers/tenants/test_every_route.py::test_foreign_ids",
    113: "servers/tenants/test_every_route.py::test_foreign_sources",
    121: f"{ACCOUNTS}::test_password_change",
    122: f"{HTTP}::test_foreign_writes",
    123: f"{HTTP}::test_foreign_writes",
    124: f"{HTTP}::test_foreign_writes",
    125: "servers/tenants/test_every_route.py::test_reading_changes_nothing",
    126: f"{HTTP}::test_no_cors",
    128: f"{HTTP}::test_headers_of_an_answer",
    130: "unit/common/test_rendering.py::test_html_escapes_and_runs_nothing",
    131: f"{CONNECTIONS}::test_refresh_is_single_flight",
    132: f"{CONNECTIONS}::test_connect_attempts_are_limited",
    133: f"{ACCOUNTS}::test_many_sign_ins_at_once",
}
"""Entries that a test of another module shows."""

OTHERWISE = {
    27: "a key that passes starts a first collection again: that is the contract",
    31: "503, as the contract says, and not 504",
    71: "400: the parser ends the connection before there is a request to answer",
    74: "400, for the same reason",
    79: "400 for a method that HTTP does not have, 405 with Allow for one that it has",
    98: "the daily figures clip an old `from`, as the contract says",
    100: "a cursor has a checksum and no key: it says a place in a list that its "
    "reader may read anyway",
    105: "14 days idle, 30 days in all, as the contract says",
    119: "a user's bucket slows to one try in 10 s and never locks",
    129: "no CSV has a text that a user wrote: there are days, codes and numbers in it",
    131: "one job for all who ask while it runs; no limit on top",
}
"""Where the answer differs from the catalogue's first wording, and why."""


def numbers(path: Path) -> Iterator[int]:
    """Return the entries that a module has in its tables and its tests' names."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            first = node.args[0] if node.args else None
            if node.func.id.endswith("Entry") and isinstance(first, ast.Constant):
                assert isinstance(first.value, int)
                yield first.value
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found = re.match(r"test_(\d+)_", node.name)
            if found:
                yield int(found[1])
        elif isinstance(node, ast.Tuple) and node.elts:
            first = node.elts[0]
            if isinstance(first, ast.Constant) and type(first.value) is int:
                yield first.value


def test_every_entry_is_a_test() -> None:
    """Rule: no number of the catalogue is without a test."""
    here = {number for path in HERE.glob("test_*.py") for number in numbers(path)}
    assert sorted(ALL - here - set(ELSEWHERE)) == []


def test_what_is_elsewhere_is_there() -> None:
    """Rule: a test that the table points at exists."""
    for place in ELSEWHERE.values():
        file, _, name = place.partition("::")
        assert f"def {name}(" in (TESTS / file).read_text("utf-8"), place


def test_differences_are_of_the_catalogue() -> None:
    """Rule: a difference is about an entry that there is."""
    assert set(OTHERWISE) <= ALL
