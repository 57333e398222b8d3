"""What the tests on real servers share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from opseer_common.database import Database
from opseer_common.testing.pair import Pair
from opseer_common.testing.servers import FreshBus, FreshDatabase


@pytest.fixture
async def pair(database: FreshDatabase, bus: FreshBus) -> AsyncIterator[Pair]:
    """Return a gateway and a collector on fresh streams."""
    databases = {
        name: await Database.connect(database.login_url(name))
        for name in ("gateway", "collector")
    }
    made = Pair(databases, bus)
    yield made
    for end in (made.gateway, made.collector):
        await end.stop()
    for opened in databases.values():
        await opened.close()
