"""What a founder sees when not all is well: each state has its words on the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pytest
from playwright.sync_api import Page, ViewportSize, expect

REVENUE: Final = "/dashboard/revenue/stripe"
CHANNEL: Final = "/dashboard/integrations/stripe"
SAID: Final = ".title, .notice, .cards, [aria-label=Connection], .permissions"
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESKTOP: Final[ViewportSize] = {"width": 1180, "height": 900}


@dataclass(frozen=True)
class State:
    """What the services stored, and what the revenue and the channel page say of it."""

    revenue: str
    channel: str
    state: str = "connected"
    error: str | None = None
    flags: tuple[str, ...] = ()
    missing: str = ""
    hours: int = 0
    mrr: int | None = 100_000
    subscriptions: int | None = 7
    reason: str | None = None


STATES: Final = {
    "auth_failed": State(
        "AUTH_FAILED — The key is expired or the balance permission is missing.",
        "AUTH_FAILED — The key is expired or the balance permission is missing.",
        state="auth_failed",
        error="It was revoked.",
    ),
    "permission": State(
        "Events → Read (no MRR movements and Yesterday MRR) is missing.",
        "Missing: no Yesterday MRR, no MRR Trend and no MRR Waterfall.",
        missing="events",
    ),
    "partial": State(
        "Some days are not complete yet.",
        "Some days are not complete yet",
        flags=("partial",),
    ),
    "stale": State(
        "Last collected 30 h ago.",
        "The last collection is more than 26 hours old.",
        hours=30,
    ),
    "quarantine": State(
        "Some objects could not be read and are not counted.",
        "Some objects could not be read and are not counted.",
        flags=("quarantine",),
    ),
    "drift": State(
        "A second reading of closed days differed, or the balance did.",
        "A second reading differed, or the balance did",
        flags=("drift",),
    ),
    "mrr_zero": State(
        "No active subscriptions", "12 of 12 read permissions", mrr=0, subscriptions=0
    ),
    "mrr_unknown": State(
        "Subscriptions → Read is missing",
        "Missing: no MRR and no Active Subscriptions.",
        missing="subscriptions",
        mrr=None,
        subscriptions=None,
        reason="SUBSCRIPTIONS_PERMISSION",
    ),
}
MRR: Final = {"mrr_zero": "$0.00", "mrr_unknown": "—"}


@pytest.fixture(scope="module")
def troubled(system: Any) -> Any:
    """Return the owner of an account that each test puts into its state."""
    person = system.sign_up()
    person.connect()
    return person


@pytest.mark.parametrize("name", STATES)
def test_states(open_window: Any, troubled: Any, keep: Any, name: str) -> None:
    """Each state is said in words, on the desktop and the phone, to everyone."""
    state = STATES[name]
    _store(troubled, state)
    visit = open_window(troubled)
    page: Page = visit.page
    for path, words in ((REVENUE, state.revenue), (CHANNEL, state.channel)):
        visit.go(path)
        place = path.split("/")[2]
        expect(page.locator("main")).to_contain_text(words)
        if name in MRR and path == REVENUE:
            expect(page.locator("main")).to_contain_text(MRR[name])
        assert visit.shut_out(part=SAID) == []
        keep(page, f"{name}-{place}-light")
        page.set_viewport_size(PHONE)
        assert visit.too_wide() == []
        keep(page, f"{name}-{place}-phone")
        page.set_viewport_size(DESKTOP)
    assert (visit.complaints, visit.violations()) == ([], [])


def test_estimated_days(open_window: Any, system: Any, keep: Any) -> None:
    """Days that invoices tell stand before the exact ones, and are called estimated."""
    person = system.sign_up()
    person.connect()
    visit = open_window(person)
    visit.go(f"{REVENUE}/history")
    page: Page = visit.page
    page.get_by_role("button", name="Estimate older history from invoices").click()
    plot = page.locator("[data-chart=trend] svg")
    expect(plot).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Estimate again")).to_be_enabled()
    expect(page.get_by_text("exact since")).to_be_visible()
    keep(page, "estimated-history-light")
    page.locator("summary").press("Enter")
    kinds = page.locator("tbody tr td:last-child").all_text_contents()
    assert sorted(set(kinds)) == ["estimated", "exact"]
    assert visit.shut_out() == []
    page.set_viewport_size(PHONE)
    assert visit.too_wide() == []
    keep(page, "estimated-history-phone")
    assert (visit.complaints, visit.violations()) == ([], [])


def _store(person: Any, state: State) -> None:
    """Make the rows of the person's Stripe those of `state`, all of them."""
    person.system.execute(
        """
        WITH mine AS (
            SELECT account_id FROM gateway.app_user WHERE email = $1),
        computed AS (
            UPDATE mrr.computed SET at = now()
            WHERE account_id = (SELECT account_id FROM mine)),
        snapshot AS (
            UPDATE mrr.snapshot
            SET mrr_minor = $6, mrr_stripe_comparable_minor = $6,
                active_subscriptions = $7, reason = $8::text,
                complete = $8::text IS NULL
            WHERE account_id = (SELECT account_id FROM mine)
              AND day = (SELECT max(day) FROM mrr.snapshot
                         WHERE account_id = (SELECT account_id FROM mine)))
        UPDATE collector.connection
        SET state = $2, flags = $3,
            permissions = (
                SELECT jsonb_object_agg(
                    name, CASE name WHEN $4::text THEN 'missing' ELSE 'ok' END)
                FROM jsonb_object_keys(permissions) AS name),
            last_collected_at = now() - make_interval(hours => $5),
            last_error_code = CASE WHEN $9::text IS NOT NULL THEN 'AUTH_FAILED' END,
            last_error_detail = $9
        WHERE account_id = (SELECT account_id FROM mine)
        """,
        person.email,
        state.state,
        list(state.flags),
        state.missing,
        state.hours,
        state.mrr,
        state.subscriptions,
        state.reason,
        state.error,
    )
