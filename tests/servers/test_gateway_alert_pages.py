"""The page of alerts, as a browser without JavaScript uses it."""

from __future__ import annotations

import re

import pytest
import pytest_asyncio

from opseer_common import tokens
from opseer_common.testing.gateway import PASSWORD, Owner, RunningGateway
from opseer_common.testing.pages import Browser

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGE = "/dashboard/alert"
SLACK = "https://hooks.slack.com/" + "services/T00000000/B00000000/XXXXXXXXXXXX"
CHECKED = re.compile(r'name="(\w+)" value="on" checked')


@pytest_asyncio.fixture(loop_scope="module")
async def entered(shared_gateway: RunningGateway, owner_of_own: Owner) -> Browser:
    """Return a browser of a new owner, signed in."""
    browser = Browser(shared_gateway)
    login = {"email": owner_of_own.email, "password": PASSWORD}
    assert (await browser.post("/login", "/login", **login)).status == 303
    return browser


async def page(browser: Browser, path: str = PAGE) -> str:
    """Return the page's text."""
    answer = await browser.send("GET", path)
    assert answer.status == 200, answer.text
    return answer.text


async def test_settings_are_what_the_form_says(entered: Browser) -> None:
    """Toggles, time, zone, days, digest and threshold; what is not ticked is off."""
    first = await page(entered)
    assert "No report will be sent: add a destination below." in first
    assert "data-zone" in first
    answer = await entered.post(
        PAGE,
        f"{PAGE}/settings",
        source_stripe="on",
        time="07:30",
        timezone="Asia/Tokyo",
        day_1="on",
        day_7="on",
        threshold="50.5",
    )
    assert answer.headers["Location"] == f"{PAGE}#settings"
    after = await page(entered)
    assert CHECKED.findall(after) == ["source_stripe", "day_1", "day_7"]
    assert 'value="07:30"' in after
    assert 'value="Asia/Tokyo"' in after
    assert 'value="50.50"' in after
    assert "data-zone" not in after


async def test_a_refusal_stands_where_it_belongs(entered: Browser) -> None:
    """A zone that is none is said in its card, with the status of the API."""
    answer = await entered.post(
        PAGE, f"{PAGE}/settings", time="07:30", timezone="Mars/Olympus", day_1="on"
    )
    assert answer.status == 422
    assert "INVALID_TIMEZONE" in answer.text
    answer = await entered.post(
        PAGE, f"{PAGE}/destinations/add", kind="slack", url="https://example.com/x"
    )
    assert answer.status == 422
    assert "INVALID_DESTINATION" in answer.text
    assert "https://example.com/x" not in answer.text


async def test_a_destination_is_added_tested_and_removed(entered: Browser) -> None:
    """It is masked; its test stands in the log; removed, it is gone."""
    await entered.post(PAGE, f"{PAGE}/destinations/add", kind="slack", url=SLACK)
    shown = await page(entered)
    assert "…/B0…/****" in shown
    assert SLACK not in shown
    assert "Next report: " in shown
    found = re.search(r'name="destination_id" value="([0-9a-f-]+)"', shown)
    assert found is not None
    of = {"destination_id": found[1]}
    asked = await entered.post(PAGE, f"{PAGE}/test", **of)
    assert re.fullmatch(
        rf"{PAGE}\?delivery=[0-9a-f-]+#destinations", asked.headers["Location"]
    )
    assert "Test · " in await page(entered)
    await entered.post(PAGE, f"{PAGE}/destinations/remove", **of)
    assert "None yet." in await page(entered)


async def test_a_secret_that_was_made_is_shown_once(entered: Browser) -> None:
    """A webhook's signing secret is on the page that made it, and on no other."""
    url = "https://example.com/hook"
    made = await entered.post(PAGE, f"{PAGE}/destinations/add", kind="webhook", url=url)
    assert re.search(r"<code>whsec_[A-Za-z0-9+/=]{40,}</code>", made.text)
    assert "whsec_" not in (await page(entered)).replace("whsec_…", "")


async def test_the_free_plan_reads_why(
    shared_gateway: RunningGateway, entered: Browser, owner_of_own: Owner
) -> None:
    """The page says which plans have alerts, with the status of a refusal."""
    change = "UPDATE gateway.account SET plan = 'free' WHERE account_id = $1"
    await shared_gateway.fetch(change, owner_of_own.account_id)
    answer = await entered.send("GET", PAGE)
    assert answer.status == 403
    assert "PLAN_REQUIRED" in answer.text
    assert "Starter, Plus and Max" in answer.text


async def test_a_mail_is_ended_by_its_link(
    shared_gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """Reading the link ends nothing; the button or the mail program's POST does."""
    made = await shared_gateway.call(
        "POST",
        "/api/v1/alerts/destinations",
        owner=owner_of_own,
        json={"kind": "email", "address": "me@example.com"},
    )
    token = tokens.new_opaque()
    await shared_gateway.fetch(
        "UPDATE notifier.destination SET unsubscribe_hash = $1 "
        "WHERE destination_id::text = $2",
        *(tokens.hash_of(token), made.json["destination_id"]),
    )

    async def state() -> str:
        shown = await shared_gateway.call("GET", "/api/v1/alerts", owner=owner_of_own)
        return str(shown.json["destinations"][0]["state"])

    link = f"/unsubscribe?token={token}"
    assert (await shared_gateway.call("GET", link)).status == 200
    assert await state() == "active"
    one_click = {"List-Unsubscribe": "One-Click"}
    answer = await shared_gateway.call("POST", link, data=one_click)
    assert (answer.status, "No more messages" in answer.text) == (200, True)
    assert await state() == "disabled"
    other = await shared_gateway.call("POST", "/unsubscribe?token=x", data=one_click)
    assert "not known" in other.text
