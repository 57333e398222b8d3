"""Items that events leave out, taken from the subscription as it is now."""

from __future__ import annotations

from typing import Any

from opseer_collector.providers.stripe.items import fill

AT = 1_700_000_000


def lines(first: int, last: int) -> list[dict[str, Any]]:
    """Return items that were there early, by number."""
    return [
        {"id": f"si_{n}", "created": AT - 9, "quantity": n} for n in range(first, last)
    ]


def event(total: int, **data: Any) -> dict[str, Any]:
    """Return an event that shows the first ten items of a subscription."""
    items = {"data": lines(0, 10), "has_more": True, "total_count": total}
    return {"created": AT, "data": {"object": {"id": "sub_1", "items": items}, **data}}


def live(*items: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the subscription as it is now."""
    return [{"id": "sub_1", "items": {"data": list(items)}}]


def test_the_missing_items_are_added() -> None:
    """Ten of twelve are shown; the other two are as they are now."""
    told = event(12)
    fill([told], live(*lines(0, 12)))
    items = told["data"]["object"]["items"]
    assert items["data"] == lines(0, 12)
    assert items["has_more"] is False


def test_items_that_do_not_add_up_stay_incomplete() -> None:
    """Another number than the event tells, or items that came later."""
    told = event(13)
    fill([told], live(*lines(0, 12)))
    assert told["data"]["object"]["items"] == event(13)["data"]["object"]["items"]
    late = [{"id": "si_11", "created": AT + 1}]
    told = event(12)
    fill([told], live(*lines(0, 11), *late))
    assert told["data"]["object"]["items"]["has_more"] is True


def test_what_was_before_is_completed_as_well() -> None:
    """Arrays stand there whole, and are cut after ten as well."""
    before = lines(0, 10)
    before[0] = {**before[0], "quantity": 99}
    told = event(12, previous_attributes={"items": {"data": list(before)}})
    fill([told], live(*lines(0, 12)))
    items = told["data"]["previous_attributes"]["items"]
    assert items["data"] == [*before, *lines(10, 12)]
    assert items["has_more"] is False


def test_a_subscription_that_is_gone_stays_incomplete() -> None:
    """Nothing is known of its other items."""
    told = event(12)
    fill([told], [])
    assert told == event(12)
