"""Policies: the presets of the contract and what is refused."""

from __future__ import annotations

import pytest

from opseer_common.errors import RefusedError
from opseer_mrr.domain.policy import PRESETS, Policy, policy_from


def test_presets() -> None:
    """The four presets differ from Stripe's dashboard as the contract says."""
    assert {
        "opseer": Policy(metered="last_invoice"),
        "stripe": Policy(),
        "stripe_all_discounts": Policy(discounts="all"),
        "committed": Policy(metered="last_invoice", churn_at="click"),
    } == PRESETS


def test_switches_go_over_the_preset() -> None:
    """A policy is a preset's name, or switches over the preset it names."""
    assert policy_from("committed") == PRESETS["committed"]
    found = policy_from({"preset": "stripe", "trial": "include"})
    assert found == Policy(trial="include")
    assert policy_from({"count_statuses": ["active"]}).count_statuses == ("active",)


def test_nothing_said_is_the_default() -> None:
    """Without a preset the default one stands."""
    assert policy_from({}) == PRESETS["opseer"]
    assert policy_from({}, default="stripe") == PRESETS["stripe"]


@pytest.mark.parametrize(
    "document",
    [
        "mine",
        7,
        {"preset": "mine"},
        {"preset": 1},
        {"unknown": "x"},
        {"trial": "maybe"},
        {"trial": 1},
        {"discounts": "none"},
        {"count_statuses": []},
        {"count_statuses": ["canceled"]},
        {"past_due_grace_days": -1},
        {"past_due_grace_days": 367},
        {"week_factor": "0"},
        {"week_factor": "-1/2"},
        {"day_factor": "1/0"},
        {"day_factor": "many"},
        {1: "x"},
    ],
)
def test_refused(document: object) -> None:
    """An impossible policy is refused with its own code."""
    with pytest.raises(RefusedError) as caught:
        policy_from(document)
    assert caught.value.code == "INVALID_POLICY"


def test_a_zone_that_is_none() -> None:
    """The zone has a code of its own."""
    with pytest.raises(RefusedError) as caught:
        policy_from({"timezone": "Mars/Olympus"})
    assert caught.value.code == "INVALID_TIMEZONE"
