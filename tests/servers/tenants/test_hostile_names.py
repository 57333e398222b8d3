"""Names and ids that a provider sent, and that are an attack on who reads them."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio
from tests.servers.tenants.test_every_route import reads
from typing_extensions import override

from opseer_common.testing.gateway import Answer, RunningGateway
from opseer_common.testing.tenants import Tenant, furnish

if TYPE_CHECKING:
    from tests.servers.tenants.conftest import Table

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOSTILE = "=1+1\"'><img src=x onerror=alert(1)></script><a href=javascript:x>"
TEXTS = """
    SELECT format('%I.%I', table_schema, table_name) AS of, column_name AS name,
           data_type
    FROM information_schema.columns JOIN information_schema.tables
        USING (table_schema, table_name)
    WHERE table_schema IN ('gateway', 'collector', 'mrr', 'notifier')
      AND table_type = 'BASE TABLE' AND data_type IN ('text', 'jsonb')
    """
ADDRESS = re.compile(r"/|#|\?|https://|mailto:|data:image/|$")
"""How an address of ours begins."""
NUMBER = re.compile(r"-?\d+")


class Looked(HTMLParser):
    """Notes what a browser would run or follow that is not ours."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        super().__init__()
        self.wrong: list[str] = []
        self.text = ""

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element."""
        for name, value in attrs:
            is_address = name in ("href", "src", "action", "data-live")
            if name.startswith("on") or name == "style" or tag == "img":
                self.wrong.append(f"{tag} {name}")
            if is_address and not ADDRESS.match(value or ""):
                self.wrong.append(f"{tag} {name}={value}")

    @override
    def handle_data(self, data: str) -> None:
        """Keep what is shown."""
        self.text += data


async def poisoned(admin_url: str, tenant: Tenant) -> int:
    """Put the attack in place of the tenant's mark everywhere; return the columns."""
    connection = await asyncpg.connect(admin_url)
    found = 0
    try:
        for row in await connection.fetch(TEXTS):
            of, name = row["of"], row["name"]
            hostile = (
                HOSTILE if row["data_type"] == "text" else json.dumps(HOSTILE)[1:-1]
            )
            try:
                done = await connection.execute(
                    f"UPDATE {of} SET {name} = replace({name}::text, $1, $2)"  # noqa: S608
                    f"::{row['data_type']} WHERE {name}::text LIKE '%' || $1 || '%'",
                    tenant.mark,
                    hostile,
                )
            except asyncpg.CheckViolationError:
                continue
            found += done != "UPDATE 0"
    finally:
        await connection.close()
    return found


def page(answer: Answer) -> Looked:
    """Return what a browser makes of an answer: of what is no page, nothing."""
    looked = Looked()
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        looked.feed(answer.text)
    return looked


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def attacked(shared_gateway: RunningGateway) -> Tenant:
    """Return a tenant whose provider attacks its readers."""
    tenant = await furnish(shared_gateway.admin_url, 66)
    assert await poisoned(shared_gateway.admin_url, tenant) >= 10
    return tenant


async def test_an_attack_is_text(
    shared_gateway: RunningGateway, attacked: Tenant, table: Table
) -> None:
    """Whatever a provider calls things is shown as it is, and nothing of it runs."""
    answers = await reads(shared_gateway, attacked, attacked.ids, table)
    for path, answer in answers.items():
        assert answer.status < 500, path
        assert page(answer).wrong == [], path
    showing = [path for path, one in answers.items() if HOSTILE in page(one).text]
    assert len(showing) >= 4, showing


async def test_a_spreadsheet_runs_nothing(
    shared_gateway: RunningGateway, attacked: Tenant
) -> None:
    """No cell of a CSV begins a formula, whatever a provider called things."""
    for path in ("revenue/daily", "mrr/movements"):
        answer = await shared_gateway.call(
            "GET", f"/api/v1/{path}?source=stripe&format=csv", owner=attacked.owner
        )
        cells = [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row]
        assert len(cells) > 20
        formulas = [cell for cell in cells if cell[:1] in set("=+-@\t\r")]
        assert [cell for cell in formulas if not NUMBER.fullmatch(cell)] == []
