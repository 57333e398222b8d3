"""Every golden case: figures that others publish, or rules they state, with amounts.

The cases with their sources are tests/data/mrr_golden.json.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from opseer_cli.explain import explain_cases

_FILE = Path(__file__).parents[2] / "data" / "mrr_golden.json"
_CASES: list[dict[str, Any]] = [
    case
    for case in json.loads(_FILE.read_text())["cases"]
    if case["kind"] in {"snapshot", "movements"}
]
_NOTHING = {
    "new": 0,
    "expansion": 0,
    "contraction": 0,
    "churned": 0,
    "net": 0,
    "of_which_reactivation": 0,
    "fx": 0,
}


def _explained(case: dict[str, Any]) -> Any:
    document = json.dumps({"cases": [case]}).encode()
    (line,) = explain_cases(document)
    answer = json.loads(line)
    assert answer["id"] == case["id"]
    return answer["result"]


def test_no_case_is_left_out() -> None:
    """70 snapshot and 38 movements cases are run."""
    kinds = [case["kind"] for case in _CASES]
    assert (kinds.count("snapshot"), kinds.count("movements")) == (70, 38)


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["id"])
def test_golden(case: dict[str, Any]) -> None:
    """Each figure is the one the source states; days not listed have no movement."""
    result = _explained(case)
    for name, expected in case["expected"].items():
        if not name.startswith("grain_"):
            assert result[name] == expected
            continue
        assert set(expected) <= set(result[name])
        for day, row in result[name].items():
            wanted = {**_NOTHING, **expected.get(day, {})}
            assert {key: row[key] for key in wanted} == wanted, day


@pytest.mark.parametrize(
    "case",
    [case for case in _CASES if case["kind"] == "movements"],
    ids=lambda case: case["id"],
)
def test_snapshot_identity(case: dict[str, Any]) -> None:
    """In both grains snapshot[d] = snapshot[d-1] + net[d] + fx[d] and net adds up."""
    result = _explained(case)
    for grain in ("grain_subscription", "grain_customer"):
        rows = list(result[grain].values())
        for row in rows:
            categories = ("new", "expansion", "contraction", "churned")
            assert row["net"] == sum(row[name] for name in categories)
        for before, after in itertools.pairwise(rows):
            assert after["snapshot"] == before["snapshot"] + after["net"] + after["fx"]
