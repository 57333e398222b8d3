"""Lines of invoices in the shapes of all versions."""

from __future__ import annotations

from typing import Any

import pytest

from opseer_collector.domain.history import InvoiceLine, Off
from opseer_collector.providers.stripe.invoice_lines import lines_from
from opseer_collector.providers.stripe.shapes import ShapeError

STARTS = 1_793_523_600  # 2026-11-01 09:00 UTC
ENDS = STARTS + 30 * 86_400
BILLED = STARTS + 3_600


def discount(name: str, duration: str, *, inside: str | None = None) -> Any:
    """Return a discount expanded, its coupon inline or `inside` its source."""
    coupon = {"id": name, "duration": duration}
    held = {"coupon": coupon} if inside is None else {inside: {"coupon": coupon}}
    return {"id": f"di_{name}", "object": "discount", **held}


def line(**fields: Any) -> dict[str, Any]:
    """Return a line of 50.00 as basil has it."""
    return {
        "id": "il_1",
        "amount": 5_000,
        "currency": "usd",
        "discount_amounts": [],
        "period": {"start": STARTS, "end": ENDS},
        "pricing": {"price_details": {"price": "price_1", "product": "prod_1"}},
        "parent": {
            "subscription_item_details": {
                "subscription": "sub_1",
                "subscription_item": "si_1",
                "proration": False,
            }
        },
        **fields,
    }


def invoice(*lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a paid invoice."""
    return {
        "id": "in_1",
        "created": STARTS,
        "currency": "usd",
        "customer": "cus_1",
        "status": "paid",
        "status_transitions": {"finalized_at": BILLED},
        "total_discount_amounts": [],
        "lines": {"data": list(lines)},
        **fields,
    }


READ = InvoiceLine(
    id="il_1",
    invoice_id="in_1",
    subscription_id="sub_1",
    item_id="si_1",
    customer_id="cus_1",
    price_id="price_1",
    product_id="prod_1",
    currency="usd",
    amount=5_000,
    off=Off(),
    billed=BILLED,
    starts=STARTS,
    ends=ENDS,
    interval="month",
    interval_count=1,
    usage=False,
    proration=False,
)


def test_lines_of_basil_and_of_before_are_the_same() -> None:
    """Rule: ids stand with the parent since basil, and on the line before."""
    old = line(
        subscription="sub_1",
        subscription_item="si_1",
        proration=False,
        price={"id": "price_1", "product": "prod_1"},
    )
    del old["parent"], old["pricing"]
    assert lines_from(invoice(line())) == lines_from(invoice(old)) == (READ,)


@pytest.mark.parametrize("status", ["draft", "void", ""])
def test_what_is_not_billed_does_not_count(status: str) -> None:
    """Rule: only invoices that are final and not void."""
    assert lines_from(invoice(line(), status=status)) == ()


def test_what_is_of_no_subscription_does_not_count() -> None:
    """Rule: a thing sold once has no item of a subscription."""
    assert lines_from(invoice(line(parent=None))) == ()


def test_a_proration_may_not_tell_its_item() -> None:
    """Rule: one that an invoice item made names the subscription alone."""
    made = {"subscription": "sub_1", "invoice_item": "ii_1", "proration": True}
    parent = {"subscription_item_details": None, "invoice_item_details": made}
    [found] = lines_from(invoice(line(parent=parent)))
    assert (found.subscription_id, found.item_id, found.proration) == (
        *("sub_1", "", True),
    )
    sold = {**made, "proration": False}
    parent = {"invoice_item_details": sold}
    assert lines_from(invoice(line(parent=parent))) == ()


def test_an_invoice_that_was_given_up_ends_its_period() -> None:
    """Rule: who never pays is worth nothing from when the bill was given up."""
    given_up = STARTS + 15 * 86_400
    transitions = {"finalized_at": BILLED, "marked_uncollectible_at": given_up}
    [found] = lines_from(
        invoice(line(), status="uncollectible", status_transitions=transitions)
    )
    assert (found.ends, found.interval) == (given_up, "month")


def test_usage_is_billed_after_its_period() -> None:
    """Rule: a period that was over when it was billed is usage, a proration is none."""
    bill = invoice(line(), created=ENDS)
    assert lines_from(bill)[0].usage
    parent = {
        "subscription_item_details": {
            "subscription": "sub_1",
            "subscription_item": "si_1",
            "proration": True,
        }
    }
    [proration] = lines_from(invoice(line(parent=parent), created=ENDS))
    assert (proration.usage, proration.proration) == (False, True)


def test_discounts_are_told_by_how_long_they_last() -> None:
    """Rule: inline or behind `source`; one that is not told counts for ever."""
    amounts = [
        {"discount": f"di_{name}", "amount": amount}
        for name, amount in (("a", 100), ("b", 200), ("c", 300), ("d", 400))
    ]
    told = [
        {"amount": 100, "discount": discount("a", "forever")},
        {"amount": 200, "discount": discount("b", "once", inside="source")},
        {"amount": 300, "discount": discount("c", "repeating")},
        {"amount": 400, "discount": "di_d"},
    ]
    [found] = lines_from(
        invoice(line(discount_amounts=amounts), total_discount_amounts=told)
    )
    assert found.off == Off(forever=500, repeating=300, once=200)


def test_taxes_inside_are_taken_out() -> None:
    """Rule: MRR is without taxes; those on top are in no amount."""
    taxes = [
        {"amount": 800, "tax_behavior": "inclusive"},
        {"amount": 500, "tax_behavior": "exclusive"},
    ]
    assert lines_from(invoice(line(taxes=taxes)))[0].amount == 4_200


@pytest.mark.parametrize(
    "broken",
    [{"amount": "5000"}, {"period": {"start": STARTS}}, {"currency": "US"}],
)
def test_what_cannot_be_read_says_where(broken: dict[str, Any]) -> None:
    """Rule: a line of another shape is an error with a path, not another number."""
    with pytest.raises(ShapeError, match=r"^invoice\.lines\.data\[0\]"):
        lines_from(invoice(line(**broken)))
