"""Which currency an account is shown in, where its user chose none."""

from __future__ import annotations

from opseer_collector.domain.settlement import Evidence, settlement_currency

NOTHING = Evidence()
BOTH = frozenset({"eur", "usd"})


def test_the_only_currency_of_the_balance() -> None:
    """One candidate needs no evidence."""
    assert settlement_currency(None, frozenset({"sek"}), NOTHING) == "sek"


def test_what_was_found_once_stays() -> None:
    """It does not flip when the evidence does."""
    evidence = Evidence(charges={"usd": 1000, "eur": 1})
    assert settlement_currency("eur", BOTH, evidence) == "eur"


def test_the_target_of_conversions() -> None:
    """Stripe converts what is not settled into the default currency."""
    evidence = Evidence(conversions={"eur": 3, "usd": 0}, charges={"usd": 900})
    assert settlement_currency(None, BOTH, evidence) == "eur"


def test_the_most_charges_then_the_name() -> None:
    """Without conversions the most charges decide, then the alphabet."""
    evidence = Evidence(charges={"usd": 9, "eur": 8})
    assert settlement_currency(None, BOTH, evidence) == "usd"
    assert settlement_currency(None, BOTH, NOTHING) == "eur"


def test_nothing_known() -> None:
    """No guess where nothing tells."""
    assert settlement_currency(None, frozenset(), NOTHING) is None
