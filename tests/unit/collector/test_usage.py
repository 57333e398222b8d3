"""What metered items were charged, from their invoices."""

from __future__ import annotations

from typing import Any

import pytest

from opseer_collector.providers.stripe.usage import usage_from
from opseer_common.contracts.subscription import UsageCharge

ITEMS = frozenset({"si_1"})


def line(amount: int, item: str = "si_1", **more: Any) -> dict[str, Any]:
    """Return a line as basil has it."""
    details = {"subscription_item": item, "proration": more.pop("proration", False)}
    parent = {"subscription_item_details": details}
    return {"amount": amount, "parent": parent, **more}


def invoice(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a paid invoice of a period that was finalised at 100."""
    return {
        "id": "in_1",
        "created": 90,
        "status": "paid",
        "billing_reason": "subscription_cycle",
        "status_transitions": {"finalized_at": 100},
        "lines": {"data": list(lines), "has_more": False},
        **changes,
    }


def test_lines_of_an_item_are_summed() -> None:
    """300 + 200 over two tiers, less 50 of discount and 10 of inclusive tax."""
    found = usage_from(
        [
            invoice(
                line(300, discount_amounts=[{"amount": 50}]),
                line(200, taxes=[{"amount": 10, "tax_behavior": "inclusive"}]),
                line(999, item="si_other"),
                line(-70, proration=True),
            )
        ],
        ITEMS,
    )
    assert found == {"si_1": [UsageCharge(at=100, amount=440, invoice_id="in_1")]}


def test_exclusive_taxes_are_not_in_the_amount() -> None:
    """They come on top, so nothing is taken off."""
    tax = {"amount": 10, "tax_behavior": "exclusive"}
    found = usage_from([invoice(line(100, taxes=[tax]))], ITEMS)
    assert found["si_1"][0].amount == 100


def test_the_shape_before_basil_is_read() -> None:
    """The item stood on the line itself, and taxes in tax_amounts."""
    old = {
        "amount": 100,
        "subscription_item": "si_1",
        "proration": False,
        "tax_amounts": [{"amount": 20, "inclusive": True}],
    }
    assert usage_from([invoice(old)], ITEMS)["si_1"][0].amount == 80


def test_charges_are_oldest_first() -> None:
    """Stripe lists invoices newest first."""
    newer = invoice(line(2), id="in_2", status_transitions={"finalized_at": 200})
    found = usage_from([newer, invoice(line(1))], ITEMS)
    assert [charge.amount for charge in found["si_1"]] == [1, 2]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "draft"},
        {"status": "void"},
        {"billing_reason": "subscription_create"},
        {"billing_reason": "manual"},
    ],
)
def test_other_invoices_say_nothing(changes: dict[str, str]) -> None:
    """Only finalised invoices of a period count."""
    assert usage_from([invoice(line(1), **changes)], ITEMS) == {}
