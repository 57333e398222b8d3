"""The truth of a company written by hand, its expected rows worked out on paper."""

from __future__ import annotations

from datetime import date, timedelta

from opseer_simulator.office import Office
from opseer_simulator.simulation import Simulation, truth_of
from opseer_simulator.subscriptions import Offer
from opseer_simulator.timeline import DAY, HOUR, Act
from opseer_simulator.truth import Movement, TruthDay, count_truth

START = date(2026, 3, 1)


def _plan(office: Office, hours: int, act: Act) -> None:
    """Plan an act for some hours after 2026-03-01 UTC."""
    office.plan(office.opened + hours * HOUR, act)


def _days(office: Office, count: int, timezone: str = "UTC") -> tuple[TruthDay, ...]:
    """Live some days and return the truth of them."""
    office.live_until(office.opened + count * DAY - 1)
    last = START + timedelta(days=count - 1)
    now = office.lived_until
    return count_truth(office.books.ledger, timezone, START, last, now).days


def _customer(office: Office, name: str) -> str:
    return office.register(office.opened, name).id


def test_a_plan_change_a_seat_change_and_an_end(office: Office) -> None:
    """2900 new; +850 to three seats at 1250; -1250 to two; -2500 on the end."""
    ada, plans, subs = (
        _customer(office, "ada"),
        office.books.catalogue.plans,
        office.subscriptions,
    )
    ids: list[str] = []
    _plan(
        office,
        12,
        lambda t: ids.append(subs.begin(t, ada, Offer(plan=plans["monthly"]))),
    )
    _plan(office, 36, lambda t: subs.change(t, ids[0], plans["seats"], 3, "plan"))
    _plan(office, 60, lambda t: subs.change(t, ids[0], plans["seats"], 2, "seats"))
    _plan(office, 84, lambda t: subs.cancel(t, ids[0]))
    days = _days(office, 5)
    assert [d.mrr for d in days] == [2900, 3750, 2500, 0, 0]
    assert [d.grain_subscription for d in days] == [
        Movement(new=2900, net=2900),
        Movement(expansion=850, net=850),
        Movement(contraction=-1250, net=-1250),
        Movement(churned=-2500, net=-2500),
        Movement(),
    ]
    assert [(d.new_subs, d.churned_subs) for d in days] == [
        (1, 0),
        (0, 0),
        (0, 0),
        (0, 1),
        (0, 0),
    ]


def test_a_subscription_is_rounded_once_half_to_even(office: Office) -> None:
    """1250 at 15 % off is 1062.5, so 1062; three seats are 3187.5, so 3188."""
    loyal, seats = office.books.catalogue.loyal, office.books.catalogue.plans["seats"]
    for count in (1, 3):
        offer = Offer(plan=seats, seats=count, coupon=loyal)
        office.subscriptions.begin(office.opened, _customer(office, "jo"), offer)
    assert _days(office, 1)[0].mrr == 1062 + 3188


def test_a_trial_counts_from_the_day_it_converts(office: Office) -> None:
    """14 days of nothing, then New on day 14."""
    ben = _customer(office, "ben")
    offer = Offer(plan=office.books.catalogue.plans["weekly"], trial_days=14)
    _plan(office, 6, lambda t: office.subscriptions.begin(t, ben, offer))
    days = _days(office, 16)
    assert [d.mrr for d in days] == [0] * 14 + [3857, 3857]
    assert days[14].new_subs == 1
    assert days[0].charges_count == 0
    assert days[14].charges_amount == 890


def test_a_planned_end_moves_nothing_before_it_comes(office: Office) -> None:
    """Asked on day 2, undone on day 3, asked again: gone on 1 April only."""
    cleo, subs = _customer(office, "cleo"), office.subscriptions
    ids: list[str] = []
    offer = Offer(plan=office.books.catalogue.plans["monthly"])
    _plan(office, 0, lambda t: ids.append(subs.begin(t, cleo, offer)))
    _plan(office, 48, lambda t: subs.cancel_at_end(t, ids[0]))
    _plan(office, 72, lambda t: subs.think_again(t, ids[0]))
    _plan(office, 96, lambda t: subs.cancel_at_end(t, ids[0]))
    moved = {d.date: d.grain_subscription for d in _days(office, 33)}
    assert {day for day, m in moved.items() if m.net} == {
        date(2026, 3, 1),
        date(2026, 4, 1),
    }
    assert moved[date(2026, 4, 1)] == Movement(churned=-2900, net=-2900)


def test_coming_and_going_within_a_day_counts_in_both_and_moves_nothing(
    office: Office,
) -> None:
    """MRR stays 0, New Subs and Churned are 1 and 1, the charge stands."""
    dan, subs = _customer(office, "dan"), office.subscriptions
    ids: list[str] = []
    offer = Offer(plan=office.books.catalogue.plans["monthly"])
    _plan(office, 12, lambda t: ids.append(subs.begin(t, dan, offer)))
    _plan(office, 14, lambda t: subs.cancel(t, ids[0]))
    day = _days(office, 1)[0]
    assert day.grain_subscription == Movement()
    assert (day.new_subs, day.churned_subs, day.charges_count) == (1, 1, 1)


def test_a_customer_who_comes_back_is_a_reactivation(office: Office) -> None:
    """The second subscription is New, all of it of a customer who paid before."""
    eve, subs, plans = (
        _customer(office, "eve"),
        office.subscriptions,
        office.books.catalogue.plans,
    )
    ids: list[str] = []
    _plan(
        office,
        0,
        lambda t: ids.append(subs.begin(t, eve, Offer(plan=plans["monthly"]))),
    )
    _plan(office, 24, lambda t: subs.cancel(t, ids[0]))
    _plan(office, 96, lambda t: subs.begin(t, eve, Offer(plan=plans["quarterly"])))
    back = Movement(new=2663, net=2663, of_which_reactivation=2663)
    day = _days(office, 5)[4]
    assert day.grain_subscription == back
    assert day.grain_customer == back


def test_a_second_subscription_expands_the_customer(office: Office) -> None:
    """New for the subscription, Expansion for the customer."""
    fay, subs = _customer(office, "fay"), office.subscriptions
    offer = Offer(plan=office.books.catalogue.plans["monthly"])
    _plan(office, 0, lambda t: subs.begin(t, fay, offer))
    _plan(office, 24, lambda t: subs.begin(t, fay, offer))
    day = _days(office, 2)[1]
    assert day.grain_subscription == Movement(new=2900, net=2900)
    assert day.grain_customer == Movement(expansion=2900, net=2900)


def test_money_stands_on_its_own_day(office: Office) -> None:
    """A sale on day 0, its refunds on days 1 and 2, a bounce four days on."""
    gil, pay = _customer(office, "gil"), office.payments
    customer = office.books.customers[gil]
    charges: list[str] = []

    def sell(at: int) -> None:
        intent = pay.open_intent(at, customer, 9999, "workshop")
        charges.append(pay.take(at, intent).id)
        bank = pay.open_intent(at, customer, 5000, "workshop", "us_bank_account")
        pay.debit(at, bank, clears=False)

    _plan(office, 2, sell)
    _plan(office, 24, lambda t: pay.refund(t, charges[0], 333))
    _plan(office, 48, lambda t: pay.refund(t, charges[0]))
    days = _days(office, 6)
    assert [d.charges_count for d in days] == [2, 0, 0, 0, 0, 0]
    assert [d.charges_amount for d in days] == [14999, 0, 0, 0, -5000, 0]
    assert [d.refunds_amount for d in days] == [0, 333, 9666, 0, 0, 0]
    assert [d.net_revenue for d in days] == [14999, -333, -9666, 0, -5000, 0]
    assert [d.failed_payments for d in days] == [0, 0, 0, 0, 1, 0]


def test_an_inquiry_is_no_dispute(office: Office) -> None:
    """Only a dispute that takes money away counts."""
    customer = office.books.customers[_customer(office, "hal")]
    pay = office.payments
    for number in range(2):
        charge = pay.take(
            office.opened,
            pay.open_intent(office.opened, customer, 5000, "workshop"),
        )
        pay.dispute(office.opened, charge.id, "general", inquiry=number == 0)
    assert _days(office, 1)[0].disputes == 1


def test_days_are_those_of_the_zone(office: Office) -> None:
    """15:00 UTC on 1 March is midnight, the start of 2 March, in Seoul."""
    ivo = _customer(office, "ivo")
    offer = Offer(plan=office.books.catalogue.plans["monthly"])
    _plan(office, 15, lambda t: office.subscriptions.begin(t, ivo, offer))
    days = _days(office, 2, "Asia/Seoul")
    assert [(d.charges_count, d.mrr) for d in days] == [(0, 0), (1, 2900)]


def test_the_snapshot_is_the_day_before_plus_the_day(simulation: Simulation) -> None:
    """snapshot[d] = snapshot[d-1] + net[d], at both grains, over a whole life."""
    last = simulation.today()
    days = truth_of(simulation, "Europe/Berlin", simulation.epoch, last).days
    assert len(days) == (last - simulation.epoch) // timedelta(days=1) + 1
    was = 0
    for day in days:
        for moved in (day.grain_subscription, day.grain_customer):
            assert day.mrr == was + moved.net
            assert moved.net == (
                moved.new + moved.expansion + moved.contraction + moved.churned
            )
            assert 0 <= moved.of_which_reactivation <= moved.new
            assert moved.contraction <= 0
            assert moved.churned <= 0
        was = day.mrr
    assert was > 0
