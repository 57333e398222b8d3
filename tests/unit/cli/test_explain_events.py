"""`opseer explain` of events: what moved, why, and from what to what."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from opseer_cli.explain import explain_words
from opseer_mrr.domain.policy import Policy

_DATA = Path(__file__).parents[2] / "data"
_BASIL = json.loads((_DATA / "stripe_subscriptions.json").read_text())[
    "2025-08-27.basil"
]
_AT = 1_768_035_600  # 2026-01-10 09:00 UTC


def _event(kind: str, number: int, **data: Any) -> dict[str, Any]:
    """Return the event that happened `number` hours after _AT."""
    return {
        "id": f"evt_{number}",
        "object": "event",
        "type": f"customer.subscription.{kind}",
        "created": _AT + number * 3600,
        "data": {"object": {**_BASIL, **data.pop("after", {})}, **data},
    }


def _lines(document: Any, policy: Policy | None = None) -> list[str]:
    asked = policy or Policy()
    shown = json.dumps(document).encode()
    return list(explain_words(shown, asked, datetime(2026, 1, 15, tzinfo=UTC)))


def test_an_update() -> None:
    """Half price ends: 2 x 10.00 USD, before with 50 % off, after without."""
    before = {"discounts": _BASIL["discounts"]}
    event = _event("updated", 1, after={"discounts": []}, previous_attributes=before)
    assert _lines(event) == [
        (
            "2026-01-10 sub_1 (customer cus_1) has no discount any more,"
            " or a smaller one: 10.00 USD -> 20.00 USD"
        ),
        "  expansion 10.00 USD, by evt_1",
        "  before: plan_1: 2 x 10.00 USD per month = 20.00 USD per month",
        "  before: - discount of 50 % (forever): 10.00 USD",
        "  before: = 10.00 USD per month",
        "  after: plan_1: 2 x 10.00 USD per month = 20.00 USD per month",
        "  after: = 20.00 USD per month",
    ]


@pytest.mark.parametrize("wrap", [list, lambda events: {"data": events}])
def test_a_list_of_events(wrap: Any) -> None:
    """Newest first, as Stripe lists them; each day is one change."""
    created = _event("created", 0, after={"created": _AT})
    deleted = _event("deleted", 48, after={"created": _AT, "status": "canceled"})
    lines = _lines(wrap([deleted, created]))
    assert [line for line in lines if not line.startswith(" ")] == [
        (
            "2026-01-10 sub_1 (customer cus_1) started a paid subscription:"
            " 0.00 USD -> 10.00 USD"
        ),
        "2026-01-12 sub_1 (customer cus_1) cancelled: 10.00 USD -> 0.00 USD",
    ]
    assert "  before: no subscription" in lines
    assert "  after: not counted: it has ended" in lines


def test_days_are_the_policys() -> None:
    """09:00 UTC is the next day in Kiritimati only after its own midnight."""
    event = _event("created", 3, after={"created": _AT + 3 * 3600})
    first, *_ = _lines(event, Policy(timezone="Pacific/Kiritimati"))
    assert first.startswith("2026-01-11 ")


def test_nothing_moved() -> None:
    """A renewal, and an event of something else."""
    renewal = _event("updated", 1, previous_attributes={"latest_invoice": "in_1"})
    other = {**_event("created", 1), "type": "customer.created"}
    for events in ([renewal], [other]):
        assert _lines(events) == [
            "Nothing moved: no event changes what a subscription is worth."
        ]
