"""MRR that a provider reports, put into rows: nothing is made up."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

from opseer_mrr.domain.computation import ConnectionKey
from opseer_mrr.domain.given import Given, GivenDay, GivenInputs, Metric, given

FIRST, SECOND, TODAY = date(2026, 11, 22), date(2026, 11, 23), date(2026, 11, 24)
KEY = ConnectionKey(UUID(int=1), "revenuecat", UUID(int=2))
Told = dict[str, int | None]


def rows(
    *days: Told,
    before: int | None = None,
    reasons: dict[str, str] | None = None,
) -> Given:
    """Return the rows of consecutive days from FIRST on; `reasons` are of the last."""
    metrics = []
    for number, told in enumerate(days):
        day = date(2026, 11, 22 + number)
        for name, value in told.items():
            last = number == len(days) - 1
            reason = (reasons or {}).get(name) if last else None
            metrics.append(Metric(day, name, "usd", value, reason))
    inputs = GivenInputs(
        key=KEY,
        revision=1,
        settings_revision=1,
        as_of=datetime(2026, 11, 24, 10, tzinfo=UTC),
        currency="usd",
        timezone="UTC",
        metrics=metrics,
        before=before,
    )
    found = given(inputs)
    assert found is not None
    return found


def second(*days: Told) -> GivenDay:
    """Return the second day's row."""
    return rows(*days).movements[1]


def test_what_is_not_told_apart_is_null() -> None:
    """Rule: new and churned as told, the others null, net the change, no fx."""
    row = second({"mrr": 100}, {"mrr": 130, "new_mrr": 40, "churned_mrr": -15})
    assert (row.new, row.churned) == (40, -15)
    assert (row.expansion, row.contraction, row.fx) == (None, None, None)
    assert (row.net, row.reason) == (30, None)


def test_what_is_told_whole_adds_up() -> None:
    """Rule: where every part is told net is their sum, and the rest is fx."""
    told: Told = {
        "mrr": 130,
        "new_mrr": 40,
        "resubscription_mrr": 5,
        "expansion_mrr": 2,
        "contraction_mrr": -3,
        "churned_mrr": -15,
    }
    row = second({"mrr": 100}, told)
    assert (row.new, row.of_which_reactivation) == (45, 5)
    assert (row.expansion, row.contraction, row.churned) == (2, -3, -15)
    assert (row.net, row.fx) == (29, 1)


def test_more_came_back_than_left() -> None:
    """Rule: churned is never above zero: what was gained is new, by coming back."""
    row = second({"mrr": 100}, {"mrr": 118, "new_mrr": 10, "churned_mrr": 8})
    assert (row.new, row.churned, row.of_which_reactivation) == (18, 0, 8)


def test_the_first_day_has_the_stored_one_before_it() -> None:
    """Rule: without the day before there is no net, and the row says why."""
    alone = rows({"mrr": 100}).movements[0]
    assert (alone.net, alone.reason) == (None, "BEFORE_HISTORY")
    after = rows({"mrr": 100}, before=90).movements[0]
    assert (after.net, after.reason) == (10, None)


def test_counts_are_as_told() -> None:
    """Rule: churned subscriptions may be below zero where the provider nets them."""
    row = second({"mrr": 1}, {"mrr": 1, "new_subs": 3, "churned_subs": -2})
    assert (row.new_subs, row.churned_subs) == (3, -2)


def test_the_live_figures() -> None:
    """Rule: MRR of the day under way is true now; its movements are not over."""
    told: Told = {"mrr": 7, "active_subscriptions": 2, "committed_mrr": 6}
    found = rows({"mrr": 5}, {"mrr": 6}, told, reasons={"mrr": "ARRIVES_TOMORROW"})
    now = found.snapshot
    assert (now.day, now.mrr, now.active_subscriptions) == (TODAY, 7, 2)
    assert (now.committed_mrr, now.trial_mrr, now.reason) == (6, None, None)
    assert found.movements[-1].reason == "ARRIVES_TOMORROW"


def test_yesterday_stands_in_for_today() -> None:
    """Rule: where today is not told yet, the newest MRR is shown and marked."""
    found = rows({"mrr": 5}, {"mrr": 6}, {"mrr": None}, reasons={"mrr": "COLLECTING"})
    assert (found.snapshot.mrr, found.snapshot.reason) == (6, "ARRIVES_TOMORROW")


def test_nothing_known_is_nothing() -> None:
    """Rule: without any MRR there is none, and the reason is the provider's."""
    unknown: Told = {"mrr": None}
    found = rows(unknown, unknown, unknown, reasons={"mrr": "CHARTS_PERMISSION"})
    assert (found.snapshot.mrr, found.snapshot.reason) == (None, "CHARTS_PERMISSION")
    assert {row.snapshot for row in found.movements} == {None}
