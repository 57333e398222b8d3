"""Rules about the code that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path
    for folder in ("libs", "services", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
SHIPPED = [path for path in MODULES if "tests" not in path.relative_to(ROOT).parts[:1]]
MAX_LINES = 400
SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\s+[\w*$(]", re.ASCII)
SPEAKS_SQL = {
    "attempts.py",
    "bootstrap.py",
    "database.py",
    "demo_account.py",
    "inbox.py",
    "migrate.py",
    "outbox.py",
}
"""Modules of opseer_common whose table is their own."""


def name(path: Path) -> str:
    """Return a path as a test id."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_is_short(path: Path) -> None:
    """Rule: at most 400 lines; a longer one has two subjects."""
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


def exact(path: Path) -> bool:
    """Return whether a module is one in which every number must be exact."""
    parts = path.relative_to(ROOT).parts
    return "domain" in parts or "contracts" in parts or path.name == "money.py"


@pytest.mark.parametrize("path", [p for p in SHIPPED if exact(p)], ids=name)
def test_figures_know_no_float(path: Path) -> None:
    """Rule: no float and no true division where figures are made.

    Born of a rival's bug: cents divided by 100 into a float, two decimals assumed.
    """
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        where = f"{name(path)}:{getattr(node, 'lineno', 0)}"
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), (
            where
        )
        assert not (isinstance(node, ast.Name) and node.id == "float"), where
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)), where


@pytest.mark.parametrize("path", SHIPPED, ids=name)
def test_sql_has_one_address(path: Path) -> None:
    """Rule: a service's SQL stands in its store, so a table has one place to look."""
    if "store" in path.stem or "store" in path.parent.name or path.name in SPEAKS_SQL:
        return
    if "testing" in path.parts:  # which writes in place of the services that are away
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not SQL.search(node.value), f"{name(path)}:{node.lineno}"


def unit_tests() -> list[Path]:
    """Return the unit tests that mirror a module."""
    return sorted((ROOT / "tests/unit").rglob("test_*.py"))


@pytest.mark.parametrize("path", unit_tests(), ids=name)
def test_a_unit_test_belongs_to_a_part(path: Path) -> None:
    """Rule: tests/unit mirrors the tree: one folder per service or library."""
    part = path.relative_to(ROOT / "tests/unit").parts[0]
    homes = {p.name for f in ("libs", "services") for p in (ROOT / f).iterdir()}
    assert part in homes


@pytest.mark.parametrize("path", [p for p in MODULES if "tests" in p.parts], ids=name)
def test_every_test_states_its_rule(path: Path) -> None:
    """Rule: a test's docstring says the rule that it checks."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef
        ) and node.name.startswith("test_"):
            assert ast.get_docstring(node), f"{name(path)}:{node.lineno}"


def test_every_table_of_an_account_is_protected() -> None:
    """Rule: a table with an account_id is born with row-level security."""
    for path in ROOT.glob("services/*/*/migrations/*.sql"):
        sql = path.read_text("utf-8")
        tables = re.findall(r"CREATE TABLE (\w+)\.(\w+) \((.*?)\);", sql, re.DOTALL)
        for schema, table, body in tables:
            if "account_id" in body:
                listed = re.search(rf"'({schema}\.)?{table}'", sql)
                assert listed, f"{schema}.{table} is not protected"


def test_nothing_of_a_machine_is_committed() -> None:
    """Rule: no path of a developer's machine and no registry host in the tree."""
    # Put together here so that this file does not find itself.
    hosts = ("pypi.", "pythonhosted.", "npmjs.", "debian.")
    homes = ("/" + "work/", "/" + "home/", "/" + "root/", "/" + "tmp/")
    pattern = re.compile(
        r"https?://[a-z0-9.-]*(" + "|".join(map(re.escape, hosts)) + ")"
        "|" + "|".join(rf"(?<![\w.$}}>])(?={re.escape(home)}\w)" for home in homes)
    )
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    for line in listing.stdout.splitlines():
        path = ROOT / line
        if path.suffix in {".png", ".woff2"} or not path.is_file():
            continue
        found = pattern.search(path.read_text("utf-8"))
        assert found is None, f"{line}: {found}"
