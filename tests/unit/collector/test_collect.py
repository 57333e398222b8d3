"""One run against Stripe: what is asked for first, again, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from tests.unit.collector.intake import Intake

from opseer_collector.domain.fetching import Request
from opseer_collector.domain.records import Fetched, Window
from opseer_collector.providers.session import open_session
from opseer_collector.providers.stripe.collect import StripeProvider
from opseer_common.sealing import Secret

if TYPE_CHECKING:
    from tests.unit.collector.conftest import StandIn

    from opseer_common.contracts.collection import RunKind

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
SINCE, NEWEST = AT - 10 * 86_400, AT - 86_400
PROBED = {
    *("balance_transactions", "charges", "customers", "disputes", "events"),
    *("payment_intents", "payouts", "products", "invoices", "prices", "subscriptions"),
}


class Account:
    """A charge and a movement per `step` seconds; some lists are refused."""

    def __init__(self, step: int, refused: Mapping[str, str] | None = None) -> None:
        """Refuse the lists of `refused` for want of the right that it tells."""
        self.instants = range(SINCE, AT, step)
        self.refused = refused or {}
        self.limited = 0
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    def paths(self, **query: str) -> list[str]:
        """Return the lists that were asked for with a query."""
        return [
            name
            for name, asked in self.asked
            if all(asked.get(key) == value for key, value in query.items())
        ]

    async def __call__(self, request: web.Request) -> web.Response:
        """Answer one request."""
        name = request.path.removeprefix("/v1/")
        self.asked.append((name, dict(request.query)))
        if name == "balance":
            return web.json_response({"livemode": False, "available": []})
        if name in self.refused:
            message = f"Having the 'rak_{self.refused[name]}' permission would do"
            return web.json_response({"error": {"message": message}}, status=403)
        if self.limited and name == "charges":
            self.limited -= 1
            reason = {"Stripe-Rate-Limited-Reason": "endpoint-rate"}
            return web.json_response({}, status=429, headers=reason)
        if name not in {"balance_transactions", "charges"}:
            return web.json_response({"data": [], "has_more": False})
        return web.json_response(self._page(name, request.query))

    def _page(self, name: str, query: Mapping[str, str]) -> dict[str, Any]:
        low = int(query.get("created[gte]", SINCE))
        high = int(query.get("created[lt]", AT))
        cursor = query.get("starting_after")
        end = high if cursor is None else int(cursor.partition("_")[2])
        found = [at for at in reversed(self.instants) if low <= at < min(end, high)]
        limit = int(query.get("limit", "10"))
        row = transaction if name == "balance_transactions" else charge
        return {
            "data": [row(at) for at in found[:limit]],
            "has_more": len(found) > limit,
        }


def charge(at: int) -> dict[str, Any]:
    """Return a charge of 1.00 dollar."""
    return {
        "id": f"ch_{at}",
        "created": at,
        "amount": 100,
        "currency": "usd",
        "status": "succeeded",
        "livemode": False,
    }


def transaction(at: int) -> dict[str, Any]:
    """Return the movement of a charge."""
    return {
        "id": f"txn_{at}",
        "created": at,
        "amount": 100,
        "fee": 3,
        "net": 97,
        "currency": "usd",
        "reporting_category": "charge",
        "type": "charge",
    }


async def fetched(
    stripe: StandIn,
    account: Account,
    kind: RunKind = "first",
    read: Sequence[Window] = (),
) -> tuple[Fetched, Intake]:
    """Return what a run fetches and stores."""
    stripe.answers.append(account)
    key = Secret("x")
    request = Request(
        kind, "test", key, SINCE, AT, AT - 9999, NOW, newest=NEWEST, read=read
    )
    intake = Intake()
    async with open_session() as session:
        provider = StripeProvider(session, {"test": stripe.base}, 5000, stripe.sleep)
        return await provider.fetch(request, intake), intake


async def test_other_lists_wait_for_the_newest_days(stripe: StandIn) -> None:
    """Until both daily lists reach them, no other call takes of the budget."""
    account = Account(step=300)  # 288 rows a day
    await fetched(stripe, account)
    names = [name for name, _ in account.asked]
    first_other = min(names.index("disputes"), names.index("subscriptions"))
    before = account.asked[:first_other]
    assert {name for name, _ in before} == {
        *("balance", "balance_transactions", "charges")
    }
    # 288 rows a day are three pages of each list.
    assert len(before) >= 1 + 2 * 3


async def test_each_permission_is_asked_for_once_and_told_at_once(
    stripe: StandIn,
) -> None:
    """One row of each of eleven lists, and the balance; told before the run's end."""
    account = Account(step=86_400)
    _, intake = await fetched(stripe, account)
    probes = account.paths(limit="1")
    assert sorted(probes) == sorted(PROBED)
    [told] = [batch.permissions for batch in intake.batches if batch.permissions]
    assert set(told.values()) == {"ok"}
    assert len(told) == 12


async def test_a_permission_that_a_refusal_names_is_asked_for(
    stripe: StandIn,
) -> None:
    """A daily round asks for no permission but the one that stands in the way."""
    account = Account(step=86_400, refused={"disputes": "charge_read"})
    found, _ = await fetched(stripe, account, kind="daily")
    assert account.paths(limit="1") == ["charges"]
    assert found.permissions["disputes"] == "missing"
    assert found.permissions["charges_and_refunds"] == "ok"


async def test_windows_that_were_read_are_not_asked_for(stripe: StandIn) -> None:
    """A run that broke off goes on below what it had stored."""
    account = Account(step=1800)
    middle = SINCE + 4 * 86_400
    known = [Window("charges", middle, AT - 600)]
    _, intake = await fetched(stripe, account, read=known)
    stored = {row.created for batch in intake.batches for row in batch.charges}
    assert stored == {at for at in account.instants if at < middle}
    complete = {row.created for batch in intake.batches for row in batch.transactions}
    assert complete == set(account.instants)


async def test_windows_are_told_with_the_rows_that_fill_them(stripe: StandIn) -> None:
    """At each batch all rows of its windows are stored, in it or before it."""
    account = Account(step=300)
    _, intake = await fetched(stripe, account)
    stored: set[int] = set()
    windows = 0
    for batch in intake.batches:
        stored |= {row.created for row in batch.charges}
        for window in batch.read:
            if window.endpoint == "charges":
                windows += 1
                assert {
                    at for at in account.instants if window.since <= at < window.until
                } <= stored
    assert windows >= len(account.instants) // 100


@pytest.mark.parametrize("limited", [0, 1])
async def test_a_lowered_pace_is_told_to_be_remembered(
    stripe: StandIn, limited: int
) -> None:
    """After a refusal as too much, and not without one."""
    account = Account(step=86_400)
    account.limited = limited
    _, intake = await fetched(stripe, account)
    paces = [batch.pace for batch in intake.batches if batch.pace is not None]
    assert [set(pace) for pace in paces] == [{"charges"}] * limited
