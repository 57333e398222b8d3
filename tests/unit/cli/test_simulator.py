"""The demo's company stays the same one."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from opseer_cli.layout import Layout, layout_of
from opseer_cli.simulator import company_of
from opseer_common.errors import ConfigError


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return an empty data directory."""
    made = layout_of(tmp_path)
    made.make()
    return made


def test_company_is_remembered(layout: Layout) -> None:
    """A demo that is started a week later shows the same company."""
    first = company_of(layout, date(2026, 6, 10))
    assert company_of(layout, date(2026, 6, 17)) == first


def test_company_has_a_past(layout: Layout) -> None:
    """The company began 130 days before: 90 days are fetched, and they have a past."""
    assert company_of(layout, date(2026, 6, 10)).epoch == "2026-01-31"


def test_key_is_a_private_test_key(layout: Layout) -> None:
    """The key passes as a restricted test key, and nobody else reads it."""
    key = company_of(layout, date(2026, 6, 10)).key
    assert re.fullmatch("rk_" + "test_[A-Za-z0-9]{16,247}", key)
    assert (layout.secrets / "demo.json").stat().st_mode & 0o777 == 0o600


def test_damaged_file_is_said(layout: Layout) -> None:
    """A damaged note is named, and not replaced behind the user's back."""
    (layout.secrets / "demo.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"demo\.json is damaged"):
        company_of(layout, date(2026, 6, 10))
