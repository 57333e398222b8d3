"""What the commands against a gateway read of their arguments."""

from __future__ import annotations

from datetime import date

import pytest
import typer

from opseer_cli.remote import report_day


def test_a_day_is_a_date_or_yesterday() -> None:
    """Which day yesterday is depends on the account's zone: the gateway tells."""
    assert report_day("2026-03-01") == date(2026, 3, 1)
    assert report_day("yesterday") is None


@pytest.mark.parametrize("text", ["", "2026-02-30", "01.03.2026", "tomorrow"])
def test_another_word_is_refused(text: str) -> None:
    """With what would be right."""
    with pytest.raises(typer.BadParameter, match="YYYY-MM-DD"):
        report_day(text)
