"""How the pages look: at each width, light and dark, for everyone."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

PAGES: Final = {
    "overview": "/dashboard",
    "dashboard": "/dashboard/revenue/stripe",
    "history": "/dashboard/revenue/stripe/history",
    "customers": "/dashboard/revenue/stripe/customers?q=an",
    "nothing": "/dashboard/revenue/revenuecat",
    "integrations": "/dashboard/integrations",
    "channel": "/dashboard/integrations/stripe",
    "polar": "/dashboard/integrations/polar",
    "disconnect": "/dashboard/integrations/stripe/disconnect",
    "alert": "/dashboard/alert",
    "account": "/dashboard/account",
    "api": "/docs/api",
}
LOOKS: Final = {"light": (1180, False), "dark": (1180, True), "phone": (390, False)}
KEPT: Final = {"dashboard"}
# What axe finds does not depend on the width, and in the dark on the colours alone.
JUDGED: Final[dict[str, dict[str, Any]]] = {
    "light": {},
    "dark": {"runOnly": ["color-contrast"]},
}


@pytest.mark.parametrize("look", LOOKS)
def test_pages_look_right(open_window: Any, demo: Any, keep: Any, look: str) -> None:
    """No page is wider than its window, breaks its policy, or shuts anybody out."""
    width, dark = LOOKS[look]
    visit = open_window(demo, width=width, dark=dark)
    page: Page = visit.page
    found: dict[str, list[str]] = {}
    for name, path in {**PAGES, "day": _a_day(visit)}.items():
        visit.go(path)
        page.wait_for_timeout(150)
        if name in KEPT:
            keep(page, f"{name}-{look}")
        found[name] = _faults(visit, look)
    assert {name: said for name, said in found.items() if said} == {}
    assert visit.complaints == []


@pytest.mark.parametrize("look", LOOKS)
def test_doors_look_right(open_window: Any, look: str) -> None:
    """The pages before the dashboard keep to the same."""
    width, dark = LOOKS[look]
    visit = open_window(width=width, dark=dark)
    for path in ("/setup", "/login", "/unsubscribe"):
        visit.go(path)
        assert _faults(visit, look) == [], path


@pytest.mark.parametrize("chart", ["trend", "waterfall", "revenue"])
def test_charts_are_read_out(open_window: Any, collected: Any, chart: str) -> None:
    """A screen reader has a chart's conclusion as its name, and its days as a table."""
    visit = open_window(collected)
    visit.go("/dashboard/revenue/stripe")
    plot = visit.page.locator(f"[data-chart={chart}]")
    expect(plot).to_be_visible()
    assert re.match(r"""- '?img ".*\$[\d,]+\.\d\d""", plot.aria_snapshot())
    card = visit.page.locator("section.chart").filter(has=plot)
    card.locator("summary").press("Enter")
    head, *days = card.get_by_role("table").get_by_role("row").all()
    assert head.get_by_role("columnheader").count() > 1
    assert [day.get_by_role("rowheader").count() for day in days] == [1] * 7


def _a_day(visit: Any) -> str:
    """Return the address of a day."""
    visit.go("/dashboard/revenue/stripe")
    found = re.search(
        r'href="(/dashboard/revenue/stripe/20[\d-]+)', visit.page.content()
    )
    assert found is not None
    return found.group(1)


def _faults(visit: Any, look: str) -> list[str]:
    """Return what is wrong with the page that is open."""
    judged = visit.shut_out(JUDGED[look]) if look in JUDGED else []
    return [*visit.too_wide(), *visit.violations(), *judged]
