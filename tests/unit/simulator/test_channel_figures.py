"""What the two providers make of a business, against sums by hand and the ledger."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from opseer_simulator.channels.days import Days
from opseer_simulator.channels.rates import Rates
from opseer_simulator.polar.figures import FIGURES, Bucket, Chosen, buckets_of
from opseer_simulator.polar.shop import Buyer, Item, Shop, Subscription
from opseer_simulator.polar.truth import count_truth as count_polar
from opseer_simulator.polar.world import World as PolarWorld
from opseer_simulator.revenuecat.app import (
    ANNUAL,
    DIRECT,
    LIFETIME,
    MONTHLY,
    TRIAL,
    WEEKLY,
    App,
)
from opseer_simulator.revenuecat.charts import period_starts
from opseer_simulator.revenuecat.figures import Figures, Period, Question
from opseer_simulator.revenuecat.truth import Asked
from opseer_simulator.revenuecat.truth import count_truth as count_revenuecat
from opseer_simulator.revenuecat.world import World as RevenueCatWorld
from opseer_simulator.simulation import Simulation
from opseer_simulator.timeline import DAY, HOUR

FIRST = date(2026, 3, 1)
OPENED = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
PAID = {"paid": 1}
WINDOW = (date(2026, 8, 26), date(2026, 11, 24))
PRO = Item("pro", "Pro", {"usd": 1900, "eur": 1800}, "month")
BOOK = Item("book", "Book", {"usd": 1000, "eur": 900})
ADA = Buyer("ada", OPENED, "Ada", "ada@example.com", "usd")
EVA = Buyer("eva", OPENED, "Eva", "eva@example.com", "eur")


def days_of(app: App, last: int, **question: bool | str) -> list[Period]:
    """Return an app's days from the first to day `last` (counted from 0)."""
    app.live_until(OPENED + last * DAY + 23 * HOUR)
    starts = period_starts(FIRST, FIRST.replace(day=last + 1), "day")
    asked = Question(**question)  # type: ignore[arg-type]
    return Figures.of(app.purchases, asked, app.lived_until, app.rates).periods(starts)


def shop_days(shop: Shop, last: int) -> list[Bucket]:
    """Return a shop's UTC days from the first to day `last` (counted from 0)."""
    now = OPENED + last * DAY + 23 * HOUR
    shop.live_until(now)
    edges = list(range(OPENED, OPENED + (last + 2) * DAY, DAY))
    return buckets_of(shop, edges, Chosen(), now)


def value(slug: str, bucket: Bucket) -> Fraction | int:
    """Return a slug's figure of a bucket."""
    return FIGURES[slug][1](bucket)


def test_a_week_counts_four_times_and_a_year_a_twelfth() -> None:
    """RevenueCat's MRR: 4 x 2.99 + 9.99 + 59.99 / 12, in cents."""
    app = App(1, OPENED, 1, PAID)
    for product in (WEEKLY, MONTHLY, ANNUAL):
        app.subscribe(OPENED, "ada", product, "usd", DIRECT)
    assert days_of(app, 0)[0].mrr == 4 * 299 + 999 + Fraction(5999, 12)


def test_a_refund_stands_on_its_own_day_in_v3_and_on_the_purchase_in_v2() -> None:
    """14,999 on day 0 and given back on day 2; transactions stay."""
    app = App(1, OPENED, 1, PAID)
    app.buy_once(OPENED, "ada", LIFETIME, "usd")
    bought = app.last_purchase()
    app.plan(OPENED + 2 * DAY, lambda at: app.refund(at, bought))
    v3 = days_of(app, 2)
    assert [day.flow.revenue for day in v3] == [14_999, 0, -14_999]
    assert [day.flow.transactions for day in v3] == [1, 0, 0]
    v2 = days_of(app, 2, realtime=False)
    assert [day.flow.revenue for day in v2] == [0, 0, 0]


def test_a_change_of_product_counts_as_new_and_as_churned_in_v3() -> None:
    """One ends and one begins; v2 counts neither."""
    app = App(1, OPENED, 1, PAID)
    member = app.subscribe(OPENED, "ada", MONTHLY, "usd", DIRECT)
    app.plan(OPENED + DAY, lambda at: app.change(at, member, ANNUAL))
    for realtime, count in ((True, 1), (False, 0)):
        changed = days_of(app, 1, realtime=realtime)[1]
        assert (changed.flow.new, changed.flow.churned) == (count, count)
        assert changed.actives == 1
        assert changed.mrr == Fraction(5999, 12)


def test_who_comes_back_makes_churn_negative() -> None:
    """Ended on day 7, back on day 9."""
    app = App(1, OPENED, 1, PAID)
    member = app.subscribe(OPENED, "ada", WEEKLY, "usd", DIRECT)
    app.stop_renewal(member)
    app.plan(OPENED + 9 * DAY, lambda at: app.come_back(at, member))
    days = days_of(app, 9)
    assert [d.flow.churned for d in days] == [0] * 7 + [1, 0, -1]
    assert [d.flow.churned_mrr for d in days][-3:] == [1196, 0, -1196]
    assert [d.flow.new for d in days] == [1] + [0] * 9


def test_a_trial_counts_from_its_conversion_on() -> None:
    """No MRR and no new subscription for seven days, then both."""
    app = App(1, OPENED, 1, PAID)
    app.subscribe(OPENED, "ada", MONTHLY, "usd", TRIAL)
    days = days_of(app, 7)
    assert [d.mrr for d in days] == [0] * 7 + [999]
    assert [d.flow.new for d in days] == [0] * 7 + [1]
    assert [d.trials for d in days] == [1] * 7 + [0]


def test_a_renewal_paid_late_is_gone_meanwhile() -> None:
    """It ends at its expiry and comes back when it is paid, within a week."""
    app = App(1, OPENED, 1, {"late": 1})
    app.subscribe(OPENED, "ada", WEEKLY, "usd", DIRECT)
    churned = [d.flow.churned for d in days_of(app, 13)]
    assert churned[7] == 1
    assert sorted(churned[8:])[:2] == [-1, 0]


def test_other_currencies_are_worth_what_they_were_when_bought() -> None:
    """A yen purchase in dollars, and all of it in euros, at the rates of the moment."""
    app = App(1, OPENED, 1, PAID)
    app.buy_once(OPENED, "jun", LIFETIME, "jpy")
    usd = 22_000 * Rates(1).at("jpy", OPENED)
    assert days_of(app, 0)[0].flow.revenue == usd
    in_euros = days_of(app, 0, currency="eur")[0].flow.revenue
    assert in_euros == usd / Rates(1).at("eur", OPENED)


def test_polar_books_a_refund_back_to_its_order() -> None:
    """Revenue stays 1,000; net revenue is less the fee (80) and the refund."""
    shop = Shop(1, OPENED, 1, PAID)
    order = shop.buy(OPENED, ADA, BOOK)

    def give_back(at: int) -> None:
        refund = shop.give_back(at, order, 400, "other")
        assert refund is not None
        shop.settle(at, refund, succeeded=True)

    shop.plan(OPENED + DAY, give_back)
    days = shop_days(shop, 1)
    assert [value("revenue", day) for day in days] == [1000, 0]
    assert [value("net_revenue", day) for day in days] == [520, 0]
    truth = count_polar(
        shop.ledger, "UTC", (FIRST, FIRST.replace(day=2)), shop.lived_until, shop.rates
    )
    assert [day.revenue for day in truth.days] == [1000, -400]


def _trial(shop: Shop) -> Subscription:
    return shop.subscribe(OPENED, ADA, PRO, trial=True, discounted=False)


def test_polar_counts_trials_as_new_and_as_churned() -> None:
    """Asked to end on day 1, ended after 14 days; never any MRR."""
    shop = Shop(1, OPENED, 1, PAID)
    sub = _trial(shop)
    shop.plan(OPENED + DAY, lambda at: shop.cancel_at_end(at, sub, "unused"))
    days = shop_days(shop, 14)
    assert [value("new_subscriptions", d) for d in days] == [1] + [0] * 14
    assert [value("churned_subscriptions", d) for d in days] == [0] * 14 + [1]
    assert [value("canceled_subscriptions", d) for d in days] == [0, 1] + [0] * 13
    assert {value("monthly_recurring_revenue", d) for d in days} == {0}
    trial = "trial_monthly_recurring_revenue"
    assert [value(trial, d) for d in days] == [1900] * 14 + [0]


def test_polars_committed_mrr_leaves_out_who_asked_to_end() -> None:
    """A fifth off for ever: 1,520 a month, committed until the wish to end."""
    shop = Shop(1, OPENED, 1, PAID)
    sub = shop.subscribe(OPENED, ADA, PRO, trial=False, discounted=True)
    shop.plan(OPENED + DAY, lambda at: shop.cancel_at_end(at, sub, "unused"))
    days = shop_days(shop, 1)
    assert [value("monthly_recurring_revenue", d) for d in days] == [1520, 1520]
    committed = "committed_monthly_recurring_revenue"
    assert [value(committed, d) for d in days] == [1520, 0]


def test_polar_converts_mrr_at_the_periods_own_payments() -> None:
    """With a payment in euros its rate, without one that of the day nearest by."""
    shop = Shop(1, OPENED, 1, PAID)
    shop.subscribe(OPENED + 7 * HOUR, EVA, PRO, trial=False, discounted=False)
    mrr = [value("monthly_recurring_revenue", d) for d in shop_days(shop, 1)]
    own = Rates(1).at("eur", OPENED + 7 * HOUR)
    day = Rates(1).of_day("eur", OPENED + DAY)
    assert mrr == [round(1800 * own), round(1800 * day)]


def test_a_late_payment_counts_on_the_day_of_its_order() -> None:
    """Nothing until it is paid, then an earlier day has it."""
    shop = Shop(1, OPENED, 1, {"late": 1})
    week = Item("week", "Sprint", {"usd": 700}, "week")
    shop.subscribe(OPENED, ADA, week, trial=False, discounted=False)
    shop.live_until(OPENED + 7 * DAY)
    assert shop.orders[-1].paid_at is None
    assert value("revenue", shop_days(shop, 12)[7]) == 700


def revenuecat_rows(world: RevenueCatWorld, currency: str) -> list[tuple[int, ...]]:
    """Return the days of the window as RevenueCat's figures have them."""
    project = world.projects[0]
    figures = Figures.of(
        world.purchases(project), Question(currency), world.now(), project.rates
    )
    return [
        (
            *(round(day.mrr), day.actives, round(day.flow.revenue)),
            *(day.flow.transactions, day.flow.new, day.flow.churned),
            *(round(day.flow.new_mrr), round(day.flow.churned_mrr), day.complete),
            *(day.flow.lapsed, day.flow.back, round(day.flow.back_mrr)),
            *(round(day.flow.lapsed_mrr), round(day.flow.expansion)),
            *(round(day.flow.contraction), day.flow.trials_new),
        )
        for day in figures.periods(period_starts(*WINDOW, "day"))
    ]


@pytest.mark.parametrize("stripe", [False, True])
@pytest.mark.parametrize("currency", ["usd", "eur", "jpy"])
def test_revenuecats_figures_are_the_ledgers(
    simulation: Simulation, currency: str, *, stripe: bool
) -> None:
    """91 days of a company by chance, in three currencies, with and without Stripe."""
    world = RevenueCatWorld(simulation)
    world.sells_on_stripe = stripe
    project = world.projects[0]
    asked = Asked(*WINDOW, currency, world.places(project))
    truth = count_revenuecat(world.ledger(project), asked, project.rates, world.now())
    assert len({place.place for place in world.purchases(project)}) == 1 + stripe
    assert revenuecat_rows(world, currency) == [
        (
            *(day.mrr, day.active_subscriptions, day.revenue, day.orders),
            *(day.new_subs, day.churned, day.mrr_new, day.mrr_churned, day.complete),
            *(day.ended, day.back, day.mrr_back, day.mrr_ended),
            *(day.mrr_expansion, day.mrr_contraction, day.trials_began),
        )
        for day in truth.days
    ]
    assert sum(day.refunds_count for day in truth.days)
    for day in truth.days:
        assert abs(day.sales_amount - day.refunds_amount - day.revenue) <= 1


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_polars_figures_are_the_ledgers(simulation: Simulation, zone: str) -> None:
    """91 days of a company by chance, in days of three zones."""
    shop = PolarWorld(simulation, sandbox=False).shop()
    days = Days(ZoneInfo(zone))
    now = simulation.now()
    edges = [days.start(WINDOW[0])]
    while len(edges) < 92:
        edges.append(days.end(days.of(edges[-1])))
    buckets = buckets_of(shop, edges, Chosen(), now)
    slugs = (
        *("monthly_recurring_revenue", "active_subscriptions", "revenue"),
        *("net_revenue", "orders", "new_subscriptions", "churned_subscriptions"),
        "committed_monthly_recurring_revenue",
    )
    truth = count_polar(shop.ledger, zone, WINDOW, now, shop.rates)
    assert [[value(slug, b) for slug in slugs] for b in buckets] == [
        [
            *(day.mrr, day.active_subscriptions, day.gross_revenue, day.net_revenue),
            *(day.orders, day.new_subs, day.churned, day.committed_mrr),
        ]
        for day in truth.days
    ]
    assert sum(day.refunds_amount for day in truth.days)
    in_dollars = [d for d in truth.days if not d.refunds_by_currency.get("eur")]
    for day in in_dollars:
        assert day.refunds_by_currency.get("usd", 0) == day.refunds_amount
