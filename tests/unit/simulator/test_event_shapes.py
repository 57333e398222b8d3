"""The five shapes in which accounts of different versions tell the same thing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from opseer_simulator.event_shapes import BASIL, CLOVER, VERSIONS
from opseer_simulator.rendering import View, previous_attributes, render
from opseer_simulator.simulation import Simulation

Json = dict[str, Any]

OLDEST, PLANS, PRICES = VERSIONS[:3]


def _events(full: Simulation, version: str, kind: str) -> Iterator[Json]:
    books, view = full.books(), View(livemode=False, event_version=version)
    for event in books.events.all():
        if event.type.startswith(kind):
            yield render(event, books, full.now(), view)


def _states(full: Simulation, version: str) -> list[Json]:
    """Return the subscriptions that events show in exactly this version."""
    found = [
        event["data"]["object"]
        for event in _events(full, version, "customer.subscription.")
        if event["api_version"] == version
    ]
    assert len(found) > 100
    return found


def test_2015_has_the_plan_at_the_top_and_no_items(full: Simulation) -> None:
    """plan{amount, interval, currency}, quantity, periods, start, one discount."""
    for state in _states(full, OLDEST):
        assert not {"items", "currency", "created", "discounts"} & set(state)
        assert {"start", "current_period_start", "current_period_end"} <= set(state)
        assert {"id", "amount", "interval", "interval_count", "currency"} <= set(
            state["plan"]
        )
        assert state["quantity"] >= 1
    with_coupon = [s["discount"] for s in _states(full, OLDEST) if s["discount"]]
    assert with_coupon[0]["coupon"]["object"] == "coupon"


def test_2019_has_items_of_plans_without_prices(full: Simulation) -> None:
    """The single plan stands at the top too, the discount is one object."""
    several = 0
    for state in _states(full, PLANS):
        items = state["items"]["data"]
        for item in items:
            assert item["plan"]["object"] == "plan"
            assert not {"price", "current_period_end", "discounts"} & set(item)
        assert "discounts" not in state
        assert (state["plan"] is None) == (len(items) > 1)
        several += len(items) > 1
    assert several


def test_2024_has_prices_and_periods_on_the_subscription(full: Simulation) -> None:
    """A discount stands inline beside the ids of all."""
    discounted = 0
    for state in _states(full, PRICES):
        for item in state["items"]["data"]:
            assert {"price", "plan", "discounts"} <= set(item)
            assert "current_period_end" not in item
        assert "current_period_end" in state
        assert "billing_mode" not in state
        ids = state["discounts"]
        shown = state["discount"]
        assert (shown["id"] if shown else None) == (ids[0] if ids else None)
        discounted += bool(ids)
    assert discounted


@pytest.mark.parametrize("version", [BASIL, CLOVER])
def test_basil_and_later_have_periods_on_the_items(
    full: Simulation, version: str
) -> None:
    """No discount object and no period on the subscription any more."""
    for state in _states(full, version):
        assert not {"discount", "current_period_end"} & set(state)
        assert "current_period_end" in state["items"]["data"][0]
        assert all(isinstance(one, str) for one in state["discounts"])


def test_clover_has_the_coupons_id_behind_source(full: Simulation) -> None:
    """discount.source = {coupon: id, type: coupon}; before, the coupon is inline."""
    for version in VERSIONS:
        for event in _events(full, version, "customer.discount."):
            shown = event["data"]["object"]
            if version == CLOVER:
                assert shown["source"]["type"] == "coupon"
                assert isinstance(shown["source"]["coupon"], str)
                assert "coupon" not in shown
            else:
                assert isinstance(shown["coupon"], dict)
                assert "source" not in shown


@pytest.mark.parametrize("version", VERSIONS)
def test_a_seat_change_is_told_in_each_shape(full: Simulation, version: str) -> None:
    """previous_attributes has the old quantity where the version keeps it."""
    told = 0
    for event in _events(full, version, "customer.subscription.updated"):
        if event["api_version"] != version:
            continue
        before = event["data"]["previous_attributes"]
        after = event["data"]["object"]
        if before.get("quantity") is None or after.get("quantity") is None:
            continue
        assert before["quantity"] != after["quantity"]
        if version == OLDEST:
            assert "items" not in before
        else:
            (item,) = before["items"]["data"]
            assert item["quantity"] == before["quantity"]
        told += 1
    assert told > 5


def test_what_an_old_version_has_no_room_for_comes_in_a_newer_one(
    full: Simulation,
) -> None:
    """Several items need 2019, several discounts and pauses need prices."""
    shown = list(_events(full, OLDEST, "customer.subscription."))
    assert {event["api_version"] for event in shown} == {OLDEST, PLANS, PRICES}
    for event in shown:
        if event["api_version"] == OLDEST:
            assert "items" not in event["data"]["object"]


def test_a_key_that_only_was_there_before_is_told(full: Simulation) -> None:
    """A metered item has no quantity: the old one's is in previous_attributes."""
    assert previous_attributes({"quantity": 2, "a": 1}, {"a": 1}) == {"quantity": 2}
