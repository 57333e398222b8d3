"""The first minutes of a founder, as they are seen in a browser."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

KEY = "rk_" + "test_" + "Browser" * 4
STANDARD = "sk_" + "live_" + "S" * 24
SETUP_CODE = "BROWSER-TEST"
PASSWORD = "correct horse battery"
CHANNEL = "/dashboard/integrations/stripe"
_STOPS = 60


def test_setup(open_window: Any) -> None:
    """The printed link leads to an account and on to a dashboard that says how."""
    visit = open_window()
    visit.go(f"/setup?code={SETUP_CODE}")
    page: Page = visit.page
    expect(page.locator("#setup_code")).to_have_value(SETUP_CODE)
    page.fill("#email", f"{uuid4().hex[:8]}@example.com")
    page.fill("#password", PASSWORD)
    page.click("main button")
    expect(page.locator("code.token")).to_have_text(re.compile("^ops_"))
    page.click("main a.button")
    expect(page).to_have_url(re.compile("/dashboard$"))
    expect(page.get_by_role("link", name="Connect Stripe")).to_be_visible()
    assert (visit.complaints, visit.violations()) == ([], [])


def test_wrong_key(open_window: Any, system: Any, keep: Any) -> None:
    """A standard key is said under the field, which is empty; no address holds it."""
    visit = open_window(system.sign_up())
    visit.go(CHANNEL)
    page: Page = visit.page
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    keep(page, "connect-light")
    page.fill("#api_key", STANDARD)
    expect(page.locator("[data-hint]")).to_contain_text("not accepted here")
    page.click("form.key button")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("INVALID_PREFIX")
    expect(alert).to_contain_text("Only Restricted Keys (rk_) are allowed.")
    expect(page.locator("#api_key")).to_have_value("")
    assert STANDARD not in page.content()
    assert not [url for url in addresses if "sk_" in url or "api_key" in url]


def test_connect_collect_disconnect(open_window: Any, system: Any, keep: Any) -> None:
    """A key goes in, progress moves by itself, all is there, and it goes again."""
    visit = open_window(system.sign_up())
    visit.go(CHANNEL)
    page: Page = visit.page
    page.fill("#api_key", KEY)
    page.click("form.key button")
    words = page.locator("[data-words]")
    expect(words).to_have_text(re.compile(r"\d+ of \d+"))
    keep(page, "collecting-light")
    seen = {words.text_content()}
    page.wait_for_function(
        "text => document.querySelector('[data-words]')?.textContent !== text",
        arg=seen.pop(),
    )
    # Without a click: the stream ended, and the page looked again.
    expect(page.get_by_text("12 of 12 read permissions")).to_be_visible(timeout=30_000)
    expect(words).to_have_count(0)
    compared = page.locator("ul.compare strong")
    for at in range(3):
        expect(compared.nth(at)).to_have_text(re.compile(r"[1-9]"))
    page.get_by_role("link", name="Disconnect").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Disconnect Stripe?")
    expect(page.get_by_text("Encrypted key and cache are deleted.")).to_be_visible()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.locator("#stripe")).to_contain_text("Not connected")
    assert (visit.complaints, visit.violations()) == ([], [])


def test_demo(open_window: Any, system: Any) -> None:
    """One button brings demo data with a banner, another one removes them."""
    visit = open_window(system.sign_up())
    visit.go("/dashboard")
    page: Page = visit.page
    page.get_by_role("button", name="Look around with demo data").first.click()
    expect(page).to_have_url(re.compile("/dashboard/revenue/stripe"))
    expect(page.locator(".banner")).to_contain_text("DEMO")
    page.get_by_role("link", name="Remove it").click()
    page.get_by_role("button", name="Remove demo data").click()
    expect(page.locator("#stripe")).to_contain_text("Not connected")
    expect(page.locator(".banner")).to_have_count(0)


@pytest.mark.parametrize("chart", ["waterfall", "revenue"])
def test_click_a_bar(open_window: Any, collected: Any, chart: str) -> None:
    """A click on a bar opens its day, with the entries behind it."""
    visit = open_window(collected)
    visit.go("/dashboard/revenue/stripe")
    page: Page = visit.page
    plot = page.locator(f"[data-chart={chart}]")
    expect(plot.locator("svg")).to_be_visible()
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5)
    expect(page).to_have_url(re.compile(r"/dashboard/revenue/stripe/20\d\d-\d\d-\d\d"))
    expect(page.locator("main table, main article").first).to_be_visible()
    assert (visit.complaints, visit.violations()) == ([], [])


def test_without_scripts(open_window: Any, collected: Any) -> None:
    """Without JavaScript the day is a link in a table, and disconnecting still asks."""
    visit = open_window(collected, script=False)
    page: Page = visit.page
    visit.go("/dashboard/revenue/stripe")
    page.locator("table tbody th a:visible").first.click()
    expect(page).to_have_url(re.compile(r"/dashboard/revenue/stripe/20\d\d-"))
    visit.go(f"{CHANNEL}/disconnect")
    expect(page.get_by_role("button", name="Disconnect")).to_be_visible()
    expect(page.locator("[data-copy]")).to_have_count(0)


def test_keyboard(open_window: Any) -> None:
    """From setup to the changes behind a bar by keys alone; one sees where one is."""
    visit = open_window()
    visit.go(f"/setup?code={SETUP_CODE}")
    page: Page = visit.page
    _reach(page, page.locator("#email"))
    page.keyboard.type(f"{uuid4().hex[:8]}@example.com")
    _reach(page, page.locator("#password"))
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    _follow(page, "Go to the dashboard", "/dashboard")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    _follow(page, "Connect Stripe", "/integrations/stripe")
    _reach(page, page.locator("#api_key"))
    page.keyboard.type(KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_text("12 of 12 read permissions")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("12 of 12 permissions")).to_have_text(
        re.compile("^Connected: rk_test_….*, test mode, settles in USD,")
    )
    expect(page.locator("#services + ul li.ok")).to_have_count(4)
    _follow(page, "Open the dashboard", "/revenue/stripe")
    _reach(page, page.locator("[data-chart=waterfall]"))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/revenue/stripe/20\d\d-\d\d-\d\d"))


def _follow(page: Page, name: str, end: str) -> None:
    """Open a link by keys."""
    _reach(page, page.get_by_role("link", name=name, exact=True))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{end}$"))


def _reach(page: Page, wanted: Locator) -> None:
    """Press Tab until `wanted` has the focus, which must be seen."""
    expect(wanted).to_be_visible()
    for _ in range(_STOPS):
        if wanted.evaluate("one => one === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(wanted).to_be_focused()
    assert wanted.evaluate("one => getComputedStyle(one).outlineStyle") != "none"
