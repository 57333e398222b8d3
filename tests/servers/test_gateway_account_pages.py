"""The pages of channels, account and API, as a browser without JavaScript uses them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import pytest_asyncio

from opseer_common.channels import CHANNELS
from opseer_common.clock import utc_now
from opseer_common.testing.gateway import (
    PASSWORD,
    Answer,
    Owner,
    RunningGateway,
)
from opseer_common.testing.pages import Browser
from opseer_common.testing.published import publisher
from opseer_common.testing.servers import FreshDatabase

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIVE = "rk_" + "live_" + "A" * 24
STRIPE = "/dashboard/integrations/stripe"
ACCOUNT = "/dashboard/account"
PLACES = (ACCOUNT, "/dashboard/integrations")


@pytest.fixture
def gateway(shared_gateway: RunningGateway) -> RunningGateway:
    """Return the module's gateway."""
    return shared_gateway


@pytest.fixture
def database(module_database: FreshDatabase) -> FreshDatabase:
    """Return the module's database."""
    return module_database


@pytest.fixture
def owner(owner_of_own: Owner) -> Owner:
    """Return an account of this test alone."""
    return owner_of_own


@pytest_asyncio.fixture(loop_scope="module")
async def entered(gateway: RunningGateway, owner: Owner) -> Browser:
    """Return a browser of the owner, signed in."""
    browser = Browser(gateway)
    login = {"email": owner.email, "password": PASSWORD}
    assert (await browser.post("/login", "/login", **login)).status == 303
    return browser


async def page_of(browser: Browser, path: str) -> str:
    """Return the text of a page."""
    answer = await browser.send("GET", path)
    assert answer.status == 200, answer.text
    return answer.text


async def connect(browser: Browser, key: str = LIVE, **more: str) -> Answer:
    """Send the form of the connect page."""
    return await browser.post(STRIPE, f"{STRIPE}/connect", api_key=key, **more)


async def test_connect_and_disconnect(entered: Browser) -> None:
    """The card connects, refreshes and asks before it disconnects, on both pages."""
    assert (await connect(entered)).headers["Location"] == STRIPE
    for place in PLACES:
        page = await page_of(entered, place)
        assert "Collecting initial data" in page
        assert "rk_live_…AAAA" in page
        assert '<meta http-equiv="refresh"' in page
        assert f'href="{STRIPE}/disconnect"' in page
        done = await entered.post(place, f"{STRIPE}/refresh", back=place)
        assert done.headers["Location"] == f"{place}#stripe"
    asked = await page_of(entered, f"{STRIPE}/disconnect")
    assert "Encrypted key and cache are deleted." in asked
    assert "https://dashboard.stripe.com/apikeys" in asked
    assert "rk_live_…AAAA" in await page_of(entered, STRIPE)
    gone = await entered.post(f"{STRIPE}/disconnect", f"{STRIPE}/disconnect")
    assert gone.status == 303
    assert "Not connected" in await page_of(entered, ACCOUNT)
    late = await entered.send("GET", f"{STRIPE}/disconnect")
    assert late.status == 303


@pytest.mark.parametrize(
    ("key", "status", "code", "words"),
    [
        (
            "sk_" + "live_" + "A" * 24,
            422,
            "INVALID_PREFIX",
            "Only Restricted Keys (rk_) are allowed.",
        ),
        ("rk_" + "live_A", 422, "INVALID_FORMAT", "cut off"),
        (
            "rk_" + "live_" + "Z" * 24,
            422,
            "AUTH_FAILED",
            "The key is expired or the balance permission is missing.",
        ),
    ],
)
async def test_refused_key(
    entered: Browser, key: str, status: int, code: str, words: str
) -> None:
    """A refused key is said under its field, which is empty again."""
    answer = await connect(entered, key)
    assert answer.status == status
    assert f"<strong>{code}</strong>" in answer.text
    assert words in answer.text
    assert key not in answer.text
    assert 'aria-invalid="true"' in answer.text


async def test_provider_away(entered: Browser, owner: Owner) -> None:
    """A provider that is away is said as such, and nothing is stored."""
    await entered.gateway.control("faults", {"kind": "server_error"})
    answer = await connect(entered)
    assert (answer.status, "PROVIDER_UNAVAILABLE" in answer.text) == (503, True)
    assert not await entered.gateway.fetch(
        "SELECT 1 FROM gateway.opseer_user_integration WHERE account_id = $1",
        owner.account_id,
    )


async def test_key_is_sent_by_post_alone(entered: Browser) -> None:
    """The form of the key posts, so that no key ever stands in an address."""
    page = await page_of(entered, STRIPE)
    form = re.search(r"<form[^>]*class=\"key\"[^>]*>", page)
    assert form is not None
    assert 'method="post"' in form.group(0)
    assert re.search(r'name="api_key" type="password" autocomplete="off"', page)
    asked = await entered.send("GET", f"{STRIPE}/connect?api_key={LIVE}")
    assert asked.status == 405


async def test_guide_says_every_step(entered: Browser) -> None:
    """The guide has the role, the section, the application, all 12 permissions."""
    page = await page_of(entered, STRIPE)
    for words in (
        "Owner / Developer role",
        "section near the bottom (NOT Standard keys)",
        "Providing this key to a third-party application",
        "Name: Opseer / URL: https://opseer.com",
        "use the Permissions column only. Leave the Connect permissions column",
        "One connection serves all your projects.",
    ):
        assert words in page.replace("&#34;", '"'), words
    names = re.findall(r'<span class="items">(.*?)</span>', page)
    items = [re.findall(r"<code>(.*?)</code>", name) for name in names]
    assert [len(one) for one in items] == [9, 3]


async def test_demo_in_one_click_and_out(entered: Browser) -> None:
    """Demo data come and go by one button; a key of one's own asks before."""
    began = await entered.post("/dashboard/integrations", f"{STRIPE}/demo")
    assert began.headers["Location"] == "/dashboard/revenue/stripe"
    for path in (*PLACES, STRIPE, "/dashboard"):
        assert '<p class="banner" role="status">DEMO' in await page_of(entered, path)
    asked = await connect(entered, LIVE)
    assert (asked.status, "MODE_MISMATCH" in asked.text) == (409, True)
    replaced = await connect(entered, LIVE, replace="yes")
    assert replaced.status == 303
    assert "Live mode" in await page_of(entered, STRIPE)


async def test_demo_is_removed(entered: Browser) -> None:
    """Removing demo data needs no second page."""
    await entered.post(STRIPE, f"{STRIPE}/demo")
    removed = await entered.post("/dashboard/integrations", f"{STRIPE}/disconnect")
    assert removed.status == 303
    assert "DEMO" not in await page_of(entered, "/dashboard/integrations")


async def test_permissions_and_what_they_cost(
    entered: Browser, owner: Owner, database: FreshDatabase
) -> None:
    """The checklist names all 12, what is missing, and what is lost by it."""
    async with publisher(database) as world:
        of = await world.connect(owner.account_id)
        given = {"balance": "ok", "events": "missing"}
        await world.publish(of, 1, utc_now(), permissions=given)
    for place in (*PLACES, STRIPE):
        page = await page_of(entered, place)
        part = page.partition("read permissions</summary>")[2].partition("</ul>")[0]
        found = re.findall(r'<li class="(ok|missing|unknown)">', part)
        assert sorted(set(found)) == ["missing", "ok", "unknown"]
        assert len(found) == 12
        assert "1 of 12 read permissions" in page
        assert "Missing: no Yesterday MRR, no MRR Trend" in page


async def test_numbers_to_compare(
    entered: Browser, owner: Owner, database: FreshDatabase
) -> None:
    """Yesterday's charges, active subscriptions and MRR lead to Stripe's own pages."""
    yesterday = utc_now().date() - timedelta(days=1)
    async with publisher(database) as world:
        of = await world.connect(owner.account_id)
        await world.daily(of, yesterday, 123_456, 7)
        await world.publish(of, 1, utc_now())
    page = await page_of(entered, STRIPE)
    part = page.partition("Numbers to compare with Stripe")[2].partition("</ul>")[0]
    assert re.findall(r'href="(https://dashboard\.stripe\.com[^"]*)"', part) == [
        "https://dashboard.stripe.com/payments",
        "https://dashboard.stripe.com/subscriptions?status=active",
        "https://dashboard.stripe.com/billing",
    ]
    assert "7 · " in part


async def test_end_of_the_first_run(
    entered: Browser, owner: Owner, database: FreshDatabase
) -> None:
    """After a first collection the page says what is connected, and of each service.

    A service that has written nothing yet is not said to be well.
    """
    async with publisher(database) as world:
        of = await world.connect(owner.account_id)
        assert 'id="services"' not in await page_of(entered, STRIPE)
        given = dict.fromkeys(CHANNELS["stripe"].permissions, "ok")
        await world.publish(of, 1, utc_now(), permissions=given | {"events": "missing"})
    page = await page_of(entered, STRIPE)
    [said] = re.findall(r"<strong>(Connected: .*)</strong>", page)
    assert said.endswith(", live mode, settles in USD, 11 of 12 permissions")
    part = page.partition('id="services"')[2].partition("</ul>")[0]
    marks = re.findall(r'<li class="(\w+)">.*?<span>(\w+)<', part)
    assert marks == [
        ("ok", "Collector"),
        ("missing", "MRR"),
        ("missing", "Notifier"),
        ("ok", "Gateway"),
    ]


async def test_settings(entered: Browser, owner: Owner) -> None:
    """Zone and rules are changed by a form; what makes no sense is said there."""
    await connect(entered)
    action = f"{STRIPE}/settings"
    wrong = await entered.post(STRIPE, action, timezone="Mars/Base")
    assert (wrong.status, "INVALID_TIMEZONE" in wrong.text) == (422, True)
    fields = {"timezone": "Asia/Seoul", "policy": "stripe"}
    assert (await entered.post(STRIPE, action, **fields)).status == 303
    (row,) = await entered.gateway.fetch(
        """
        SELECT timezone, policy FROM gateway.opseer_user_integration
        WHERE account_id = $1
        """,
        owner.account_id,
    )
    assert (row["timezone"], '"stripe"' in row["policy"]) == ("Asia/Seoul", True)


async def test_password_page(entered: Browser, owner: Owner) -> None:
    """A new password is taken with the current one, and signs in from then on."""
    action = f"{ACCOUNT}/password"
    wrong = {"current_password": "no", "new_password": "a longer one"}
    refused = await entered.post(ACCOUNT, action, **wrong)
    assert "WRONG_PASSWORD" in refused.text
    right = wrong | {"current_password": PASSWORD}
    changed = await entered.post(ACCOUNT, action, **right)
    assert changed.status == 303
    assert "Password" in await page_of(entered, ACCOUNT)
    fresh = Browser(entered.gateway)
    login = {"email": owner.email, "password": "a longer one"}
    assert (await fresh.post("/login", "/login", **login)).status == 303


async def test_invited_by_a_link(entered: Browser, owner: Owner) -> None:
    """The link is shown once, takes a password, and lets a member in."""
    made = await entered.post(
        ACCOUNT, f"{ACCOUNT}/people/invite", email=f"m-{owner.email}", role="member"
    )
    link = re.search(r"<code>http://[^/]+(/invite/[\w-]{43})</code>", made.text)
    assert link is not None
    assert link.group(1) not in await page_of(entered, ACCOUNT)
    guest = Browser(entered.gateway)
    short = await guest.post(link.group(1), link.group(1), password="short")
    assert "INVALID_PASSWORD" in short.text
    came = await guest.post(link.group(1), link.group(1), password="long enough")
    assert came.headers["Location"] == "/dashboard"
    page = await page_of(guest, ACCOUNT)
    assert "Make a link" not in page
    assert "Only an owner of the account can connect it." in page
    again = await Browser(entered.gateway).send("GET", link.group(1))
    assert again.status == 404


async def test_projects_on_the_page(entered: Browser) -> None:
    """A project is made, chosen and renamed; both see the one connection."""
    await connect(entered)
    await entered.post(ACCOUNT, f"{ACCOUNT}/projects/add", name="Second <b>")
    page = await page_of(entered, ACCOUNT)
    assert "Second &lt;b&gt;" in page
    other = re.search(r'name="project_id" value="([0-9a-f-]{36})">\s*<button', page)
    assert other is not None
    chosen = await entered.post(
        ACCOUNT, f"{ACCOUNT}/projects/choose", project_id=other.group(1)
    )
    assert chosen.status == 303
    page = await page_of(entered, ACCOUNT)
    assert 'Second &lt;b&gt; <span class="badge good">current</span>' in page
    overview = await page_of(entered, "/dashboard")
    assert re.search(r'class="project"[^>]*>Second &lt;b&gt;<', overview)
    assert "rk_live_…AAAA" in page
    taken = await entered.post(
        ACCOUNT,
        f"{ACCOUNT}/projects/rename",
        project_id=other.group(1),
        name="my project",
    )
    assert "NAME_TAKEN" in taken.text


async def test_token_on_the_page(entered: Browser) -> None:
    """A token is shown once, reads, and is gone when it is deleted."""
    made = await entered.post(
        ACCOUNT, f"{ACCOUNT}/tokens/add", name="sheet", scope="read"
    )
    found = re.search(r"<code>(ops_[\w-]{43})</code>", made.text)
    assert found is not None
    headers = {"Authorization": f"Bearer {found.group(1)}"}
    asked = await entered.gateway.call("GET", "/api/v1/integrations", headers=headers)
    assert asked.status == 200
    page = await page_of(entered, ACCOUNT)
    assert found.group(1) not in page
    ids = re.findall(r'name="token_id" value="([0-9a-f-]{36})"', page)
    for token_id in ids:
        await entered.post(ACCOUNT, f"{ACCOUNT}/tokens/delete", token_id=token_id)
    asked = await entered.gateway.call("GET", "/api/v1/integrations", headers=headers)
    assert asked.status == 401


async def test_what_is_shown_once_stays(entered: Browser) -> None:
    """No page that shows a secret or an error renews itself, not while collecting."""
    await connect(entered)
    assert '<meta http-equiv="refresh"' in await page_of(entered, ACCOUNT)
    made = await entered.post(ACCOUNT, f"{ACCOUNT}/tokens/add", name="x", scope="read")
    assert 'class="secret"' in made.text
    refused = await connect(entered, "rk_" + "live_A")
    for answer in (made, refused):
        assert '<meta http-equiv="refresh"' not in answer.text


async def test_api_page(entered: Browser) -> None:
    """Every operation of openapi.json stands on the page, for strangers as well."""
    document = (await entered.send("GET", "/api/v1/openapi.json")).json
    page = await page_of(Browser(entered.gateway), "/docs/api")
    for path, operations in document["paths"].items():
        assert page.count(f"<code>{path}</code>") == len(operations)
    assert 'aria-current="page">Account' in await page_of(entered, "/docs/api")


async def test_metrics(entered: Browser, owner: Owner) -> None:
    """Figures name routes and no account; another machine needs a token."""
    key = {"email": owner.email, "password": "wrong one!"}
    await entered.gateway.call("POST", "/api/v1/auth/login", json=key)
    await entered.send("GET", "/no/such/page/rk_live")
    found = await entered.send("GET", "/metrics")
    assert (
        'opseer_http_requests_total{method="POST",route="/api/v1/auth/login",'
        'status="401"} 1.0' in found.text
    )
    assert "rk_live" not in found.text
    assert str(owner.account_id) not in found.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Real-IP", "203.0.113.9"),
        ("Forwarded", "for=203.0.113.9"),
        ("Via", "1.1 proxy"),
        ("X-Forwarded-Proto", "https"),
        ("Host", "203.0.113.1"),
    ],
)
async def test_metrics_through_a_proxy(entered: Browser, name: str, value: str) -> None:
    """Whatever shows that a visitor is not on this machine: a token is needed."""
    answer = await entered.gateway.call("GET", "/metrics", headers={name: value})
    assert answer.status == 401
