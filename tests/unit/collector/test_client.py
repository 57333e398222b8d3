"""One call to Stripe: what is tried again, what is not, and what is never done."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from opseer_collector.domain.fetching import KeyRefusedError, ProviderAwayError
from opseer_collector.providers.attempts import PermissionMissingError, UnreadableError
from opseer_collector.providers.stripe.client import VERSION, Place, StripeClient

if TYPE_CHECKING:
    from tests.unit.collector.conftest import StandIn

PLACE = Place("/v1/charges", "charges")
OLD = (
    "The provided key 'rk_test_***' does not have the required permissions for this "
    "endpoint on account 'acct_1'. Having the 'rak_charge_read' permission would allow "
    "this request to continue."
)
NEW = (
    "Permission denied. The provided key 'rk_test_***' does not have the required "
    "permissions. Enabling \"Prices Read\" ('plan_read') permissions on this key would "
    "allow this request to continue."
)


async def get(client: StripeClient, **params: str) -> dict[str, Any]:
    """Read the place as an object."""
    return await client.get(PLACE, params, dict[str, Any])


async def test_every_call_names_the_key_and_the_version(
    stripe: StandIn, client: StripeClient
) -> None:
    """The key goes into the header alone, the version is pinned."""
    stripe.json({})
    await get(client, limit="1")
    [asked] = stripe.asked
    assert asked.headers["Stripe-Version"] == VERSION == "2025-08-27.basil"
    assert asked.headers["Authorization"].startswith("Bearer rk_")
    assert "rk_" not in str(asked.url)


@pytest.mark.parametrize("status", [409, 429, 500, 502, 503, 504])
async def test_passing_refusals_are_tried_again(
    stripe: StandIn, client: StripeClient, status: int
) -> None:
    """Reading is safe to repeat; each wait is within its growing bound."""
    for _ in range(3):
        stripe.error(status)
    stripe.json({"ok": 1})
    assert await get(client) == {"ok": 1}
    assert len(stripe.asked) == 4
    bounds = zip(stripe.slept, (0.5, 1, 2), strict=True)
    assert all(0 <= slept <= most for slept, most in bounds)


async def test_trouble_without_an_end_is_given_up(
    stripe: StandIn, client: StripeClient
) -> None:
    """After six tries the provider counts as away."""
    stripe.error(503)
    with pytest.raises(ProviderAwayError):
        await get(client)
    assert len(stripe.asked) == 6


async def test_the_budget_of_a_run_ends(stripe: StandIn, client: StripeClient) -> None:
    """A run does not retry for ever where every second call fails."""
    stripe.error(500)
    for _ in range(20):
        with pytest.raises(ProviderAwayError):
            await get(client)
    assert len(stripe.asked) <= 60 + 20


@pytest.mark.parametrize(
    ("text", "waited"), [("7", 7), ("999", 60), ("-1", None), ("soon", None)]
)
async def test_a_sane_retry_after_is_honoured(
    stripe: StandIn, client: StripeClient, text: str, waited: float | None
) -> None:
    """At most a minute; garbage and the past are ignored."""
    stripe.json({}, status=429, headers={"Retry-After": text})
    stripe.json({})
    await get(client)
    [slept] = stripe.slept
    assert slept == waited if waited else slept <= 0.5


async def test_a_refused_key_is_not_tried_again(
    stripe: StandIn, client: StripeClient
) -> None:
    """401 is final at once, and the words tell an expired key."""
    stripe.error(401, "Expired API Key provided", code="api_key_expired")
    with pytest.raises(KeyRefusedError) as caught:
        await get(client)
    assert (caught.value.code, len(stripe.asked)) == ("AUTH_FAILED", 1)
    assert "expired" in caught.value.detail


@pytest.mark.parametrize(
    ("message", "rights"),
    [
        (OLD, {"charge_read"}),
        (NEW, {"plan_read"}),
        ("Having the 'rak_a_read', 'rak_b_read' permissions", {"a_read", "b_read"}),
        ("no", set()),
    ],
)
async def test_a_missing_permission_is_named(
    stripe: StandIn, client: StripeClient, message: str, rights: set[str]
) -> None:
    """Both wordings, one or several, and none."""
    stripe.error(403, message)
    with pytest.raises(PermissionMissingError) as caught:
        await get(client)
    assert (set(caught.value.rights), len(stripe.asked)) == (rights, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"message": "does not allow requests from your IP address (1.2.3.4)."},
        {"message": "x", "code": "account_invalid"},
    ],
)
async def test_a_key_that_is_shut_out_is_refused(
    stripe: StandIn, client: StripeClient, fields: dict[str, str]
) -> None:
    """A foreign address or a revoked access is the key's trouble, not ours."""
    stripe.json({"error": fields}, status=403)
    with pytest.raises(KeyRefusedError):
        await get(client)


async def test_a_redirect_is_not_followed(
    stripe: StandIn, client: StripeClient
) -> None:
    """The key goes to no other place."""
    stripe.json({}, status=302, headers={"Location": f"{stripe.base}/elsewhere"})
    with pytest.raises(ProviderAwayError):
        await get(client)
    assert {asked.path for asked in stripe.asked} == {"/v1/charges"}


@pytest.mark.parametrize("body", [b"", b"<html>Be right back</html>"])
async def test_a_page_for_people_is_a_provider_that_is_away(
    stripe: StandIn, client: StripeClient, body: bytes
) -> None:
    """A maintenance page with 200 is treated as 503."""
    stripe.answers.append(web.Response(body=body, content_type="text/html"))
    with pytest.raises(ProviderAwayError):
        await get(client)


@pytest.mark.parametrize("body", [b'{"a": [1, 2', b'{"a": NaN}', b"[" * 100_000])
async def test_a_body_that_stays_broken_is_unreadable(
    stripe: StandIn, client: StripeClient, body: bytes
) -> None:
    """Tried again in smaller pages, then given up as unreadable."""
    stripe.answers.append(web.Response(body=body, content_type="application/json"))
    with pytest.raises(UnreadableError):
        await get(client, limit="100")
    limits = [asked.query["limit"] for asked in stripe.asked]
    assert limits == ["100", "50", "25", "12", "6", "5"]


async def test_a_bomb_is_not_unpacked(stripe: StandIn, client: StripeClient) -> None:
    """At most 8 MiB are read, however little they were packed into."""
    bomb = gzip.compress(b"[" + b" " * (64 << 20) + b"]")
    stripe.answers.append(
        web.Response(
            body=bomb,
            content_type="application/json",
            headers={"Content-Encoding": "gzip"},
        )
    )
    with pytest.raises(UnreadableError, match="8 MiB"):
        await get(client)


@pytest.mark.parametrize("status", [409, 500])
async def test_advice_against_another_try_is_heeded(
    stripe: StandIn, client: StripeClient, status: int
) -> None:
    """Stripe-Should-Retry: false ends it; the run is tried later."""
    stripe.json({}, status=status, headers={"Stripe-Should-Retry": "false"})
    with pytest.raises(ProviderAwayError):
        await get(client)
    assert len(stripe.asked) == 1


@pytest.mark.parametrize(("status", "advice"), [(400, "true"), (429, "false")])
async def test_what_is_tried_again_all_the_same(
    stripe: StandIn, client: StripeClient, status: int, advice: str
) -> None:
    """Whatever Stripe advises to; and limits, which only slow down."""
    stripe.json({}, status=status, headers={"Stripe-Should-Retry": advice})
    stripe.json({"ok": 1})
    assert await get(client) == {"ok": 1}


@pytest.mark.parametrize(
    ("status", "error"), [(404, UnreadableError), (502, ProviderAwayError)]
)
async def test_the_status_decides_where_the_body_is_no_json(
    stripe: StandIn, client: StripeClient, status: int, error: type[Exception]
) -> None:
    """A proxy's page in place of the envelope; no list at all is unreadable."""
    stripe.answers.append(web.Response(body=b"<html>", status=status))
    with pytest.raises(error):
        await get(client)


async def test_cookies_are_not_kept(stripe: StandIn, client: StripeClient) -> None:
    """What one answer sets, no later call carries."""
    stripe.json({}, {}, headers={"Set-Cookie": "a=b"})
    await get(client)
    await get(client)
    assert "Cookie" not in stripe.asked[1].headers
