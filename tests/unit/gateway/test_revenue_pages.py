"""What the revenue page says of a board."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from opseer_common.days import DayRange
from opseer_gateway.actions.board import Board
from opseer_gateway.domain import figures, metrics, plans
from opseer_gateway.domain.board import ActiveDay
from opseer_gateway.domain.figures import DailyRow, MovementRow, Mrr
from opseer_gateway.domain.integrations import LastError, Progress, describe
from opseer_gateway.domain.metrics import StoredRange
from opseer_gateway.domain.names import Price
from opseer_gateway.domain.periods import asked_period
from opseer_gateway.domain.plans import StoredPlan
from opseer_gateway.pages.revenue import cards, charts, compare, states, tables

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Connect

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = date(2026, 11, 24)
MakeBoard = Callable[..., Board]


def ago(days: int) -> date:
    """Return the day so many days before today."""
    return TODAY - timedelta(days=days)


def revenue(back: int) -> DailyRow:
    """Return $10 of charges and a $1 refund; today is not over."""
    reason = None if back else "ARRIVES_TOMORROW"
    return DailyRow(
        *(ago(back), "usd", 900, 1, 1_000, 1, 100, 0, 0), not reason, reason
    )


def movement(back: int) -> MovementRow:
    """Return a day with $1 of New MRR; today's snapshot is $200."""
    return MovementRow(
        *(ago(back), 100, 0, 0, 0, 100, 0, 0, 20_000 - 100 * back), complete=True
    )


@pytest.fixture
def make_board(connect: Connect) -> MakeBoard:
    """Return what makes a board of 91 days of revenue and 30 of movements."""

    def make(preset: str | None = None, **changes: Any) -> Board:
        known = connect()
        days = DayRange(ago(90), TODAY)
        moved = tuple(movement(back) for back in range(29, -1, -1))
        daily = tuple(revenue(back) for back in range(90, -1, -1))
        row = describe(known, NOW)
        board = Board(
            integrations=(row,),
            integration=row,
            now=NOW,
            today=TODAY,
            period=asked_period(preset, None, None, TODAY),
            why_unmoved="CRON_PENDING",
            mrr=Mrr(
                *("stripe", "usd", 20_000, 40, 500, 300, 700, 19_000, 19_500),
                *(240_000, 500),
                as_of=NOW,
                complete=True,
            ),
            daily=figures.daily_revenue(known, days, daily, NOW),
            movements=figures.movements(known, days, moved, "usd", NOW),
            active=(ActiveDay(ago(1), 39),),
            plans=plans.plans_of(known, None, (), {}),
            metrics=metrics.metrics(
                known, DayRange(ago(29), ago(1)), "subscription", StoredRange()
            ),
        )
        return msgspec.structs.replace(board, **changes)

    return make


def with_row(board: Board, **changes: Any) -> Board:
    """Return the board of an integration that is otherwise."""
    row = msgspec.structs.replace(board.integration, **changes)
    return msgspec.structs.replace(board, integration=row)


def test_five_cards(make_board: MakeBoard) -> None:
    """Labels are the description's; each has its change and its 7-day average."""
    found = cards.cards(make_board())
    assert [(one.label, one.value) for one in found] == [
        ("MRR", "$200.00"),
        ("Yesterday MRR", "$199.00"),
        ("Net Revenue", "$63.00"),
        ("Charges", "7"),
        ("Active Subscriptions", "40"),
    ]
    assert [one.delta and one.delta.text for one in found] == [
        "▲ $1.00 (+0.5%)",
        "▲ $1.00 (+0.5%)",
        "= unchanged",
        "= unchanged",
        "▲ 1 (+2.6%)",
    ]
    assert [one.average for one in found] == [
        "7-day average $196.00",
        "7-day average movement +$1.00",
        "7-day average $9.00",
        "7-day average 1",
        "",
    ]
    assert all(one.as_of == "24 Nov 2026, 12:00 UTC" for one in found)


def test_today_is_not_compared(make_board: MakeBoard) -> None:
    """The change is of days that are over: a day so far never looks like a fall."""
    rows = [revenue(back) for back in range(90, 0, -1)]
    today = msgspec.structs.replace(revenue(0), net_revenue=0, charges_count=0)
    board = make_board()
    daily = msgspec.structs.replace(board.daily, rows=(*rows, today))
    found = cards.cards(msgspec.structs.replace(board, daily=daily))[2]
    assert found.value == "$54.00"
    assert found.delta is not None
    assert found.delta.text == "= unchanged"
    assert found.note == "with today so far"
    [only] = [one for one in cards.cards(make_board("today")) if one.key == "charges"]
    assert (only.delta, only.note) == (None, "today so far")


def test_yesterday_without_a_row(make_board: MakeBoard) -> None:
    """Yesterday MRR is "—" with the reason: not run yet and when next, or Events."""
    none = make_board().movements
    board = make_board(movements=msgspec.structs.replace(none, rows=()))
    [card] = [one for one in cards.cards(board) if one.key == "yesterday_mrr"]
    assert (card.value, card.fix) == ("—", False)
    assert card.note == (
        "The MRR movement cron has not run yet (runs once per day). "
        "Next: 24 Nov 2026, 12:00 UTC"
    )
    board = msgspec.structs.replace(board, why_unmoved="EVENTS_PERMISSION")
    [card] = [one for one in cards.cards(board) if one.key == "yesterday_mrr"]
    assert (card.note, card.fix) == ("Events → Read is missing", True)


@pytest.mark.parametrize(
    ("mrr", "value", "note"),
    [
        (Mrr("stripe", "usd", 0, 0, complete=True), "$0.00", "No active subscriptions"),
        (
            Mrr("stripe", "usd", reason="SUBSCRIPTIONS_PERMISSION"),
            "—",
            "Subscriptions → Read is missing",
        ),
        (Mrr("stripe", "usd", reason="COLLECTING"), "—", "still being collected"),
        (
            Mrr("stripe", "usd", 500, 1, reason="NO_RATE"),
            "$5.00",
            "incomplete: no exchange rate yet",
        ),
    ],
)
def test_zero_and_nothing(
    make_board: MakeBoard, mrr: Mrr, value: str, note: str
) -> None:
    """MRR is 0 only where it could be read, "—" where not; each with its reason."""
    card = cards.cards(make_board(mrr=mrr))[0]
    assert (card.value, card.note) == (value, note)


def test_an_incomplete_period_says_why(make_board: MakeBoard) -> None:
    """A sum without some of its days is marked, and not compared."""
    board = make_board()
    rows = list(board.daily.rows)
    rows[-3] = DailyRow(ago(2), "usd", reason="COLLECTING")
    daily = msgspec.structs.replace(board.daily, rows=tuple(rows))
    card = cards.cards(msgspec.structs.replace(board, daily=daily))[2]
    assert card.value == "$54.00"
    assert card.delta is None
    assert card.note.startswith("incomplete: still being collected")


def test_charts_draw_the_days(make_board: MakeBoard) -> None:
    """A value per day of the period, in minor units; refunds below zero."""
    found = charts.figures(make_board())
    assert found is not None
    assert found["days"][0] == "2026-11-18"
    assert found["days"][-1] == "2026-11-24"
    assert found["mrr"] == [19_400, 19_500, 19_600, 19_700, 19_800, 19_900, 20_000]
    assert found["revenue"] == [900] * 7
    assert found["refunds"] == [-100] * 7
    assert found["partial"] == [False] * 6 + [True]
    assert (found["currency"], found["digits"]) == ("USD", 2)
    assert charts.told(found) == ["new", "expansion", "contraction", "churned"]


def test_one_day_has_no_chart(make_board: MakeBoard) -> None:
    """With a single data point there is nothing to draw."""
    assert charts.figures(make_board("yesterday")) is None
    assert not charts.has_points([None, 5, None])


def test_charts_are_said(make_board: MakeBoard) -> None:
    """Each chart has its conclusion in a sentence."""
    board = make_board()
    assert charts.trend_words(board) == (
        "MRR rose: from $193.00 at the start to $200.00 at the end of "
        "18 \u2013 24 Nov 2026."
    )
    assert "New MRR +$7.00" in charts.waterfall_words(board)
    assert "Net Revenue $63.00" in charts.revenue_words(board)


def test_the_table_of_the_days(make_board: MakeBoard) -> None:
    """Newest first; today is marked, and days before the history say so."""
    lines = tables.day_lines(make_board("last_month"))
    assert (lines[0].day, lines[-1].day, len(lines)) == (
        "2026-10-31",
        "2026-10-01",
        31,
    )
    assert lines[0].revenue == ("$9.00", "1", "1", "$1.00", "0", "0")
    assert (lines[-1].snapshot, lines[-1].note) == ("—", "before the history begins")
    today = tables.day_lines(make_board())[0]
    assert (today.words, today.note) == ("Tue 24 Nov", "today so far")


def test_from_start_to_end(make_board: MakeBoard) -> None:
    """MRR at the start, what moved it, and MRR at the end."""
    lines = [(one.label, one.value) for one in tables.steps(make_board())]
    assert lines == [
        ("MRR at the start", "$193.00"),
        ("New MRR", "+$7.00"),
        ("Expansion MRR", "$0.00"),
        ("Contraction MRR", "$0.00"),
        ("Churned MRR", "$0.00"),
        ("Net MRR Movement", "+$7.00"),
        ("MRR at the end", "$200.00"),
    ]


def test_plans_are_measured_by_the_dearest(
    make_board: MakeBoard, connect: Connect
) -> None:
    """The bar of the dearest plan is full; a plan in other money says how much."""
    stored = [
        StoredPlan(Price("p1", None, "Pro", "year", 1), "usd", 300, 300, 3),
        StoredPlan(Price("p2", None, "Go", "month", 3), "eur", 90, 100, 1),
    ]
    snapshot = figures.Snapshot(
        *(TODAY, "usd", 400, 4, 0, 0, 0, 0, 0, {}, {}),
        complete=True,
        reason=None,
        as_of=NOW,
    )
    found = plans.plans_of(connect(), snapshot, stored, {})
    lines = tables.plan_lines(make_board(plans=found))
    assert [(one.name, one.detail, one.mrr, one.share, one.width) for one in lines] == [
        ("Pro", "per year", "$3.00", "75.0%", 100),
        ("Go", "every 3 months · €0.90", "$1.00", "25.0%", 33),
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "auth_failed"}, "AUTH_FAILED — The key is expired"),
        ({"permissions": {"events": "missing"}}, "Events → Read (no MRR movements"),
        ({"flags": ("quarantine",)}, "could not be read"),
        ({"flags": ("drift",)}, "second reading of closed days differed"),
        ({"flags": ("partial",)}, "not complete yet"),
        (
            {"flags": ("stale",), "last_collected_at": NOW - timedelta(hours=30)},
            "Last collected 30 h ago",
        ),
        ({"last_error": LastError("PROVIDER_UNAVAILABLE", "slow")}, "slow"),
    ],
)
def test_states_are_said(
    make_board: MakeBoard, changes: dict[str, Any], words: str
) -> None:
    """Each state has one notice; a board without any has none."""
    assert states.notices(make_board()) == []
    [notice] = states.notices(with_row(make_board(), **changes))
    assert words in notice.text


def test_progress_is_said() -> None:
    """The stage, how much of how much, and the time that is left where it is known."""
    assert states.progress_words(Progress("queued", 0, 0, None)) == (
        "Waiting for its turn…"
    )
    assert states.progress_words(Progress("balance_transactions", 3, 9, 4)) == (
        "Balance transactions: 3 of 9, about 4 s left"
    )


def test_differences_have_their_figures(make_board: MakeBoard) -> None:
    """Each reason to differ from Stripe stands with the amount that is stored."""
    found = {one.subject: one.amount for one in compare.differences(make_board())}
    assert found["Usage"] == "$5.00"
    assert found["Past due"] == "$3.00"
    assert found["Trials"] == "$7.00"
    assert found["Set to cancel"] == "$10.00"
    assert found["Unconverted"] == "none"
    assert found["Time zone"] == "UTC"


def test_rates_without_history_say_why(make_board: MakeBoard) -> None:
    """A rate that is not known is "—" with the reason, never zero."""
    found = {one.label: one for one in cards.ratios(make_board())}
    assert found["ARR"].value == "$2,400.00"
    assert found["ARPA"].value == "$5.00"
    assert found["Customer churn"].value == "—"
    assert found["Customer churn"].note
