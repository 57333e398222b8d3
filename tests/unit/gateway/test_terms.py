"""Which policy and zone days are under, and where their chain does not close."""

from __future__ import annotations

from datetime import date, timedelta
from typing import get_args

from opseer_common.days import DayRange
from opseer_gateway.domain.figures import MovementRow, Rebase, rebases
from opseer_gateway.domain.integrations import Preset
from opseer_gateway.domain.terms import (
    PRESET_TEXTS,
    StoredBasis,
    Terms,
    policy_text,
    terms_of,
)

FIRST = date(2026, 11, 1)
OPSEER = {"preset": "opseer", "version": 1}
STRIPE = {"preset": "stripe", "version": 1}


def day(number: int) -> date:
    """Return a day of the range."""
    return FIRST + timedelta(days=number)


def basis(number: int, zone: str, policy: dict[str, object]) -> StoredBasis:
    """Return a day under a policy and zone."""
    return StoredBasis(day(number), zone, policy, 0, 0, 0, 0, 0, 0)


def test_days_in_a_row_share_their_terms() -> None:
    """Rule: a change of zone or policy begins new terms, and nothing else does."""
    stored = [
        basis(0, "UTC", OPSEER),
        basis(1, "UTC", OPSEER),
        basis(2, "Europe/Berlin", OPSEER),
        basis(3, "Europe/Berlin", STRIPE),
        basis(5, "Europe/Berlin", STRIPE),
    ]
    assert terms_of(stored) == (
        Terms(day(0), day(1), "UTC", OPSEER),
        Terms(day(2), day(2), "Europe/Berlin", OPSEER),
        Terms(day(3), day(5), "Europe/Berlin", STRIPE),
    )


def test_every_preset_has_words() -> None:
    """Rule: pages can say which rules figures follow."""
    assert sorted(PRESET_TEXTS) == sorted(get_args(Preset))
    assert policy_text(STRIPE).startswith("as Stripe's dashboard")
    assert policy_text({"preset": "unheard of"}) == "unheard of"
    assert policy_text(None) == ""


def moved(number: int, snapshot: int, net: int | None, fx: int = 0) -> MovementRow:
    """Return a day's row; None for one whose movements are not known."""
    reason = "MISSED_EVENT" if number == 3 else None
    known_fx = None if net is None else fx
    return MovementRow(
        day(number), net=net, fx=known_fx, snapshot=snapshot, reason=reason
    )


def test_rebasing_is_a_line_of_its_own() -> None:
    """Rule: snapshot = day before + net + fx + rebase, on every day that has both."""
    rows = [
        moved(0, 100, 0),
        moved(1, 105, 6, -1),
        moved(2, 110, 5),
        moved(3, 127, 10),  # 7 more than 110 + 10
        moved(4, 130, None),
        moved(6, 900, 1),  # the day before is not stored
    ]
    assert rebases(rows, DayRange(day(1), day(6))) == (
        Rebase(day(3), 7, "MISSED_EVENT"),
    )
    assert rebases(rows, DayRange(day(4), day(6))) == ()
