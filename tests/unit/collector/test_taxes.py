"""Taxes inside a price, from the invoices that alone tell them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opseer_collector.providers.stripe.subscriptions import Known, subscription_from
from opseer_collector.providers.stripe.taxes import rate_of, rates_from, taxed_items

ITEMS = frozenset({"si_1"})


def line(amount: int, tax: int, **more: Any) -> dict[str, Any]:
    """Return a line of basil with a tax inside."""
    details = {"subscription_item": "si_1", "proration": more.pop("proration", False)}
    return {
        "amount": amount,
        "parent": {"subscription_item_details": details},
        "taxes": [{"amount": tax, "tax_behavior": "inclusive"}],
        **more,
    }


def invoice(*lines: dict[str, Any], at: int = 100, **changes: Any) -> dict[str, Any]:
    """Return the first invoice of a subscription, paid."""
    return {
        "id": "in_1",
        "created": at,
        "status": "paid",
        "billing_reason": "subscription_create",
        "lines": {"data": list(lines), "has_more": False},
        **changes,
    }


def taxed(behavior: str | None = "inclusive", **changes: Any) -> dict[str, Any]:
    """Return a subscription with automatic tax, 10.00 a month."""
    price = {
        "id": "price_1",
        "currency": "eur",
        "tax_behavior": behavior,
        "unit_amount": 1000,
        "recurring": {"interval": "month", "interval_count": 1},
    }
    return {
        "id": "sub_1",
        "customer": "cus_1",
        "status": "active",
        "currency": "eur",
        "created": 50,
        "automatic_tax": {"enabled": True},
        "items": {"data": [{"id": "si_1", "price": price, "quantity": 1}]},
        **changes,
    }


def told(fields: dict[str, Any], **rates: str) -> tuple[str, str | None]:
    """Return the rate of the first item, and why it is not known."""
    item = subscription_from(fields, Known(tax_rates=rates)).items[0]
    return item.inclusive_tax, item.tax_missing


@pytest.mark.parametrize(
    ("tax", "amount", "rate"),
    [
        (160, 1000, "19"),  # 1000 / 1.19 = 840.34
        (167, 1000, "20"),
        (91, 1000, "10"),
        (5213, 63950, "8.875"),  # New York City: 63,950 / 1.08875 = 58,737.08
        (0, 1000, "0"),
        (1000, 1000, "0"),
    ],
)
def test_the_rate_is_the_one_that_was_applied(tax: int, amount: int, rate: str) -> None:
    """It is the shortest that gives the tax, not the tax over the rest."""
    assert rate_of(tax, amount) == rate


@given(st.integers(0, 2700), st.integers(1, 10**9))
def test_a_rate_gives_the_tax_that_it_was_made_from(bp: int, amount: int) -> None:
    """For any rate to 27 % in hundredths; a minor unit of rounding at most."""
    tax = round(amount * bp / (10_000 + bp))
    whole, _, part = rate_of(tax, amount).partition(".")
    found = int(whole + part) * amount / (100 * 10 ** len(part) + int(whole + part))
    assert abs(found - tax) <= 1


def test_the_newest_invoice_tells() -> None:
    """Whatever the order of the list; a discount lessens what the tax is inside of."""
    newer = invoice(
        line(1000, 80, discount_amounts=[{"amount": 500}]), at=200, id="in_2"
    )
    old = invoice(line(1000, 91))
    assert rates_from([old, newer], ITEMS) == {"si_1": "19"}
    assert rates_from([newer, old], ITEMS) == {"si_1": "19"}


@pytest.mark.parametrize(
    "silent",
    [
        invoice(line(1000, 160), status="draft"),
        invoice(line(1000, 160), status="void"),
        invoice(line(0, 0)),
        invoice(line(1000, 160, discount_amounts=[{"amount": 1000}])),
        invoice(line(400, 64, proration=True)),
    ],
)
def test_what_tells_nothing(silent: dict[str, Any]) -> None:
    """Drafts, void ones, parts of a period, and lines that come to nothing."""
    assert rates_from([silent], ITEMS) == {}


def test_exclusive_taxes_are_no_part_of_the_price() -> None:
    """A price without a behaviour follows the account: its invoice tells which."""
    taxes = [{"amount": 190, "tax_behavior": "exclusive"}]
    found = rates_from([invoice(line(1000, 0, taxes=taxes))], ITEMS)
    assert found == {"si_1": "0"}


def test_who_needs_an_invoice() -> None:
    """Items of automatic tax whose price may have it inside, unless metered."""
    metered = {"interval": "month", "usage_type": "metered"}
    price = {"tax_behavior": "inclusive", "recurring": metered}
    rows = [
        taxed(id="sub_in"),
        taxed("unspecified", id="sub_un"),
        taxed(None, id="sub_none"),
        taxed("exclusive", id="sub_out"),
        taxed(id="sub_off", automatic_tax={"enabled": False}),
        taxed(id="sub_use", items={"data": [{"id": "si_1", "price": price}]}),
    ]
    assert dict(taxed_items(rows)) == {
        name: {"si_1", name} for name in ("sub_in", "sub_un", "sub_none")
    }


def test_any_line_tells_of_the_oldest_form() -> None:
    """It shows no items."""
    old = {"id": "sub_old", "plan": {}, "automatic_tax": {"enabled": True}}
    assert dict(taxed_items([old])) == {"sub_old": {"sub_old"}}
    parent = {"subscription_details": {"subscription": "sub_old"}}
    billed = invoice(line(1000, 160), parent=parent)
    assert rates_from([billed], frozenset({"sub_old"})) == {"sub_old": "19"}


def test_where_no_invoice_tells_the_reason_does() -> None:
    """A price with a tax inside that is not known is never taken for the net one."""
    assert told(taxed()) == ("0", "INVOICES_PERMISSION")
    assert told(taxed(), si_1="19") == ("19", None)
    assert told(taxed(), si_1="0") == ("0", None)


def test_an_item_that_was_there_before_has_the_rate_of_its_subscription() -> None:
    """Events show items that no invoice bills any more."""
    assert told(taxed(), sub_1="19", si_other="7") == ("19", None)


def test_given_rates_go_first() -> None:
    """Stripe has either rates or automatic tax."""
    given = [{"percentage": 7.0, "inclusive": True}]
    assert told(taxed(default_tax_rates=given), si_1="19") == ("7.0", None)


def test_automatic_tax_that_was_off_takes_nothing_off() -> None:
    """What an event shows of before; forms that tell nothing of it have the rate."""
    assert told(taxed(automatic_tax={"enabled": False}), si_1="19") == ("0", None)
    old = taxed()
    del old["automatic_tax"]
    assert told(old, si_1="19") == ("19", None)
    assert told(old) == ("0", None)
