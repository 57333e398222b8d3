"""Stripe's subscription events: what was before, what is after, in which order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opseer_collector.providers.stripe.shapes import ShapeError
from opseer_collector.providers.stripe.subscriptions import (
    Known,
    change_from,
    order_events,
    subscription_from,
)
from opseer_common.contracts.subscription import (
    Discount,
    Subscription,
    SubscriptionChange,
)

Json = dict[str, Any]
_CREATED = 1_767_225_600
# The same subscription as each generation of the API renders it.
SHAPES: dict[str, Json] = json.loads(
    (Path(__file__).parents[2] / "data" / "stripe_subscriptions.json").read_text()
)
_BASIL = SHAPES["2025-08-27.basil"]
PRICE: Json = _BASIL["items"]["data"][0]["price"]


def _listed(*lines: Json) -> Json:
    return {"object": "list", "data": list(lines), "has_more": False}


def _line(**fields: Any) -> Json:
    return {"id": "si_1", "object": "subscription_item", "quantity": 2, **fields}


def _with_price(**fields: Any) -> Json:
    line = _line(price={**PRICE, **fields})
    return {**_BASIL, "currency": "usd", "items": _listed(line)}


def _event(kind: str, shown: Json, previous: Json | None = None, **more: Any) -> Json:
    data: Json = {"object": shown}
    if previous is not None:
        data["previous_attributes"] = previous
    return {
        "id": "evt_1",
        "type": f"customer.subscription.{kind}",
        "created": _CREATED + 60,
        "data": data,
        **more,
    }


def _change(event: Json, known: Known | None = None) -> SubscriptionChange:
    found = change_from(event, 3, known or Known())
    assert found is not None
    return found


def _worth(state: Subscription | None) -> list[tuple[str, str | None, int | None]]:
    assert state is not None
    return [(one.price.id, one.price.unit_amount, one.quantity) for one in state.items]


def test_an_event() -> None:
    """An event has its id, time and place in the order, and the state after it."""
    found = _change(_event("created", _BASIL))
    assert (found.event_id, found.subscription_id) == ("evt_1", "sub_1")
    assert (found.at, found.position, found.kind) == (_CREATED + 60, 3, "created")
    assert found.before is None
    assert found.after == subscription_from(_BASIL, Known())


@pytest.mark.parametrize(
    "kind", ["trial_will_end", "pending_update_applied", "pending_update_expired"]
)
def test_events_that_say_nothing_of_a_state(kind: str) -> None:
    """What goes beside an `updated` event, or announces, is no change."""
    assert change_from(_event(kind, _BASIL), 0, Known()) is None


@pytest.mark.parametrize("kind", ["deleted", "paused", "resumed"])
def test_events_without_a_before(kind: str) -> None:
    """Only updates carry what was before."""
    found = _change(_event(kind, _BASIL))
    assert (found.kind, found.before) == (kind, None)


def test_the_old_items_replace_the_new() -> None:
    """`items.data` is the whole old array: another plan, an item not yet there."""
    old = _line(price={**PRICE, "id": "price_old", "unit_amount_decimal": "700"})
    shown = _with_price(transform_quantity={"divide_by": 2, "round": "up"})
    shown["items"]["data"].append(_line(id="si_2", price=PRICE))
    found = _change(_event("updated", shown, {"items": {"data": [old]}}))
    assert _worth(found.before) == [("price_old", "700", 2)]
    assert found.before is not None
    assert found.before.items[0].price.divide_by is None
    assert len(found.after.items) == 2


def test_a_partial_old_item() -> None:
    """Only a quantity in the old array: the rest is as it is now."""
    shown = _BASIL
    found = _change(_event("updated", shown, {"items": {"data": [{"quantity": 5}]}}))
    assert _worth(found.before) == [("plan_1", "1000", 5)]
    by_id = {"items": {"data": [{"id": "si_1", "quantity": 7}]}}
    assert _worth(_change(_event("updated", shown, by_id)).before) == [
        ("plan_1", "1000", 7)
    ]


@pytest.mark.parametrize("version", ["2015-10-16", "2019-05-16", "2024-06-20"])
def test_an_old_plan_at_the_top(version: str) -> None:
    """Old versions tell a changed plan and quantity at the top only."""
    previous = {"plan": {"id": "plan_0", "amount": 700, "amount_decimal": "700"}}
    found = _change(
        _event("updated", SHAPES[version], {**previous, "quantity": 1}),
    )
    assert _worth(found.before) == [("plan_0", "700", 1)]
    assert _worth(found.after) == [("plan_1", "1000", 2)]


def test_a_renewal_changes_nothing() -> None:
    """Only periods and the invoice differ: both sides are the same state."""
    shown = {**_BASIL, "latest_invoice": "in_2"}
    old = _line(price=PRICE, current_period_end=_CREATED, discounts=[])
    previous = {"items": {"data": [old]}, "latest_invoice": "in_1"}
    found = _change(_event("updated", shown, previous))
    assert found.before == found.after


def test_arrays_are_replaced_and_objects_merged() -> None:
    """Old discounts are the whole array, an old pause only what differed."""
    shown = {
        **_with_price(),
        "discounts": ["di_2"],
        "pause_collection": {"behavior": "void", "resumes_at": 9},
    }
    previous = {"discounts": [], "pause_collection": {"resumes_at": 5}}
    before = _change(_event("updated", shown, previous)).before
    assert before is not None
    assert before.discounts == ()
    assert (before.pause_behavior, before.pause_resumes_at) == ("void", 5)


def test_old_discount_ids_are_resolved() -> None:
    """Both sides look ids up in the same index."""
    known = Known(discounts={"di_1": Discount(id="di_1", percent_off="50")})
    shown = {**_with_price(), "discounts": []}
    found = _change(_event("updated", shown, {"discounts": ["di_1"]}), known)
    assert found.before is not None
    assert found.before.discounts == (known.discounts["di_1"],)


def test_since_when_it_is_past_due() -> None:
    """The event that makes a subscription past_due dates it; a later one does not."""
    late = {**_with_price(), "status": "past_due"}
    first = _change(_event("updated", late, {"status": "active"}))
    assert first.after.past_due_since == _CREATED + 60
    later = _change(_event("updated", late, {"metadata": {}}))
    assert later.after.past_due_since is None


def test_an_event_that_cannot_be_read() -> None:
    """An event without an object says where it breaks off."""
    with pytest.raises(ShapeError) as caught:
        change_from(_event("updated", {}) | {"data": None}, 0, Known())
    assert caught.value.path == "event.data.object"


def test_the_order_of_events() -> None:
    """Reversed list order; within a second created, updated, deleted; each id once."""

    def event(name: str, kind: str, at: int) -> Json:
        return _event(kind, {}, id=name, created=at)

    newest_first = [
        event("later", "updated", 20),
        event("made", "created", 10),
        event("gone", "deleted", 10),
        event("second", "updated", 10),
        event("first", "updated", 10),
        event("second", "updated", 10),
        event("first", "updated", 10),
        event("earlier", "deleted", 5),
    ]
    ordered = order_events(newest_first)
    assert [fields["id"] for _, fields in ordered] == [
        "earlier",
        "made",
        "first",
        "second",
        "gone",
        "later",
    ]
    in_second = [position for position, fields in ordered if fields["created"] == 10]
    assert in_second == sorted(in_second)
