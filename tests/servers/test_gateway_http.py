"""What the gateway takes from the network, and what it says.

Inputs that are refused are in catalogue/.
"""

from __future__ import annotations

from typing import Any

import pytest

from opseer_common.testing.gateway import Owner, RunningGateway

PATH = "/api/v1/integrations/stripe"
JSON = {"Content-Type": "application/json"}


async def test_health(gateway: RunningGateway) -> None:
    """/healthz says that the process lives, /readyz that database and bus answer."""
    assert (await gateway.call("GET", "/healthz")).status == 200
    ready = await gateway.call("GET", "/readyz")
    assert (ready.status, ready.json["parts"]) == (200, {"database": True, "bus": True})


async def test_headers_of_an_answer(gateway: RunningGateway) -> None:
    """Every answer has the security headers, and no version of a server."""
    for path in ("/healthz", "/login", "/api/v1/integrations", "/nowhere"):
        headers = (await gateway.call("GET", path)).headers
        assert headers["Content-Security-Policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; "
            "img-src 'self' data:; connect-src 'self'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
        )
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Server"] == "opseer"
        assert "Strict-Transport-Security" not in headers


async def test_https_is_said(start_gateway: Any) -> None:
    """With a public https URL: HSTS, and cookies that are Secure and __Host-."""
    gateway = await start_gateway(public_url="https://opseer.example.com")
    owner = await gateway.sign_up()
    body = {"email": owner.email, "password": "correct horse battery"}
    answer = await gateway.call("POST", "/api/v1/auth/login", json=body)
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-opseer_session=")
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie


async def test_wrong_method(gateway: RunningGateway) -> None:
    """A method that a path does not have is 405 and says which it has."""
    answer = await gateway.call("DELETE", "/api/v1/setup")
    assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "POST"


async def test_largest_body(gateway: RunningGateway, owner: Owner) -> None:
    """16 KiB are still read."""
    body = b'{"api_key":"' + b"x" * (16 * 1024 - 14) + b'"}'
    answer = await gateway.call("PUT", PATH, owner=owner, data=body, headers=JSON)
    assert answer.code == "INVALID_FORMAT"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_foreign_writes(
    gateway: RunningGateway, owner: Owner, headers: dict[str, str]
) -> None:
    """A write with our cookie that another site's page sent is 403."""
    session = await gateway.sign_in(owner)
    answer = await gateway.call("DELETE", PATH, headers={**session, **headers})
    assert (answer.status, answer.code) == (403, "FORBIDDEN_ORIGIN")


async def test_own_writes(gateway: RunningGateway, owner: Owner) -> None:
    """Our own page, and a script without a browser, may write with the cookie."""
    session = await gateway.sign_in(owner)
    for headers in (
        {},
        {"Origin": gateway.url},
        {"Sec-Fetch-Site": "same-origin"},
    ):
        answer = await gateway.call("DELETE", PATH, headers={**session, **headers})
        assert answer.status == 204


async def test_no_cors(gateway: RunningGateway) -> None:
    """No other site is ever allowed to read."""
    headers = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "PUT",
    }
    answer = await gateway.call("OPTIONS", PATH, headers=headers)
    assert answer.status == 405
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_description(gateway: RunningGateway) -> None:
    """The OpenAPI document names the routes, and its references lead somewhere."""
    document = (await gateway.call("GET", "/api/v1/openapi.json")).json
    assert set(document["paths"][PATH.replace("stripe", "{source}")]) == {
        "get",
        "put",
        "patch",
        "delete",
    }
    schemas = document["components"]["schemas"]
    row = document["paths"]["/api/v1/integrations/{source}"]["get"]["responses"]["200"]
    name = row["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    assert "settlement_currency" in schemas[name]["properties"]
