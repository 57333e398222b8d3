"""The integration's row, put together from what two services know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec import structs

from opseer_common.contracts import Source
from opseer_common.errors import RefusedError
from opseer_gateway.domain.integrations import (
    Collecting,
    Connection,
    Known,
    Policy,
    Progress,
    Run,
    check_fits,
    describe,
    report_zone,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ASKED, DAILY = UUID(int=1), UUID(int=2)
CONNECTION = Connection(
    source="stripe",
    connection_id=UUID(int=9),
    run_id=ASKED,
    run_kind="first",
    key_hint="rk_live_…AAAA",
    environment="live",
    livemode=True,
    timezone="Asia/Seoul",
    policy=Policy(),
    settlement_currency=None,
    connected_at=NOW,
)
COLLECTING = Collecting(
    state="connected",
    flags=("partial",),
    settlement_currency="usd",
    permissions={"events": "missing", "balance": "ok"},
    last_collected_at=NOW,
    next_run_at=NOW + timedelta(hours=12),
    last_error_code=None,
    last_error_detail=None,
)


def run(run_id: UUID, state: str, **other: Any) -> Run:
    """Return a run that is 3 of 9 steps far and began 30 s ago."""
    values: dict[str, Any] = {
        "kind": "first",
        "stage": "charges",
        "done": 3,
        "total": 9,
        "started_at": NOW - timedelta(seconds=30),
    }
    return Run(run_id=run_id, state=state, **(values | other))


def known(*runs: Run, collecting: Collecting | None = COLLECTING) -> Known:
    """Return what is stored about a connected source."""
    return Known("stripe", CONNECTION, collecting, runs)


def test_never_connected() -> None:
    """A source without a connection is disconnected, and everything else is null."""
    row = describe(Known("polar"), NOW)
    assert (row.state, row.progress, row.run_id, row.timezone) == (
        "disconnected",
        None,
        None,
        None,
    )


def test_collector_has_not_heard_yet() -> None:
    """A connection that the collector does not know waits in the queue."""
    row = describe(known(collecting=None), NOW)
    assert (row.state, row.progress) == ("collecting", Progress("queued", 0, 0, None))
    assert row.run_id == ASKED


def test_run_is_over() -> None:
    """Progress is null when no run is open; the row names the run asked for last."""
    row = describe(known(run(ASKED, "done")), NOW)
    assert (row.state, row.progress, row.run_id) == ("connected", None, ASKED)
    assert row.flags == ("partial",)


def test_figures_follow_the_run() -> None:
    """A run is not over before MRR and report follow from it."""
    behind = structs.replace(COLLECTING, derived_after=NOW - timedelta(seconds=2))
    row = describe(known(run(ASKED, "done"), collecting=behind), NOW)
    assert row.progress == Progress("computing", 9, 9, 0)


def test_a_service_that_is_down_is_not_waited_for() -> None:
    """After a minute the figures speak for themselves."""
    behind = structs.replace(COLLECTING, derived_after=NOW - timedelta(seconds=61))
    row = describe(known(run(ASKED, "done"), collecting=behind), NOW)
    assert row.progress is None


def test_time_left() -> None:
    """Time left: 3 of 9 steps took 30 s, so 6 steps take 60 s."""
    row = describe(known(run(ASKED, "running")), NOW)
    assert row.progress == Progress("charges", 3, 9, 60)


def test_nothing_done_yet() -> None:
    """Nobody knows the time left before a step is done."""
    row = describe(known(run(ASKED, "running", done=0)), NOW)
    assert row.progress == Progress("charges", 0, 9, None)


def test_daily_run_is_shown() -> None:
    """A run that the collector began itself is shown while it is open."""
    row = describe(known(run(DAILY, "running"), run(ASKED, "done")), NOW)
    assert row.run_id == DAILY
    assert row.progress is not None


def test_asked_run_comes_first() -> None:
    """Of two open runs the row speaks of the one that was asked for."""
    row = describe(known(run(DAILY, "running"), run(ASKED, "queued")), NOW)
    assert row.run_id == ASKED


def test_silence_is_stale() -> None:
    """A connection that was not collected for 26 hours is flagged, not changed."""
    row = describe(known(run(ASKED, "done")), NOW + timedelta(hours=27))
    assert (row.state, row.flags) == ("connected", ("partial", "stale"))


def test_error_in_words() -> None:
    """The collector's last error is shown with code and detail."""
    failed = msgspec.structs.replace(
        COLLECTING,
        state="auth_failed",
        last_error_code="AUTH_FAILED",
        last_error_detail="expired",
    )
    row = describe(known(run(ASKED, "failed"), collecting=failed), NOW)
    assert row.state == "auth_failed"
    assert row.last_error is not None
    assert (row.last_error.code, row.last_error.detail) == ("AUTH_FAILED", "expired")


def test_permissions() -> None:
    """All 12 permissions are there; what was not seen is unknown."""
    permissions = describe(known(run(ASKED, "done")), NOW).permissions
    assert len(permissions) == 12
    assert permissions["events"] == "missing"
    assert permissions["balance"] == "ok"
    assert permissions["invoices"] == "unknown"


def test_chosen_currency_wins() -> None:
    """The settlement currency is the chosen one, else the observed one."""
    chosen = msgspec.structs.replace(CONNECTION, settlement_currency="eur")
    assert Known("stripe", chosen, COLLECTING).currency == "eur"
    assert known().currency == "usd"


def test_other_mode() -> None:
    """A key of the other mode does not fit; one of the same mode, or alone, does."""
    check_fits("live", CONNECTION, replace=False)
    check_fits("test", None, replace=False)
    check_fits("test", CONNECTION, replace=True)
    with pytest.raises(RefusedError) as refused:
        check_fits("test", CONNECTION, replace=False)
    assert refused.value.code == "MODE_MISMATCH"


def zoned(source: Source, timezone: str) -> Known:
    """Return a connected source of a zone."""
    connection = msgspec.structs.replace(CONNECTION, source=source, timezone=timezone)
    return Known(source, connection)


def test_report_zone() -> None:
    """The report's zone is Stripe's, else the first connected source's, else UTC."""
    polar = zoned("polar", "Europe/Berlin")
    assert report_zone([zoned("stripe", "Asia/Seoul"), polar]) == "Asia/Seoul"
    assert report_zone([Known("stripe"), polar]) == "Europe/Berlin"
    assert report_zone([Known("stripe"), Known("polar")]) == "UTC"
