"""Letters for tests of what is made of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from opseer_common.contracts.daily_report import DailyReport
from opseer_common.rendering import Line
from opseer_notifier.domain.letter import Letter, Section

AT = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
_FILE = Path(__file__).parents[2] / "data" / "daily_report.json"


@pytest.fixture
def report() -> DailyReport:
    """Return a report of Stripe in dollars and RevenueCat in Ugandan shillings."""
    return msgspec.json.decode(_FILE.read_bytes(), type=DailyReport)


@pytest.fixture
def huge() -> Letter:
    """Return a letter that is larger than any channel takes, full of traps."""
    trap = "<!channel> @everyone </pre><b>&amp; `x` ``` *b* _i_ [l](http://x) 🦄" * 4
    rows = tuple(Line(trap, trap, trap, "bad") for _ in range(40))
    section = Section(trap, rows, trap * 20)
    return Letter(
        kind="movement",
        title=trap,
        subtitle=trap,
        at=AT,
        intro=trap * 60,
        sections=(section,) * 20,
        url="https://opseer.example/dashboard?a=1&b=2",
        data={"rows": [trap] * 100},
    )
