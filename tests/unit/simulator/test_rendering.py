"""Objects and events in the shapes of 2025-08-27.basil, against the ledger."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from fractions import Fraction
from typing import Any

from opseer_simulator.office import Office
from opseer_simulator.rendering import previous_attributes, render
from opseer_simulator.simulation import Simulation, truth_of
from opseer_simulator.subscriptions import Offer
from opseer_simulator.timeline import DAY

Json = dict[str, Any]

_A_MONTH = {
    ("month", 1): Fraction(1),
    ("month", 3): Fraction(1, 3),
    ("year", 1): Fraction(1, 12),
    ("week", 1): Fraction(52, 12),
}


def _rendered(simulation: Simulation, shelf: str) -> list[Json]:
    books, now = simulation.books(), simulation.now()
    records = getattr(books, shelf).all()
    return [render(record, books, now, livemode=False) for record in records]


def _events(simulation: Simulation, prefix: str) -> list[Json]:
    events = _rendered(simulation, "events")
    return [event for event in events if event["type"].startswith(prefix)]


def test_daily_rows_counted_from_the_api_are_the_truth(simulation: Simulation) -> None:
    """Balance transactions by reporting category and failed charges give the rows."""
    counts: defaultdict[tuple[int, str], int] = defaultdict(int)
    sums: defaultdict[tuple[int, str], int] = defaultdict(int)
    for row in _rendered(simulation, "transactions"):
        assert row["net"] == row["amount"] - row["fee"]
        assert row["fee"] == sum(fee["amount"] for fee in row["fee_details"])
        key = (row["created"] // DAY, row["reporting_category"])
        counts[key] += 1
        sums[key] += row["amount"]
    for charge in _rendered(simulation, "charges"):
        if charge["status"] == "failed" and not charge["failure_balance_transaction"]:
            assert charge["balance_transaction"] is None
            counts[charge["created"] // DAY, "declined"] += 1
    for day in truth_of(simulation, "UTC", simulation.epoch, simulation.today()).days:
        number = (day.date - simulation.epoch) // timedelta(days=1)
        number += simulation.books().plans.all()[0].created // DAY
        amount = sums[number, "charge"] + sums[number, "charge_failure"]
        bounced = counts[number, "charge_failure"]
        assert day.charges_count == counts[number, "charge"]
        assert day.charges_amount == amount
        assert day.refunds_count == counts[number, "refund"]
        assert day.refunds_amount == -sums[number, "refund"]
        assert day.net_revenue == amount + sums[number, "refund"]
        assert day.failed_payments == counts[number, "declined"] + bounced
        assert day.disputes == counts[number, "dispute"]


def test_mrr_counted_from_the_api_is_the_truth(simulation: Simulation) -> None:
    """Active and past due, by interval, forever coupons off, rounded once each."""
    coupons = {d["id"]: d["coupon"] for d in _rendered(simulation, "discounts")}
    total = active = 0
    for sub in _rendered(simulation, "subscriptions"):
        if sub["status"] not in {"active", "past_due"}:
            continue
        (item,) = sub["items"]["data"]
        every = item["price"]["recurring"]
        worth = Fraction(item["price"]["unit_amount_decimal"]) * item["quantity"]
        worth *= _A_MONTH[every["interval"], every["interval_count"]]
        for coupon in (coupons[each] for each in sub["discounts"]):
            if coupon["duration"] == "forever":
                worth *= 1 - Fraction(coupon["percent_off"]) / 100
        total += round(worth)
        active += 1
    truth = truth_of(simulation, "UTC", simulation.today(), simulation.today())
    assert (truth.mrr, truth.active_subscriptions) == (total, active)


def test_each_event_starts_where_the_one_before_ended(simulation: Simulation) -> None:
    """Object with previous_attributes put back = the object of the event before."""
    last: dict[str, Json] = {}
    updates = 0
    for event in _events(simulation, "customer.subscription."):
        after = event["data"]["object"]
        before = event["data"].get("previous_attributes")
        if event["type"].endswith("updated"):
            assert before
            assert after | before | _merged(after, before) == last[after["id"]]
            updates += 1
        else:
            assert before is None
        last[after["id"]] = after
    assert updates > 50
    now = {sub["id"]: sub for sub in _rendered(simulation, "subscriptions")}
    assert last == now


def _merged(after: Json, before: Json) -> Json:
    """Put objects of previous attributes back, key by key; arrays are whole."""
    return {
        key: after[key] | _merged(after[key], was) | _plain(was)
        for key, was in before.items()
        if isinstance(was, dict) and isinstance(after[key], dict)
    }


def _plain(values: Json) -> Json:
    return {k: v for k, v in values.items() if not isinstance(v, dict)}


def test_a_renewal_tells_the_whole_item_and_the_invoice(office: Office) -> None:
    """Only periods differ, yet previous_attributes holds the item from end to end."""
    customer = office.register(office.opened, "Ada").id
    offer = Offer(plan=office.books.catalogue.plans["weekly"])
    office.subscriptions.begin(office.opened, customer, offer)
    office.live_until(office.opened + 8 * DAY)
    event = next(
        e
        for e in office.books.events.all()
        if e.type == "customer.subscription.updated"
    )
    shown = render(event, office.books, office.lived_until, livemode=True)
    before = shown["data"]["previous_attributes"]
    after = shown["data"]["object"]
    assert set(before) == {"items", "latest_invoice"}
    assert set(before["items"]) == {"data"}
    (was,), (now,) = before["items"]["data"], after["items"]["data"]
    assert set(was) == set(now)
    assert was["current_period_end"] == now["current_period_start"] == event.created
    assert "current_period_end" not in after
    assert shown["request"]["id"] is None
    assert shown["livemode"] is True


def test_previous_attributes_keep_objects_in_part_and_arrays_whole() -> None:
    """Unchanged keys are left out at each level, a changed array comes entire."""
    before = {"a": 1, "b": {"c": 2, "d": 3}, "e": [1, 2], "f": None}
    after = {"a": 1, "b": {"c": 2, "d": 4}, "e": [1, 3], "f": 5}
    changed = {"b": {"d": 3}, "e": [1, 2], "f": None}
    assert previous_attributes(before, after) == changed


def test_fees_of_a_card_payment_by_hand(office: Office) -> None:
    """100.00 dollars cost 2.9 % and 30 cents; the refund costs nothing more."""
    customer = office.register(office.opened, "Ada")
    intent = office.payments.open_intent(office.opened, customer, 10_000, "workshop")
    charge = office.payments.take(office.opened, intent)
    office.payments.refund(office.opened + 60, charge.id, 2_550)
    sale, refund = (
        render(t, office.books, office.opened, livemode=False)
        for t in office.books.transactions.all()
    )
    assert (sale["fee"], sale["net"], sale["status"]) == (320, 9_680, "pending")
    assert (refund["amount"], refund["fee"], refund["net"]) == (-2_550, 0, -2_550)
    assert sale["exchange_rate"] is None
    shown = render(
        office.books.charges[charge.id], office.books, office.opened, livemode=False
    )
    assert (shown["amount_refunded"], shown["refunded"]) == (2_550, False)
