"""RevenueCat collected from the made-up app, held against the app's own ledger."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.servers.channels.conftest import ChannelCollector, Company

pytestmark = pytest.mark.asyncio(loop_scope="module")

TODAY = date(2026, 11, 24)
CLOSED = [TODAY - timedelta(days=back) for back in range(90, 0, -1)]
ASKED = {"from": "2026-08-26", "to": "2026-11-24"}
FIGURES = {
    "mrr": "mrr",
    "net_revenue": "revenue",
    "orders": "orders",
    "new_subs": "new_subs",
    "churned_subs": "churned",
    "new_mrr": "mrr_new",
}
CHARTS = ("revenue", "mrr", "mrr_movement", "actives_movement")


def closed(figures: dict[date, Any], name: str) -> list[int | None]:
    """Return a figure of each closed day; all of them are complete."""
    rows = [figures[day][name] for day in CLOSED]
    assert {row["reason"] for row in rows} == {None}, name
    return [row["value"] for row in rows]


def told(truth: dict[date, Any], name: str) -> list[int]:
    """Return what the ledger says of each closed day."""
    return [truth[day][name] for day in CLOSED]


async def test_ninety_days(collector: ChannelCollector, company: Company) -> None:
    """Rule: each closed day of 90 has the app's own figures; four charts fill them."""
    made = await collector.collect("revenuecat")
    calls = await company.calls("revenuecat")
    truth = await company.truth("revenuecat", **ASKED)
    figures = await collector.figures(made)
    for ours, theirs in FIGURES.items():
        assert closed(figures, ours) == told(truth, theirs), ours
    lost = [-value for value in closed(figures, "churned_mrr") if value is not None]
    assert lost == told(truth, "mrr_churned")
    assert any(value < 0 for value in told(truth, "churned"))  # came back
    asked = {path.rpartition("/charts/")[2]: n for path, n in calls.items()}
    assert {name: asked[name] for name in CHARTS[1:]} == dict.fromkeys(CHARTS[1:], 1)
    assert asked["revenue"] == 2  # the second looks for sales of Stripe
    today = figures[TODAY]
    assert {row["reason"] for row in today.values()} == {"ARRIVES_TOMORROW"}
    for name in ("mrr", "active_subscriptions"):
        assert today[name]["value"] == truth[TODAY][name]


@pytest.mark.deep
async def test_older_charts(collector: ChannelCollector, company: Company) -> None:
    """Rule: a row per period in milliseconds says the same, and that it is older."""
    await company.control("revenuecat/shape", {"rows": "v2", "unit": "ms"})
    made = await collector.collect("revenuecat")
    truth = await company.truth("revenuecat", **ASKED)
    figures = await collector.figures(made)
    for name in ("mrr", "orders"):  # refunds and changes of product stand elsewhere
        assert closed(figures, name) == told(truth, name)
    assert (await collector.connection(made))["notices"] == ["charts_v2"]


@pytest.mark.deep
async def test_movements_told_apart(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: a chart that counts who came back apart adds up to the same MRR."""
    await company.control("revenuecat/shape", {"movements": "apart"})
    made = await collector.collect("revenuecat")
    figures = await collector.figures(made)
    truth = await company.truth("revenuecat", **ASKED)
    parts = ("new_mrr", "resubscription_mrr", "expansion_mrr", "contraction_mrr")
    moved = [
        sum(figures[day][name]["value"] for name in (*parts, "churned_mrr"))
        for day in CLOSED
    ]
    assert all(value <= 0 for value in closed(figures, "churned_mrr") if value)
    net = zip(told(truth, "mrr_new"), told(truth, "mrr_churned"), strict=True)
    assert all(
        abs(one - (new - lost)) <= 3  # each part is rounded
        for one, (new, lost) in zip(moved, net, strict=True)
    )


async def test_another_currency(collector: ChannelCollector, company: Company) -> None:
    """Rule: money comes in the chosen currency, one without decimals too."""
    made = await collector.connect("revenuecat")
    await collector.choose(made, {}, currency="jpy")
    assert await collector.drive_all() == 1
    truth = await company.truth("revenuecat", currency="JPY", **ASKED)
    figures = await collector.figures(made)
    for name, theirs in (("mrr", "mrr"), ("net_revenue", "revenue")):
        assert closed(figures, name) == told(truth, theirs)
        assert figures[TODAY][name]["currency"] == "jpy"


@pytest.mark.deep
async def test_a_currency_that_is_not_offered(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: where RevenueCat has no such currency, money is in dollars and says so."""
    made = await collector.connect("revenuecat")
    await collector.choose(made, {}, currency="kwd")
    assert await collector.drive_all() == 1
    truth = await company.truth("revenuecat", **ASKED)
    assert closed(await collector.figures(made), "mrr") == told(truth, "mrr")
    assert (await collector.connection(made))["settlement_currency"] == "usd"


async def test_projects_are_summed_or_chosen(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: every project is in the sum, or the chosen one alone."""
    await company.control("revenuecat/projects", {"count": 2})
    state = await company.state("revenuecat")
    first, second = state["projects"]
    truths = [
        await company.truth("revenuecat", project=project, **ASKED)
        for project in (first, second)
    ]
    made = await collector.collect("revenuecat")
    both = [
        sum(pair) for pair in zip(*(told(t, "orders") for t in truths), strict=True)
    ]
    assert closed(await collector.figures(made), "orders") == both
    projects = [{"id": first, "name": "a"}, {"id": second, "name": "b"}]
    await collector.choose(made, {"projects": projects, "chosen": [second]})
    await collector.ask(made, "recompute")
    orders = closed(await collector.figures(made), "orders")
    assert orders == told(truths[1], "orders")


async def test_sales_of_stripe_are_noticed_and_left_out(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: sales that came through Stripe are noticed; the filter leaves them out."""
    await company.control("revenuecat/stores", {"stripe": True})
    made = await collector.collect("revenuecat")
    assert (await collector.connection(made))["notices"] == ["stripe_store"]
    everything = await company.truth("revenuecat", **ASKED)
    app = await company.truth("revenuecat", stores="app_store", **ASKED)
    assert told(everything, "revenue") != told(app, "revenue")
    with_stripe = closed(await collector.figures(made), "net_revenue")
    assert with_stripe == told(everything, "revenue")
    await collector.choose(made, {"excluded_stores": ["stripe"]})
    await collector.ask(made, "recompute")
    figures = await collector.figures(made)
    for ours, theirs in FIGURES.items():
        assert closed(figures, ours) == told(app, theirs), ours
    # The overview counts every store's: that is no figure of those that are left.
    assert figures[TODAY]["active_subscriptions"]["value"] is None
    assert (await collector.connection(made))["notices"] == []


async def test_five_calls_a_minute(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: the limit is read from the headers, and nothing is refused for it."""
    limits = {"domains": {"charts_metrics": 5}, "window_seconds": 0.6}
    await company.control("revenuecat/limits", limits)
    made = await collector.collect("revenuecat")
    assert closed(await collector.figures(made), "mrr")
    assert (await collector.connection(made))["flags"] == set()
    calls = await company.calls("revenuecat")
    assert sum(n for p, n in calls.items() if "/charts/" in p or "/metrics/" in p) == 6
    assert 30 < sum(collector.waits) < 70


async def test_without_charts_there_is_now(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: a key that may not read charts still tells MRR and subscriptions of now."""
    await company.control(
        "revenuecat/permissions", {"missing": ["charts_metrics:charts:read"]}
    )
    made = await collector.collect("revenuecat")
    row = await collector.connection(made)
    assert (row["state"], row["flags"]) == ("connected", {"permission"})
    assert row["permissions"] == {
        "projects": "ok",
        "charts": "missing",
        "overview": "ok",
    }
    figures = await collector.figures(made)
    truth = await company.truth("revenuecat", **ASKED)
    assert figures[TODAY]["mrr"]["value"] == truth[TODAY]["mrr"]
    reasons = {figures[day][name]["reason"] for day in CLOSED for name in FIGURES}
    values = {figures[day][name]["value"] for day in CLOSED for name in FIGURES}
    assert (reasons, values) == ({"CHARTS_PERMISSION"}, {None})


@pytest.mark.deep
async def test_without_the_overview(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: a key that may not read the overview has every day all the same."""
    await company.control(
        "revenuecat/permissions", {"missing": ["charts_metrics:overview:read"]}
    )
    made = await collector.collect("revenuecat")
    figures = await collector.figures(made)
    truth = await company.truth("revenuecat", **ASKED)
    assert closed(figures, "mrr") == told(truth, "mrr")
    active = figures[TODAY]["active_subscriptions"]
    assert (active["value"], active["reason"]) == (None, "OVERVIEW_PERMISSION")


async def test_a_chart_that_stays_unreadable(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: one chart that cannot be read is marked; the others are right."""
    fault = {"kind": "truncated", "count": 6, "path": "/charts/mrr_movement"}
    await company.control("revenuecat/faults", fault)
    made = await collector.collect("revenuecat")
    assert (await collector.connection(made))["flags"] == {"partial", "quarantine"}
    figures = await collector.figures(made)
    truth = await company.truth("revenuecat", **ASKED)
    assert closed(figures, "orders") == told(truth, "orders")
    assert {figures[day]["new_mrr"]["reason"] for day in CLOSED} == {"QUARANTINE"}
    assert {figures[day]["new_mrr"]["value"] for day in CLOSED} == {None}
    await collector.ask(made, "refresh")
    figures = await collector.figures(made)
    assert closed(figures, "new_mrr") == told(truth, "mrr_new")
    assert (await collector.connection(made))["flags"] == set()


async def test_an_overview_that_does_not_come(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: days that were read are not held up by an overview that fails."""
    fault = {"kind": "server_error", "count": 6, "path": "/metrics/overview"}
    await company.control("revenuecat/faults", fault)
    made = await collector.collect("revenuecat")
    row = await collector.connection(made)
    assert (row["state"], row["flags"]) == ("connected", {"partial", "quarantine"})
    figures = await collector.figures(made)
    truth = await company.truth("revenuecat", **ASKED)
    assert closed(figures, "mrr") == told(truth, "mrr")
    assert figures[TODAY]["active_subscriptions"]["reason"] == "QUARANTINE"


async def test_what_passes_is_tried_again(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: 429, 423, 5xx, half a body and a page of HTML change no figure."""
    for fault in (
        {"kind": "rate_limited", "seconds": 1, "path": "/charts/revenue"},
        {"kind": "locked", "path": "/charts/mrr"},
        {"kind": "server_error", "status": 503, "path": "/charts/actives_movement"},
        {"kind": "truncated", "path": "/charts/mrr_movement"},
        {"kind": "html", "path": "/metrics/overview"},
        {"kind": "server_error", "status": 500, "path": "/v2/projects"},
    ):
        await company.control("revenuecat/faults", fault)
    made = await collector.collect("revenuecat")
    truth = await company.truth("revenuecat", **ASKED)
    figures = await collector.figures(made)
    for ours, theirs in FIGURES.items():
        assert closed(figures, ours) == told(truth, theirs), ours
    assert (await collector.connection(made))["flags"] == set()


async def test_a_revoked_key(collector: ChannelCollector, company: Company) -> None:
    """Rule: a refused key ends the collecting; figures stay and nobody is called."""
    made = await collector.collect("revenuecat")
    before = await collector.values(made, "mrr")
    await company.control("revenuecat/key", {"state": "revoked"})
    await collector.ask(made, "refresh")
    row = await collector.connection(made)
    assert (row["state"], row["last_error_code"]) == ("auth_failed", "AUTH_FAILED")
    await company.calls("revenuecat")
    await collector.choose(made, {}, currency="eur")
    await collector.ask(made, "recompute")
    assert await company.calls("revenuecat") == {}
    assert await collector.values(made, "mrr") == before
    assert (await collector.connection(made))["state"] == "auth_failed"


async def test_a_run_that_broke_off(
    collector: ChannelCollector, company: Company
) -> None:
    """Rule: whoever goes on reads what is missing, and publishes all at once."""
    fault = {"kind": "server_error", "status": 500, "count": 6, "path": "_movement"}
    await company.control("revenuecat/faults", fault)
    made = await collector.collect("revenuecat")
    row = await collector.connection(made)
    assert (row["state"], row["last_error_code"]) == (
        "collecting",
        "PROVIDER_UNAVAILABLE",
    )
    assert await collector.figures(made) == {}
    await company.calls("revenuecat")
    company.now += timedelta(seconds=61)
    assert await collector.drive_all() == 1
    asked = {p.rpartition("/charts/")[2] for p in await company.calls("revenuecat")}
    assert "mrr" not in asked
    figures = await collector.figures(made)
    truth = await company.truth("revenuecat", **ASKED)
    for ours, theirs in FIGURES.items():
        assert closed(figures, ours) == told(truth, theirs), ours
    assert (await collector.connection(made))["last_error_code"] is None
