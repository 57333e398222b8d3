"""The pages, as a browser without JavaScript uses them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from opseer_common.clock import utc_now
from opseer_common.demo_account import ensure_demo_account
from opseer_common.testing.gateway import (
    PASSWORD,
    SETUP_CODE,
    Owner,
    RunningGateway,
)
from opseer_common.testing.pages import Browser
from opseer_common.testing.published import Connected, publisher
from opseer_common.testing.servers import FreshDatabase

DESCRIPTION = Path(__file__).parents[1] / "data/stripe_guide.txt"


@pytest.fixture
def browser(gateway: RunningGateway) -> Browser:
    """Return a browser that was never here."""
    return Browser(gateway)


@pytest.fixture
async def entered(browser: Browser) -> Browser:
    """Return a browser whose user has set up and is signed in."""
    fields = {"setup_code": SETUP_CODE, "email": "a@b.c", "password": PASSWORD}
    answer = await browser.post("/setup", "/setup", **fields)
    assert answer.status == 200, answer.text
    assert re.search(r"ops_[A-Za-z0-9_-]{43}", answer.text)
    return browser


async def test_front_door(browser: Browser) -> None:
    """A new installation leads to its set-up, the dashboard to the sign-in."""
    assert (await browser.send("GET", "/")).headers["Location"] == "/setup"
    assert (await browser.send("GET", "/login")).headers["Location"] == "/setup"
    answer = await browser.send("GET", "/dashboard")
    assert (answer.status, answer.headers["Location"]) == (303, "/login")


async def test_setup_code_of_the_link(browser: Browser) -> None:
    """The code of the printed link is filled in, as text."""
    page = await browser.send("GET", '/setup?code="><script>')
    assert 'value="&#34;&gt;&lt;script&gt;"' in page.text


async def test_sign_in_and_out(entered: Browser) -> None:
    """Signing out ends the session; a wrong password is said on the page."""
    assert (await entered.post("/dashboard", "/logout")).status == 303
    assert (await entered.send("GET", "/dashboard")).status == 303
    wrong = await entered.post("/login", "/login", email="a@b.c", password="wrong one")
    assert wrong.status == 401
    assert "INVALID_CREDENTIALS" in wrong.text
    right = await entered.post("/login", "/login", email="a@b.c", password=PASSWORD)
    assert (right.status, right.headers["Location"]) == (303, "/dashboard")
    assert (await entered.send("GET", "/dashboard")).status == 200


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, {}),
        ({"csrf": "0" * 64}, {}),
        ({"csrf": "0" * 64}, {"Origin": "null"}),
        ({}, {"Origin": "https://evil.example"}),
    ],
)
async def test_forged_forms(
    entered: Browser, fields: dict[str, str], headers: dict[str, str]
) -> None:
    """A form without the page's own token changes nothing."""
    path = "/dashboard/integrations/stripe/disconnect"
    data = {"x": "y", **fields}
    answer = await entered.send("POST", path, data=data, headers=headers)
    assert answer.status == 403


async def test_pages_are_plain(entered: Browser) -> None:
    """No page has an inline style or script: the policy would forbid it."""
    for path in ("/dashboard", "/dashboard/revenue/polar", "/login", "/setup"):
        page = (await entered.send("GET", path)).text
        assert not re.search(r"<script(?![^>]* src=)", page)
        assert " style=" not in page
        assert "<style" not in page
        sheet = re.search(r'href="(/static/opseer\.css\?v=\w+)"', page)
        assert sheet is not None
        css = await entered.send("GET", sheet.group(1))
        assert css.headers["Content-Type"].startswith("text/css")


async def test_address_of_nothing(entered: Browser) -> None:
    """Rule: who browses to nothing sees a page that leads back, and only who browses.

    It is the page of a channel that is none; a client of the API gets a problem.
    """
    browsing = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = await entered.send("GET", "/dashboard/nothing", headers=browsing)
    assert page.status == 404
    assert page.headers["Content-Type"].startswith("text/html")
    assert 'href="/dashboard"' in page.text
    other = await entered.send("GET", "/dashboard/revenue/nothing", headers=browsing)
    assert (other.status, other.text) == (page.status, page.text)
    for method, path, headers in (
        ("GET", "/dashboard/nothing", {"Accept": "*/*"}),
        ("POST", "/dashboard/nothing", browsing),
        ("GET", "/api/v1/nothing", browsing),
    ):
        answer = await entered.send(method, path, headers=headers)
        assert answer.status == 404
        assert answer.headers["Content-Type"].startswith("application/problem+json")


async def test_sign_in_link(gateway: RunningGateway, browser: Browser) -> None:
    """A one-time link: looking does not use it up, its button works once."""
    demo = await ensure_demo_account(gateway.admin_url, clock=utc_now)
    await browser.send("GET", demo.sign_in_path)
    entered = await browser.post(demo.sign_in_path, demo.sign_in_path)
    assert (entered.status, entered.headers["Location"]) == (303, "/dashboard")
    assert (await browser.send("GET", "/dashboard")).status == 200
    again = await Browser(gateway).post(demo.sign_in_path, demo.sign_in_path)
    assert again.status == 404


@pytest.mark.parametrize(
    ("environment", "banner"), [("live", None), ("test", "TEST MODE"), ("demo", "DEMO")]
)
async def test_figures_on_the_dashboard(
    gateway: RunningGateway,
    database: FreshDatabase,
    environment: str,
    banner: str | None,
) -> None:
    """Cards and table show the period's figures, "—" with words, and the mode."""
    owner = await gateway.sign_up()
    yesterday = utc_now().date() - timedelta(days=1)
    async with publisher(database) as world:
        of = await world.connect(owner.account_id, environment=environment)
        await world.daily(of, yesterday, 123_456, 7)
        await world.publish(of, 1, utc_now(), permissions={"events": "missing"})
    page = await dashboard(gateway, owner, of)
    assert "$1,234.56" in page
    assert "Events → Read is missing" in page
    assert "—" in page
    for label in ("MRR", "Yesterday MRR", "Net Revenue", "Active Subscriptions"):
        assert f"<h2>{label}</h2>" in page
    collected = DESCRIPTION.read_text("utf-8").partition("Data collected")[2]
    lines = collected.partition("Cache policy")[0]
    listed = re.findall(r"^- ([\w ]+?)(?: \(| — )", lines, re.MULTILINE)
    assert len(listed) == 13
    assert [label for label in listed if f">{label}<" not in page] == []
    banners = re.findall(r'class="banner"[^>]*>([^<]+)<', page)
    assert banners == ([banner] if banner else [])


async def dashboard(gateway: RunningGateway, owner: Owner, of: Connected) -> str:
    """Return the HTML of the revenue page for an owner."""
    assert of.account_id == owner.account_id
    session = await gateway.sign_in(owner)
    path = "/dashboard/revenue/stripe"
    answer = await gateway.call("GET", path, headers=session)
    assert answer.status == 200, answer.text
    return answer.text
