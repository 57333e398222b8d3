"""Entries 1 to 34: what is pasted where a key belongs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from typing_extensions import override

from opseer_common.testing.gateway import Answer, Owner, RunningGateway
from opseer_gateway.providers import stripe

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = "/api/v1/integrations/stripe"
BODY = "A" * 24
LIVE, TEST = "rk_" + "live_" + BODY, "rk_" + "test_" + BODY
OTHER_LIVE = "rk_" + "live_" + "b" * 24
PREFIX, FORMAT = "INVALID_PREFIX", "INVALID_FORMAT"


@dataclass(frozen=True)
class KeyEntry:
    """A key that is refused with 422 and a code; `words` are in the answer."""

    number: int
    what: str
    key: Any
    code: str
    words: str = ""

    @override
    def __str__(self) -> str:
        """Return the test's id."""
        return f"{self.number} {self.what}"


REFUSED = (
    KeyEntry(1, "standard key", "sk_" + "live_" + BODY, PREFIX, "rk_live_"),
    KeyEntry(2, "standard test key", "sk_" + "test_" + BODY, PREFIX),
    KeyEntry(3, "publishable key", "pk_" + "live_" + BODY, PREFIX),
    KeyEntry(4, "upper case", "SK_" + "LIVE_" + BODY, PREFIX),
    KeyEntry(4, "mixed case", "Rk_" + "live_" + BODY, PREFIX),
    KeyEntry(5, "prefix alone", "rk_", FORMAT),
    KeyEntry(6, "unknown mode", "rk_" + "prod_x", FORMAT),
    KeyEntry(8, "inner space", LIVE[:12] + " " + LIVE[12:], FORMAT, "a space"),
    KeyEntry(9, "zero-width space", LIVE + "\u200b", FORMAT, "hidden characters"),
    KeyEntry(10, "byte order mark", "\ufeff" + LIVE, FORMAT, "hidden characters"),
    KeyEntry(11, "full width", "\uff52\uff4b_" + "live_" + BODY, FORMAT),
    KeyEntry(12, "Cyrillic", "r\u043a_" + "live_" + BODY, FORMAT),
    KeyEntry(13, "NUL", LIVE[:12] + "\0" + LIVE[12:], FORMAT, "hidden characters"),
    KeyEntry(14, "header split", LIVE + "\r\nX: y", FORMAT),
    KeyEntry(15, "accent", LIVE + "\u00e9", FORMAT),
    KeyEntry(16, "nothing", "", "REQUIRED"),
    KeyEntry(16, "space alone", " \t\n", "REQUIRED"),
    KeyEntry(17, "null", None, "TYPE"),
    KeyEntry(18, "number", 1, "TYPE"),
    KeyEntry(18, "true", key=True, code="TYPE"),
    KeyEntry(18, "array", [LIVE], "TYPE"),
    KeyEntry(18, "object", {"api_key": LIVE}, "TYPE"),
    KeyEntry(19, "256 characters", "rk_" + "live_" + "A" * 248, FORMAT),
    KeyEntry(21, "smart quotes", "\u201c" + LIVE + "\u201d", FORMAT, "quotation"),
    KeyEntry(22, "with its scheme", "Bearer " + LIVE, FORMAT, "word before"),
    KeyEntry(23, "curl's colon", LIVE + ":", FORMAT, "colon"),
    KeyEntry(24, "webhook secret", "whsec_" + BODY, PREFIX, "something else"),
    KeyEntry(25, "Polar's token", "polar_oat_" + BODY, PREFIX),
    KeyEntry(25, "RevenueCat's key", "sk_" + BODY, PREFIX),
)


async def put(gateway: RunningGateway, owner: Owner, **body: object) -> Answer:
    """Connect."""
    return await gateway.call("PUT", PATH, owner=owner, json=body)


async def rows(gateway: RunningGateway, owner: Owner) -> int:
    """Return how many connections the account has."""
    found = await gateway.fetch(
        "SELECT FROM gateway.opseer_user_integration WHERE account_id = $1",
        owner.account_id,
    )
    return len(found)


@pytest.mark.parametrize("entry", REFUSED, ids=str)
async def test_refused_keys(
    gateway: RunningGateway,
    account: Owner,
    entry: KeyEntry,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """422 with the code; no call out, no row, and the key in no answer and no log."""
    calls = await gateway.provider_calls()
    answer = await put(gateway, account, api_key=entry.key)
    assert (answer.status, answer.code) == (422, entry.code)
    assert entry.words in answer.json["detail"]
    assert await gateway.provider_calls() == calls
    assert await rows(gateway, account) == 0
    written = answer.text + "".join(capfd.readouterr())
    assert BODY not in written


async def test_7_space_around_a_key(
    gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """Space that came with the paste is trimmed; the key is taken."""
    for pasted, status in ((f" {LIVE} ", 201), (f"\t{LIVE}\r\n", 200)):
        assert (await put(gateway, owner_of_own, api_key=pasted)).status == status


async def test_20_one_mebibyte(gateway: RunningGateway, account: Owner) -> None:
    """413, before it is read."""
    head = (
        f"PUT {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {account.token}\r\nContent-Length: 1048576\r\n\r\n"
    )
    body = b'{"api_key":"' + b"A" * 1000
    answer = await gateway.send(head.encode() + body, enough=b"BODY_TOO_LARGE")
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_26_key_of_the_other_mode(
    gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """409 MODE_MISMATCH until `replace` says that it is meant."""
    await put(gateway, owner_of_own, api_key=LIVE)
    answer = await put(gateway, owner_of_own, api_key=TEST)
    assert (answer.status, answer.code) == (409, "MODE_MISMATCH")
    answer = await put(gateway, owner_of_own, api_key=TEST, replace=True)
    assert (answer.status, answer.json["environment"]) == (200, "test")


async def test_27_the_same_key_twice(
    gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """201, then 200: one row, whose first collection starts again."""
    first = await put(gateway, owner_of_own, api_key=LIVE)
    again = await put(gateway, owner_of_own, api_key=LIVE)
    assert (first.status, again.status) == (201, 200)
    assert first.json["run_id"] != again.json["run_id"]
    assert await rows(gateway, owner_of_own) == 1


async def test_28_two_keys_at_once(
    gateway: RunningGateway, owner_of_own: Owner
) -> None:
    """One 201, one 200, one row."""
    answers = await asyncio.gather(
        *(put(gateway, owner_of_own, api_key=key) for key in (LIVE, OTHER_LIVE))
    )
    assert sorted(answer.status for answer in answers) == [200, 201]
    assert await rows(gateway, owner_of_own) == 1


async def test_29_revoked_key(gateway: RunningGateway, account: Owner) -> None:
    """422 AUTH_FAILED, nothing stored."""
    await gateway.control("key", {"state": "revoked"})
    answer = await put(gateway, account, api_key=LIVE)
    await gateway.control("key", {"state": "valid"})
    assert (answer.status, answer.code) == (422, "AUTH_FAILED")
    assert await rows(gateway, account) == 0


async def test_30_provider_down(gateway: RunningGateway, account: Owner) -> None:
    """503 PROVIDER_UNAVAILABLE, nothing stored."""
    await gateway.control("faults", {"kind": "server_error", "status": 503})
    answer = await put(gateway, account, api_key=LIVE)
    assert (answer.status, answer.code) == (503, "PROVIDER_UNAVAILABLE")
    assert await rows(gateway, account) == 0


async def test_31_slow_provider(
    gateway: RunningGateway, account: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 PROVIDER_UNAVAILABLE when 10 s are over (here less), nothing stored."""
    assert stripe._SECONDS == 10
    monkeypatch.setattr(stripe, "_TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    await gateway.control("latency", {"milliseconds": 600})
    answer = await put(gateway, account, api_key=LIVE)
    await gateway.control("latency", {"milliseconds": 0})
    assert (answer.status, answer.code) == (503, "PROVIDER_UNAVAILABLE")
    assert await rows(gateway, account) == 0


@dataclass(frozen=True)
class BodyEntry:
    """A body around a key, and its answer."""

    number: int
    what: str
    body: bytes
    status: int
    code: str

    @override
    def __str__(self) -> str:
        """Return the test's id."""
        return f"{self.number} {self.what}"


AROUND = (
    BodyEntry(32, "unknown", b'{"api_key":"x","a":1}', 422, "UNKNOWN_FIELD"),
    BodyEntry(33, "twice", b'{"api_key":"x","api_key":"y"}', 400, "DUPLICATE_FIELD"),
    BodyEntry(
        34, "another account", b'{"api_key":"x","account_id":"y"}', 422, "UNKNOWN_FIELD"
    ),
)


@pytest.mark.parametrize("entry", AROUND, ids=str)
async def test_fields_around_a_key(
    gateway: RunningGateway, account: Owner, entry: BodyEntry
) -> None:
    """Only the fields that are known, each once."""
    headers = {"Content-Type": "application/json"}
    answer = await gateway.call(
        "PUT", PATH, owner=account, data=entry.body, headers=headers
    )
    assert (answer.status, answer.code) == (entry.status, entry.code)
