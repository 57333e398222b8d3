"""The company that has everything: what happens in it, and its JSON against itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from typing import Any

import pytest

from opseer_simulator.event_shapes import VERSIONS
from opseer_simulator.full_company import FullCompany
from opseer_simulator.ledger import Entry
from opseer_simulator.rendering import View, render
from opseer_simulator.simulation import Simulation, truth_of
from opseer_simulator.timeline import DAY

Json = dict[str, Any]


def _rendered(full: Simulation, shelf: str) -> list[Json]:
    books, now = full.books(), full.now()
    return [render(record, books, now) for record in getattr(books, shelf).all()]


def test_every_kind_of_price_is_subscribed_to(full: Simulation) -> None:
    """All intervals, seats, packages, fractions, both tiers, usage, nothing at all."""
    items = [i for s in full.books().subscriptions.all() for i in s.items]
    every = {(i.plan.interval, i.plan.interval_count) for i in items}
    assert every >= {
        *(("day", 1), ("day", 3), ("week", 1), ("week", 2), ("month", 1)),
        *(("month", 3), ("month", 6), ("year", 1), ("year", 2)),
    }
    plans = [item.plan for item in items]
    assert {plan.tiers_mode for plan in plans} == {None, "graduated", "volume"}
    assert {plan.usage_type for plan in plans} == {"licensed", "metered"}
    assert {plan.round for plan in plans if plan.divide_by} == {"up", "down"}
    assert any(plan.unit_decimal for plan in plans if not plan.metered)
    assert any(plan.unit_amount == 0 for plan in plans)
    assert any(not plan.active for plan in plans)
    assert {plan.currency for plan in plans} == {
        *("usd", "eur", "gbp", "jpy", "kwd", "sek"),
    }


def test_subscriptions_have_several_items_of_different_intervals(
    full: Simulation,
) -> None:
    """Some change by adding and removing one; one has more than a list shows."""
    subscriptions = full.books().subscriptions.all()
    assert any(
        len({item.plan.interval for item in each.items}) == 3 for each in subscriptions
    )
    assert max(len(each.items) for each in subscriptions) == 12
    whys = {worth.why for worth in full.books().ledger.worths}
    assert whys >= {"item_added", "item_removed"}


def test_every_kind_of_coupon_is_used(full: Simulation) -> None:
    """Once, repeating, forever; percent, amount; item, subscription, customer."""
    discounts = full.books().discounts.all()
    kinds = {(d.coupon.duration, d.coupon.amount_off is None) for d in discounts}
    assert kinds == {
        (duration, percent)
        for duration in ("once", "repeating", "forever")
        for percent in (True, False)
    }
    assert any(d.item for d in discounts)
    assert any(d.subscription and not d.item for d in discounts)
    assert any(not d.subscription for d in discounts)
    assert any(len(s.discounts) == 3 for s in full.books().subscriptions.all())


def test_every_state_of_a_subscription_occurs(full: Simulation) -> None:
    """All statuses, both ways out of dunning, each pause, and back from them."""
    after = [e.after for e in full.books().events.all() if "subscription" in e.type]
    assert {getattr(each, "status", None) for each in after} - {None} == {
        *("incomplete", "incomplete_expired", "trialing", "active", "past_due"),
        *("unpaid", "paused", "canceled"),
    }
    pauses = [each.pause for each in full.books().subscriptions.all()]
    pauses += [getattr(each, "pause", None) for each in after]
    assert {(p.behavior, p.resumes_at is None) for p in pauses if p} == {
        (behavior, forever)
        for behavior in ("void", "mark_uncollectible", "keep_as_draft")
        for forever in (True, False)
    }
    assert {worth.why for worth in full.books().ledger.worths} >= {
        *("new", "plan", "seats", "usage", "trial_converted", "trial_extension"),
        *("paused", "unpaused", "resumed", "unpaid", "recovered", "payment_failed"),
        *("cancellation_requested", "customer_discount", "discount"),
    }


def test_every_kind_of_event_occurs(full: Simulation) -> None:
    """What is asked of subscriptions and discounts, and what surrounds them."""
    assert {e.type for e in full.books().events.all()} >= {
        *("customer.subscription.created", "customer.subscription.updated"),
        *("customer.subscription.deleted", "customer.subscription.paused"),
        *("customer.subscription.resumed", "customer.subscription.trial_will_end"),
        *("customer.discount.created", "customer.discount.deleted"),
        *("charge.failed", "charge.captured", "charge.refunded", "refund.failed"),
        *("charge.dispute.created", "charge.dispute.closed", "payout.failed"),
    }


def test_money_moves_in_every_way(full: Simulation) -> None:
    """All categories, refunds that fail, disputes of each end, payouts that return."""
    books = full.books()
    assert {t.category for t in books.transactions.all()} == {
        *("charge", "charge_failure", "partial_capture_reversal"),
        *("refund", "refund_failure", "dispute", "dispute_reversal"),
        *("payout", "payout_reversal", "topup", "fee", "tax"),
        *("risk_reserved_funds", "other_adjustment"),
    }
    assert {d.status for d in books.disputes.all()} >= {"won", "lost", "warning_closed"}
    assert {r.status for r in books.refunds.all()} == {"succeeded", "failed"}
    assert {p.status for p in books.payouts.all()} >= {"paid", "failed"}
    invoices = {i.status for i in books.invoices.all()}
    assert invoices >= {"draft", "open", "paid", "void", "uncollectible"}
    refunds = Counter(r.charge for r in books.refunds.all())
    charges = [books.charges[key] for key in refunds]
    assert {c.refunded == c.amount for c in charges} == {True, False}


@pytest.mark.parametrize("currency", ["eur", "gbp", "jpy", "kwd"])
def test_rates_of_other_currencies_move(full: Simulation, currency: str) -> None:
    """Each payment has a rate; amount in minor units times rate is what arrived."""
    books = full.books()
    rates = {rate.rate for rate in books.ledger.rates if rate.currency == currency}
    assert len(rates) > 3
    sales = [t for t in books.transactions.all() if t.category == "charge" and t.rate]
    for sale in sales:
        charge = books.charges[sale.source or ""]
        exact = charge.amount * (sale.rate or 0)
        assert abs(exact - sale.amount * 1_000_000) <= 500_000
        assert (charge.currency == "usd", sale.currency) == (False, "usd")


def test_pounds_are_kept_as_pounds_from_some_day_on(full: Simulation) -> None:
    """The balance has two currencies then; a kept payment has no rate."""
    kept = [t for t in full.books().transactions.all() if t.currency == "gbp"]
    assert {"charge", "payout"} <= {t.category for t in kept}
    assert all(t.rate is None for t in kept)
    truth = truth_of(full, "UTC", full.epoch, full.today())
    assert any("gbp" in day.net_by_currency for day in truth.days)
    assert not any(day.revenue_unconverted for day in truth.days)


def test_a_currency_nobody_paid_in_stands_apart(full: Simulation) -> None:
    """It has a worth and no rate: in the map, not in the figure."""
    truth = truth_of(full, "UTC", full.today(), full.today())
    assert set(truth.unconverted) == {"sek"}
    assert truth.native["sek"] == truth.unconverted["sek"] > 0


def test_the_snapshot_is_the_day_before_plus_the_day_plus_exchange(
    full: Simulation,
) -> None:
    """snapshot[d] = snapshot[d-1] + net[d] + fx[d], and the parts add up."""
    truth = truth_of(full, "Europe/Berlin", full.epoch, full.today())
    was = 0
    for day in truth.days:
        assert day.mrr == was + day.grain_subscription.net + day.fx
        assert day.grain_customer.net == day.grain_subscription.net
        was = day.mrr
    assert any(day.fx for day in truth.days)
    assert truth.mrr == was == truth.usage_mrr + truth.mrr_stripe_comparable
    assert truth.trial_mrr > 0
    assert 0 < truth.at_risk_mrr < truth.mrr
    assert truth.mrr - truth.committed_mrr > 0


def test_the_api_tells_the_money_of_the_ledger(full: Simulation) -> None:
    """Balance transactions by category, day and currency are the ledger's entries."""
    ledger = full.books().ledger
    told: defaultdict[tuple[str, int, str], list[int]] = defaultdict(list)
    for row in _rendered(full, "transactions"):
        assert row["net"] == row["amount"] - row["fee"]
        if row["amount"]:
            key = (row["reporting_category"], row["created"] // DAY, row["currency"])
            told[key].append(row["amount"])
    kept: dict[str, tuple[list[Entry], int]] = {
        "charge": (ledger.sales, 1),
        "partial_capture_reversal": (ledger.uncaptured, -1),
        "charge_failure": (ledger.bounces, -1),
        "refund": (ledger.refunds, -1),
        "refund_failure": (ledger.returned, 1),
    }
    for category, (entries, sign) in kept.items():
        days: defaultdict[tuple[str, int, str], list[int]] = defaultdict(list)
        for entry in entries:
            key = (category, entry.at // DAY, entry.currency)
            days[key].append(sign * entry.amount)
        assert days
        assert days == {key: told[key] for key in told if key[0] == category}
    declined = [
        c["id"]
        for c in _rendered(full, "charges")
        if c["status"] == "failed" and c["failure_balance_transaction"] is None
    ]
    assert declined == [entry.id for entry in ledger.declines]


def test_charges_refunds_and_disputes_agree(full: Simulation) -> None:
    """A charge's refunds sum to its refunded amount; a dispute moves its amount."""
    charges = {c["id"]: c for c in _rendered(full, "charges")}
    back: defaultdict[str, int] = defaultdict(int)
    for refund in _rendered(full, "refunds"):
        charge = charges[refund["charge"]]
        assert refund["currency"] == charge["currency"]
        back[charge["id"]] += refund["amount"] if refund["status"] != "failed" else 0
    for charge in charges.values():
        uncaptured = 0
        if charge["captured"]:
            uncaptured = charge["amount"] - charge["amount_captured"]
        assert charge["amount_refunded"] == back[charge["id"]] + uncaptured
    for dispute in _rendered(full, "disputes"):
        moved = [row["amount"] for row in dispute["balance_transactions"]]
        assert len(moved) == {"won": 2, "lost": 1, "needs_response": 1}.get(
            dispute["status"], 0
        )


def test_invoices_are_the_sum_of_their_lines(full: Simulation) -> None:
    """Total = lines - discounts; a paid one that costs something has its payment."""
    intents = {i["id"]: i for i in _rendered(full, "intents")}
    books = full.books()
    for record, shown in zip(
        books.invoices.all(), _rendered(full, "invoices"), strict=True
    ):
        lines = shown["lines"]["data"]
        off = sum(x["amount"] for line in lines for x in line["discount_amounts"])
        if not shown["lines"]["has_more"]:
            assert shown["total"] == sum(line["amount"] for line in lines) - off
        assert {line["currency"] for line in lines} <= {shown["currency"]}
        if shown["status"] == "paid" and shown["total"]:
            paid = intents[record.intent or ""]
            assert (paid["amount_received"], paid["currency"]) == (
                shown["total"],
                shown["currency"],
            )


def test_usage_is_worth_what_the_latest_invoice_charged(full: Simulation) -> None:
    """The newest paid line of each metered item, times its periods a month."""
    books = full.books()
    latest = {
        line.item: line.amount - line.discount
        for invoice in books.invoices.all()
        if invoice.status in {"open", "paid"}
        for line in invoice.lines
        if line.plan.metered
    }
    worths = {worth.subscription: worth for worth in books.ledger.worths}
    compared = 0
    for sub in books.subscriptions.all():
        metered = [item for item in sub.items if item.plan.metered]
        if sub.status == "active" and metered:
            (item,) = metered
            twelfths = {"month": 12, "week": 52}[item.plan.interval or ""]
            usage = worths[sub.id].usage
            assert usage * 12 == latest.get(item.id, 0) * twelfths
            compared += 1
    assert compared >= 4


@pytest.mark.parametrize("version", VERSIONS)
def test_each_event_starts_where_the_one_before_ended(
    full: Simulation, version: str
) -> None:
    """In every shape: the object with previous_attributes put back is the last one."""
    books, view = full.books(), View(livemode=False, event_version=version)
    last: dict[str, Json] = {}
    updates = 0
    for event in books.events.all():
        if not event.type.startswith("customer.subscription."):
            continue
        shown = render(event, books, full.now(), view)
        after = shown["data"]["object"]
        before = shown["data"].get("previous_attributes")
        known = last.get(after["id"])
        if before and known and known["api_version"] == shown["api_version"]:
            assert _put_back(after, before) == known["data"]["object"]
            updates += 1
        last[after["id"]] = shown
    assert updates > 200


def _put_back(after: Json, before: Json) -> Json:
    """Lay what was over what is: objects in part, the rest whole."""
    merged = dict(after)
    for key, was in before.items():
        now = merged.get(key)
        both = isinstance(was, dict) and isinstance(now, dict)
        merged[key] = _put_back(now, was) if both and now is not None else was
    return merged


def test_the_same_seed_is_the_same_company() -> None:
    """Lived at once or in steps: the same books, and nothing out of order."""
    epoch, now = date(2026, 1, 1), datetime(2026, 5, 20, tzinfo=UTC)
    at_once, in_steps = (FullCompany(9, epoch, 6).office for _ in range(2))
    end = int(now.timestamp())
    at_once.live_until(end)
    for instant in range(in_steps.opened, end, 99_991):
        in_steps.live_until(instant)
    in_steps.live_until(end)
    assert in_steps.books.events.all() == at_once.books.events.all()
    for shelf in ("events", "transactions", "charges", "refunds", "invoices"):
        created = [record.created for record in getattr(at_once.books, shelf).all()]
        assert created == sorted(created)
        assert created[-1] <= end


def test_stories_can_be_left_out() -> None:
    """A reader that cannot tell something yet can look at all the rest."""
    epoch = date(2026, 1, 1)
    every = set(FullCompany(9, epoch, 0).told)
    fewer = set(FullCompany(9, epoch, 0, frozenset({"metered_only"})).told)
    assert every - fewer == {"metered_only"}
