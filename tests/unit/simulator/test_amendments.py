"""What else happens to subscriptions, with its worth worked out on paper."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from opseer_simulator.assortment import Assortment, stock
from opseer_simulator.mrr_truth import Movement
from opseer_simulator.office import Office
from opseer_simulator.subscriptions import Offer
from opseer_simulator.timeline import DAY, HOUR
from opseer_simulator.truth import Truth, count_truth

START = date(2026, 3, 1)
Act = Callable[[int], object]


@pytest.fixture
def assortment(office: Office) -> Assortment:
    """Return everything on sale."""
    return stock(office.books, office.opened)


def _truth(office: Office, days: int) -> Truth:
    office.live_until(office.opened + days * DAY - 1)
    last = START + timedelta(days=days - 1)
    return count_truth(office.books.ledger, "UTC", START, last, office.lived_until)


def _mrr(office: Office, days: int) -> list[int]:
    return [day.mrr for day in _truth(office, days).days]


def _begin(office: Office, offer: Offer, currency: str = "usd") -> str:
    customer = office.register(office.opened, "Ada", currency)
    return office.subscriptions.begin(office.opened, customer.id, offer)


def _on(office: Office, day: int, act: Act) -> None:
    office.plan(office.opened + day * DAY + HOUR, act)


@pytest.mark.parametrize(
    ("behavior", "worth"),
    [("void", 0), ("mark_uncollectible", 0), ("keep_as_draft", 2900)],
)
def test_a_pause_counts_only_where_drafts_are_kept(
    office: Office, assortment: Assortment, behavior: str, worth: int
) -> None:
    """2900, paused on day 1 for two days: over when its time has passed."""
    sub = _begin(office, Offer(plan=assortment.plans["monthly"]))
    _on(office, 1, lambda t: office.amendments.pause(t, sub, behavior, 2))
    assert _mrr(office, 5) == [2900, worth, worth, 2900, 2900]


def test_items_are_added_at_their_own_interval(
    office: Office, assortment: Assortment
) -> None:
    """2900 + 2 x 700 a month, + 26000 a year (2166.67), and the last gone again."""
    sub, plans = (
        _begin(office, Offer(plan=assortment.plans["monthly"])),
        assortment.plans,
    )
    amend = office.amendments
    _on(office, 1, lambda t: amend.add_item(t, sub, plans["storage"], 2))
    _on(office, 2, lambda t: amend.add_item(t, sub, plans["support"], 1))
    _on(office, 3, lambda t: amend.remove_last_item(t, sub))
    assert _mrr(office, 4) == [2900, 4300, 6467, 4300]


@pytest.mark.parametrize(
    ("coupons", "worth"),
    [
        (("launch",), 3100),
        (("quarter",), 2310),
        (("five_off",), 2600),
        (("ten_once",), 3100),
        (("quarter", "five_off"), 1810),
        (("five_off", "quarter"), 1937),
        (("friend",), 0),
    ],
)
def test_only_coupons_for_ever_make_less_worth(
    office: Office, assortment: Assortment, coupons: tuple[str, ...], worth: int
) -> None:
    """3 x 1033.375 = 3100.125: less 25.5 % (2309.59), 5.00 (2600.125), in order."""
    first, *more = (assortment.coupons[key] for key in coupons)
    offer = Offer(
        plan=assortment.plans["exact"],
        seats=3,
        coupon=first,
        more_coupons=tuple(more),
    )
    _begin(office, offer)
    assert _mrr(office, 1) == [worth]


def test_a_customers_coupon_counts_where_the_subscription_has_none(
    office: Office, assortment: Assortment
) -> None:
    """2900 less 20 % is 2320; the other one keeps its own 5.00 off: 2400."""
    plan, partner = assortment.plans["monthly"], assortment.coupons["partner"]
    customer = office.register(office.opened, "Ada").id
    own = assortment.coupons["five_off"]
    office.subscriptions.begin(office.opened, customer, Offer(plan=plan))
    office.subscriptions.begin(office.opened, customer, Offer(plan=plan, coupon=own))
    amend = office.amendments
    _on(office, 1, lambda t: amend.give_customer_coupon(t, customer, partner))
    _on(office, 2, lambda t: amend.drop_customer_coupon(t, customer))
    assert _mrr(office, 3) == [5300, 4720, 5300]


@pytest.mark.parametrize(
    ("key", "seats", "worth"),
    [
        ("graduated", 5, 4500),
        ("graduated", 6, 5300),
        ("graduated", 21, 15612),
        ("volume", 10, 708),
        ("volume", 11, 617),
        ("packages", 11, 3800),
        ("full_packages", 7, 2100),
        ("daily", 1, 4532),
        ("three_days", 2, 8618),
        ("fortnightly", 1, 3445),
        ("half_yearly", 1, 2750),
        ("two_years", 1, 2496),
    ],
)
def test_prices_by_hand(
    office: Office, assortment: Assortment, key: str, seats: int, worth: int
) -> None:
    """Tiers up to and including, a flat part once reached; 365 and 52 a year."""
    _begin(office, Offer(plan=assortment.plans[key], seats=seats))
    assert _mrr(office, 1) == [worth]


def test_usage_counts_from_the_day_its_invoice_is_final(
    office: Office, assortment: Assortment
) -> None:
    """1000 units a week at 15 cents: 65000.00 a month from day 7, then half of it."""
    used = iter((1000, 500))
    office.subscriptions.use = lambda _item: next(used)
    _begin(office, Offer(plan=assortment.plans["gigabytes"], seats=0))
    days = _mrr(office, 15)
    assert (days[6], days[7], days[13], days[14]) == (0, 65_000, 65_000, 32_500)
    truth = _truth(office, 15)
    assert (truth.usage_mrr, truth.mrr_stripe_comparable) == (32_500, 0)


def test_a_trial_without_a_card_pauses_and_may_go_on(
    office: Office, assortment: Assortment
) -> None:
    """Nothing on trial, nothing when paused; New when it is resumed on day 9."""
    plan = assortment.plans["monthly"]
    sub = _begin(office, Offer(plan=plan, trial_days=7, after_trial="pause"))
    _on(office, 9, lambda t: office.amendments.resume(t, sub))
    office.live_until(office.opened + 8 * DAY)
    assert office.books.subscriptions[sub].status == "paused"
    days = _truth(office, 11).days
    assert [day.mrr for day in days] == [0] * 9 + [2900, 2900]
    assert days[9].grain_subscription == Movement(new=2900, net=2900)


def test_a_longer_trial_converts_later(office: Office, assortment: Assortment) -> None:
    """Seven days and three more; what it would be worth stands apart."""
    sub = _begin(office, Offer(plan=assortment.plans["monthly"], trial_days=7))
    _on(office, 5, lambda t: office.amendments.extend_trial(t, sub, 3))
    assert _truth(office, 9).trial_mrr == 2900
    assert _mrr(office, 12) == [0] * 10 + [2900, 2900]


def test_free_days_are_worth_nothing(office: Office, assortment: Assortment) -> None:
    """A paying customer on trial falls to zero and comes back as reactivation."""
    sub = _begin(office, Offer(plan=assortment.plans["monthly"]))
    _on(office, 2, lambda t: office.amendments.give_free_days(t, sub, 3))
    days = _truth(office, 7).days
    assert [day.mrr for day in days] == [2900, 2900, 0, 0, 0, 2900, 2900]
    assert days[5].grain_subscription.of_which_reactivation == 2900


def test_unpaid_is_worth_nothing_until_it_is_settled(
    office: Office, assortment: Assortment
) -> None:
    """Declined on days 7, 8, 10 and 13, then unpaid; paid on day 15."""
    sub = _begin(office, Offer(plan=assortment.plans["weekly"], dunning="unpaid"))
    office.invoicing.doom_next(sub, 4)
    _on(office, 15, lambda t: office.amendments.settle(t, sub))
    truth = _truth(office, 13)
    assert (truth.mrr, truth.at_risk_mrr) == (3857, 3857)
    days = _mrr(office, 16)
    assert days[12:] == [3857, 0, 0, 3857]


def test_an_end_on_a_date_is_not_yet_an_end(
    office: Office, assortment: Assortment
) -> None:
    """Asked on day 1 for day 4; what is committed is nothing from then on."""
    sub = _begin(office, Offer(plan=assortment.plans["monthly"]))
    end = office.opened + 4 * DAY
    _on(office, 1, lambda t: office.amendments.cancel_on(t, sub, end))
    truth = _truth(office, 3)
    assert (truth.mrr, truth.committed_mrr) == (2900, 0)
    assert _mrr(office, 5) == [2900, 2900, 2900, 2900, 0]
