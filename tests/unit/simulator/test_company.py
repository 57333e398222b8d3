"""The company as a function of seed, first day, size and instant."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from time import perf_counter

import pytest

from opseer_simulator.company import Company
from opseer_simulator.office import Office, midnight
from opseer_simulator.simulation import CUSTOMERS, Simulation, truth_of

EPOCH = date(2026, 7, 1)
NOW = midnight(EPOCH) + 100 * 86_400 + 12_345


def _company(*instants: int, seed: int = 3) -> Office:
    company = Company(seed, EPOCH, 25).office
    for instant in instants:
        company.live_until(instant)
    return company


def test_looking_often_changes_nothing() -> None:
    """Living on in small steps or at once gives the same books."""
    at_once = _company(NOW)
    in_steps = _company(*range(midnight(EPOCH), NOW, 7_777), NOW)
    assert in_steps.books.events.all() == at_once.books.events.all()
    assert in_steps.books.subscriptions.all() == at_once.books.subscriptions.all()
    assert in_steps.books.ledger.worths == at_once.books.ledger.worths


def test_history_stays_when_time_goes_on() -> None:
    """What happened by an instant is the same ten days later."""
    early, late = _company(NOW), _company(NOW + 10 * 86_400)
    for name in ("events", "transactions", "refunds"):
        before = getattr(early.books, name).all()
        after = getattr(late.books, name).all()
        assert after[: len(before)] == before
    assert len(late.books.events.all()) > len(early.books.events.all())


def test_nothing_is_later_than_now() -> None:
    """No record and no entry of the ledger lies in the future."""
    books = _company(NOW).books
    created = [e.created for e in books.events.all()]
    created += [t.created for t in books.transactions.all()]
    assert max(created) <= NOW
    assert max(w.at for w in books.ledger.worths) <= NOW


def test_another_seed_is_another_company() -> None:
    """Ids differ from seed to seed."""
    ours = set(_company(NOW).books.charges.order)
    assert ours.isdisjoint(_company(NOW, seed=4).books.charges.order)


def test_a_small_company_lives_through_every_kind_of_thing() -> None:
    """Each kind of worth change, event and balance movement occurs in four months."""
    books = _company(midnight(EPOCH) + 130 * 86_400).books
    assert {w.why for w in books.ledger.worths} == {
        "new",
        "plan",
        "seats",
        "discount",
        "trial_converted",
        "cancellation_requested",
        "payment_failed",
    }
    assert {t.category for t in books.transactions.all()} == {
        "charge",
        "charge_failure",
        "refund",
        "dispute",
        "dispute_reversal",
        "payout",
        "fee",
    }
    assert {s.status for s in books.subscriptions.all()} >= {
        "active",
        "canceled",
        "incomplete_expired",
    }


def test_an_earlier_look_shows_the_earlier_state() -> None:
    """Setting the clock back lives the company anew with the same ids."""
    simulation = Simulation(3, EPOCH, 25, lambda: datetime.fromtimestamp(NOW, UTC))
    before = simulation.books().events.all()
    simulation.offset_seconds = 86_400
    assert len(simulation.books().events.all()) > len(before)
    simulation.offset_seconds = 0
    assert simulation.books().events.all() == before


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_usual_size(seed: int) -> None:
    """About 12,000 dollars of MRR and 13 to 22 charges a day after 130 days."""
    now = datetime(2026, 11, 24, 15, tzinfo=UTC)
    first = now.date() - timedelta(days=130)
    simulation = Simulation(seed, first, CUSTOMERS, lambda: now)
    month = truth_of(simulation, "UTC", now.date() - timedelta(days=30), now.date())
    assert 1_000_000 < month.mrr < 1_450_000
    assert 13 * 31 < sum(day.charges_count for day in month.days) < 22 * 31


def test_a_small_company_is_cheap() -> None:
    """130 days of 25 customers take well under 0.3 seconds."""
    began = perf_counter()
    _company(midnight(EPOCH) + 130 * 86_400)
    assert perf_counter() - began < 0.3
