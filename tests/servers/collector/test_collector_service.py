"""The whole service on a real bus: from the gateway's news to the collector's."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from opseer_collector.app import build
from opseer_collector.settings import Settings
from opseer_common import sealing
from opseer_common.contracts import RevenueCollected
from opseer_common.run import Lifetime
from opseer_common.testing.pair import Pair, administrator
from opseer_common.testing.sealed import SealedKeys
from opseer_common.testing.servers import FreshBus, FreshDatabase

if TYPE_CHECKING:
    from tests.servers.collector.conftest import StripeCompany


async def test_a_connect_becomes_revenue_and_a_disconnect_nothing(
    database: FreshDatabase,
    bus: FreshBus,
    pair: Pair,
    sealed: SealedKeys,
    company: StripeCompany,
    tmp_path: Path,
) -> None:
    """Heard, collected, said; then heard that it ended, and every row is gone."""
    keys = tmp_path / "keys.json"
    keys.write_bytes(sealing.private_document(sealed.ring))
    settings = Settings(
        database_url=database.login_url("collector"),
        nats_url=bus.url,
        nats_seed_file=bus.seed_file("collector"),
        sealing_key_file=keys,
        stripe_api_base=company.base,
        stripe_rate=500,
    )
    async with AsyncExitStack() as stack:
        await pair.gateway.start()
        await build(settings, company.clock)(Lifetime(stack, None))
        made = await sealed.connect(company.key)
        news = made.begun()
        await pair.gateway.publish(
            news.subject, news.model_dump_json().encode(), str(news.message_id)
        )
        async with asyncio.timeout(20), administrator(bus) as client:
            stream = client.jetstream()
            said = await stream.subscribe("revenue.collected", ordered_consumer=True)
            heard = RevenueCollected.model_validate_json((await said.next_msg(20)).data)
        assert (heard.connection_id, heard.run_id) == (made.connection_id, made.run_id)
        assert (heard.last_day - heard.first_day).days == 90
        assert heard.revision == 1

        await sealed.disconnect(made.account_id)
        end = made.ended()
        await pair.gateway.publish(
            end.subject, end.model_dump_json().encode(), str(end.message_id)
        )
        async with asyncio.timeout(10):
            while await sealed.rows_of(made):
                await asyncio.sleep(0.02)
