"""The slugs of Polar's metrics, their types, and how a total is made of periods."""

from __future__ import annotations

from opseer_simulator.polar.figures import FIGURES
from opseer_simulator.polar.stories import WHY

_NOTHING = {
    "checkouts": "scalar",
    "succeeded_checkouts": "scalar",
    "checkouts_conversion": "percentage",
    "seats_total": "scalar",
    "seats_claimed": "scalar",
    "seats_pending": "scalar",
    "seat_customers": "scalar",
    "new_seat_customers": "scalar",
    "churned_seat_customers": "scalar",
    "average_seats_per_customer": "scalar",
    "seat_utilization_rate": "percentage",
    "costs": "currency_sub_cent",
    "cumulative_costs": "currency_sub_cent",
    "cost_per_user": "currency_sub_cent",
    "active_user_by_event": "scalar",
    "ltv": "currency",
    "gross_margin_percentage": "percentage",
}
TYPES = {
    **{slug: kind for slug, (kind, _) in FIGURES.items()},
    **{f"canceled_subscriptions_{why}": "scalar" for why in WHY},
    **_NOTHING,
}
"""The type of every slug; those of `_NOTHING` are always 0 here."""

LAST = frozenset(
    {
        *("active_subscriptions", "committed_subscriptions"),
        *("monthly_recurring_revenue", "trial_monthly_recurring_revenue"),
        *("committed_monthly_recurring_revenue", "annual_recurring_revenue"),
        *("trial_committed_monthly_recurring_revenue", "average_revenue_per_user"),
        *("committed_annual_recurring_revenue", "churn_rate"),
        *("cumulative_revenue", "net_cumulative_revenue", "gross_margin"),
        *("average_order_value", "net_average_order_value"),
    }
)
"""Slugs whose total is that of the last period."""


def title_of(slug: str) -> str:
    """Return a slug's display name."""
    return slug.replace("_", " ").title()
