"""Twenty tenants who ask for anything, their own or not: no answer is of another."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from tests.servers.tenants.conftest import Table

from opseer_common.testing.gateway import Answer, RunningGateway
from opseer_common.testing.tenants import Tenant, furnish

pytestmark = pytest.mark.asyncio(loop_scope="module")
TENANTS = 20
AT_ONCE = 10
ENDLESS = "/progress"
SOURCES = ("stripe", "revenuecat", "polar", "paypal")
MARK = re.compile(r"tenant\d{3}mark")
NAMES = ("", "x", "'; DROP TABLE gateway.account; --")
COSTLY = ("/auth/", "/setup", "/login", "/demo", "/accept")
"""Left out: they hash passwords or call a provider, and take no id of anybody."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def twenty(shared_gateway: RunningGateway) -> list[Tenant]:
    """Return the tenants."""
    return [await furnish(shared_gateway.admin_url, n) for n in range(TENANTS)]


class Walk:
    """Requests by chance: the same seed makes the same ones."""

    def __init__(self, tenants: list[Tenant], table: Table, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - no secret hangs on it
        self._tenants = tenants
        self._owner_of = {
            str(one): tenant.mark
            for tenant in tenants
            for one in (*tenant.ids.values(), tenant.owner.account_id)
        }
        self._table = [
            (method, path)
            for method, path in table
            if not path.endswith(ENDLESS) and not any(one in path for one in COSTLY)
        ]

    async def step(self, gateway: RunningGateway) -> tuple[Tenant, str, Answer]:
        """Ask once for something that may be anybody's."""
        who, whose = self._chance.choice(self._tenants), self._target()
        method, path = self._chance.choice(self._table)
        # Most of what is deleted once is not there to be leaked afterwards.
        if method == "DELETE" and self._chance.random() < 0.5:
            method, path = "GET", "/api/v1/reports/daily"
        whole = path.format_map(self._values(who, whose)) + self._query(whose)
        body = None if method == "GET" else {"name": self._chance.choice(NAMES)}
        asked = await gateway.call(method, whole, owner=who.owner, json=body)
        return who, f"{method} {whole}", asked

    def foreign(self, who: Tenant, answer: Answer) -> list[str]:
        """Return what of another tenant is in an answer, but for what was sent."""
        text = answer.text
        marks = [mark for mark in MARK.findall(text) if mark != who.mark]
        ids = [one for one in self._owner_of if one in text]
        return marks + [one for one in ids if self._owner_of[one] != who.mark]

    def _target(self) -> Tenant:
        return self._chance.choice(self._tenants)

    def _values(self, who: Tenant, whose: Tenant) -> Mapping[str, object]:
        """Return what stands in a path: mostly the target's, else one's own or none."""
        ids: Mapping[str, object] = self._chance.choice(
            (whose.ids, whose.ids, who.ids, dict.fromkeys(who.ids, uuid4()))
        )
        day = who.day - timedelta(days=self._chance.choice((0, 0, 1, 40)))
        source = self._chance.choice(SOURCES)
        return {"source": source, "date": day, "token": "A" * 43, "name": "x", **ids}

    def _query(self, whose: Tenant) -> str:
        source = self._chance.choice(SOURCES)
        more = ("", f"&q={whose.mark}", f"&delivery={whose.ids['delivery_id']}")
        return f"?source={source}{self._chance.choice(more)}"


async def walked(
    gateway: RunningGateway, tenants: list[Tenant], table: Table, steps: int, seed: int
) -> None:
    """Walk, and look at each answer."""
    walk = Walk(tenants, table, seed)
    own = 0
    for _ in range(0, steps, AT_ONCE):
        taken = await asyncio.gather(*(walk.step(gateway) for _ in range(AT_ONCE)))
        for who, asked, answer in taken:
            where = f"seed {seed}: {who.mark} {asked}: {answer.text[:300]}"
            sent = [mark for mark in MARK.findall(asked) if mark != who.mark]
            found = [one for one in walk.foreign(who, answer) if one not in asked]
            assert not found, where
            # What was searched for may be said once: in the field it was typed in.
            assert answer.text.count(sent[0]) <= 1 if sent else True, where
            assert answer.status < 500, where
            own += who.mark in answer.text
    assert own > steps // 20


async def test_500_steps(
    shared_gateway: RunningGateway, twenty: list[Tenant], table: Table
) -> None:
    """In 500 requests no answer holds an id or a name of another tenant."""
    await walked(shared_gateway, twenty, table, 500, seed=1)


@pytest.mark.deep
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(2, 6))
async def test_10000_steps(
    shared_gateway: RunningGateway, twenty: list[Tenant], table: Table, seed: int
) -> None:
    """Nor in 10,000, in four walks."""
    await walked(shared_gateway, twenty, table, 2_500, seed)
