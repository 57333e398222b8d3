"""The words of connecting, for every channel that there is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from opseer_common.channels import CHANNELS
from opseer_common.contracts import Source
from opseer_gateway.domain.keys import check
from opseer_gateway.pages.account.guides import COSTS, GUIDES

DESCRIPTION: Final = Path(__file__).parents[2] / "data/stripe_guide.txt"
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


def test_words_are_the_description_s() -> None:
    """What is said of Stripe stands word for word in the product's description."""
    guide = GUIDES["stripe"]
    said = [
        *(guide.lead, guide.storage, *guide.prerequisites, guide.key_form),
        *(guide.key_name, *guide.notes, guide.validation, guide.disconnect),
    ]
    for step in guide.steps:
        said += [step.title, step.text, step.warning]
        said += [f"{head}: {items}" for head, items in step.lists]
    for trouble in guide.troubles:
        said += [trouble.head, trouble.text]
    described = " ".join(DESCRIPTION.read_text("utf-8").split())
    assert [words for words in said if words not in described] == []
