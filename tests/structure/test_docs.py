"""The docs are complete: every setting, code, decision and command stands in them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from opseer_common.contracts.movement_reasons import REASON_TEXTS

ROOT = Path(__file__).parents[2]
CHANGE = re.compile(r"`([a-z_]+)`")
CODE = re.compile(r"[A-Z][A-Z_]{3,}")
SHIPPED = [p for f in ("libs", "services") for p in (ROOT / f).rglob("*.py")]
SIMULATED = ROOT / "libs/simulator"


def docs(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / "docs" / page).read_text("utf-8")


def called(path: Path) -> list[tuple[str, str]]:
    """Return (function, first constant text argument) of every call in a module."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            label = (
                function.id
                if isinstance(function, ast.Name)
                else getattr(function, "attr", "")
            )
            found += [
                (label, argument.value)
                for argument in node.args[:2]
                if isinstance(argument, ast.Constant)
                and isinstance(argument.value, str)
            ]
    return found


def test_every_setting_is_documented() -> None:
    """Rule: each environment name that a settings class reads is in SETTINGS.md."""
    page = docs("SETTINGS.md")
    names = {
        text
        for path in SHIPPED
        for label, text in called(path)
        if label == "env" and text.isupper()
    }
    assert names
    assert {n for n in names if f"`{n}`" not in page} == set()


def test_every_documented_setting_exists() -> None:
    """Rule: SETTINGS.md lists nothing that no code reads."""
    listed = set(re.findall(r"^\| `([A-Z_]+)`", docs("SETTINGS.md"), re.MULTILINE))
    code = "\n".join(path.read_text("utf-8") for path in SHIPPED)
    assert {name for name in listed if f'"{name}"' not in code} == set()


def test_every_error_code_is_documented() -> None:
    """Rule: each code that a RefusedError carries has a row in ERRORS.md."""
    page = docs("ERRORS.md")
    codes = {
        text
        for path in SHIPPED
        if not path.is_relative_to(SIMULATED)
        for label, text in called(path)
        if label.endswith("Error") and CODE.fullmatch(text)
    }
    assert codes
    assert {code for code in codes if f"`{code}`" not in page} == set()


def test_every_reason_of_a_change_is_documented() -> None:
    """Rule: MRR.md has each code that stands beside a change, and no other."""
    table = docs("MRR.md").partition("## Reasons")[2].partition("## ")[0]
    told = [name for row in table.splitlines() for name in CHANGE.findall(row)]
    assert sorted(told) == sorted(REASON_TEXTS)


def test_decisions_have_their_parts() -> None:
    """Rule: a decision says context, decision, consequences and alternatives."""
    pages = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
    assert pages
    for page in pages:
        text = page.read_text("utf-8")
        for part in ("## Context", "## Decision", "## Consequences", "## Alternatives"):
            assert part in text, f"{page.name}: {part}"


def test_links_between_pages_lead_somewhere() -> None:
    """Rule: a relative link in a page of the repository has its target."""
    pages = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("services/*/*.md"),
    ]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_file_named_in_the_walk_exists() -> None:
    """Rule: ARCHITECTURE.md names files that are there."""
    for path in re.findall(
        r"`((?:libs|services)/[\w/.]+\.(?:py|sql))`", docs("ARCHITECTURE.md")
    ):
        assert (ROOT / path).is_file(), path


def test_what_shows_a_defence_exists() -> None:
    """Rule: each test that SECURITY.md names is there."""
    page = (ROOT / "SECURITY.md").read_text("utf-8")
    named = re.findall(r"`((?:unit|servers|flow|structure)/[^`]*)`", page)
    assert len(named) > 25
    for place in named:
        file, _, name = place.partition("::")
        path = ROOT / "tests" / file
        assert path.exists(), place
        assert not name or f"def {name}(" in path.read_text("utf-8"), place
