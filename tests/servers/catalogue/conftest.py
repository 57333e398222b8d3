"""The gateway that the catalogue of inputs is tried on: one for each module."""

from __future__ import annotations

import pytest
import pytest_asyncio

from opseer_common.testing.gateway import Owner, RunningGateway


@pytest.fixture
def gateway(shared_gateway: RunningGateway) -> RunningGateway:
    """Return the module's gateway."""
    return shared_gateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def account(shared_gateway: RunningGateway) -> Owner:
    """Return an account that the module's table shares; its inputs change nothing."""
    return await shared_gateway.sign_up("shared@example.com")
