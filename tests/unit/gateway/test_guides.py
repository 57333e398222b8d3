"""The words of connecting, for every channel that there is."""

from __future__ import annotations

import pytest

from opseer_common.channels import CHANNELS
from opseer_common.contracts import Source
from opseer_gateway.domain.keys import check
from opseer_gateway.pages.account.guides import COSTS, GUIDES

KEYS: dict[Source, str] = {
    "stripe": "rk_" + "live_" + "A" * 24,
    "revenuecat": "sk_" + "A" * 24,
    "polar": "polar_" + "oat_" + "A" * 24,
}


@pytest.mark.parametrize("source", CHANNELS)
def test_guide_fits_what_is_taken(source: Source) -> None:
    """A key that the server takes begins as the guide says."""
    key = check(source, KEYS[source]).text
    assert any(key.startswith(start) for start in GUIDES[source].key_starts)


@pytest.mark.parametrize("source", CHANNELS)
def test_guide_names_every_permission(source: Source) -> None:
    """The lists to copy hold each permission once, and each has its cost."""
    named = [
        item
        for step in GUIDES[source].steps
        for _, items in step.lists
        for item in items.split(", ")
    ]
    permissions = CHANNELS[source].permissions
    assert sorted(named) == sorted(permissions.values())
    assert all(COSTS[name] for name in permissions)
