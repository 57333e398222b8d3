"""Events in the shapes of older and newer API versions.

An event is rendered in the version the account had when it happened, whatever version
a request asks for. Five shapes of a subscription (source: Stripe's changelog): the plan
at the top (2015), items with plans (2017 to 2019), items with prices, periods on the
items (basil), coupons behind a discount's `source` (clover). What an old version has no
place for (several items, discounts on items, several discounts) is shown in the oldest
shape that has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opseer_simulator.objects import Json

BASIL = "2025-08-27.basil"
CLOVER = "2025-09-30.clover"

VERSIONS = ("2015-10-16", "2019-05-16", "2024-06-20", BASIL, CLOVER)
"""The account versions whose events can be shown, oldest first."""

Resolve = Callable[[str], Json | None]
"""Returns a discount by its id."""

_BASIL_ONLY = ("billing_mode", "billing_schedules", "customer_account")
_PRICES_ONLY = (
    *("billing_cycle_anchor_config", "cancellation_details"),
    *("currency", "description", "invoice_settings", "managed_payments"),
    *("on_behalf_of", "pause_collection", "payment_settings", "test_clock"),
    "trial_settings",
)
_PLANS_ONLY = (
    *("billing_cycle_anchor", "billing_thresholds", "cancel_at", "collection_method"),
    *("created", "days_until_due", "default_payment_method", "default_source"),
    *("default_tax_rates", "items", "latest_invoice", "livemode", "schedule"),
    *("next_pending_invoice_item_invoice", "pending_invoice_item_interval"),
    *("pending_setup_intent", "pending_update", "start_date", "transfer_data"),
)


def version_for(version: str, *states: Json) -> str:
    """Return the version all of some subscription states can be shown in."""
    oldest = max((_oldest(state) for state in states), default=0)
    return VERSIONS[max(VERSIONS.index(version), oldest)]


def _oldest(state: Json) -> int:
    """Return the place in VERSIONS of the oldest that has room for a state."""
    if state.get("object") != "subscription":
        return 0
    items = state["items"]["data"]
    if any(item["discounts"] for item in items) or len(state["discounts"]) > 1:
        return 2
    if state["pause_collection"] is not None or state["status"] == "paused":
        return 2
    return 1 if len(items) > 1 or _is_new(items[0]["plan"]) else 0


def _is_new(plan: Json) -> bool:
    """Return whether a plan is of a kind that 2015 did not have."""
    metered: bool = plan["usage_type"] == "metered"
    tiered: bool = plan["billing_scheme"] == "tiered"
    return metered or tiered or plan["transform_usage"] is not None


def shaped(state: Json, version: str, resolve: Resolve) -> Json:
    """Return an object as a version shows it; `state` is as basil shows it."""
    match state.get("object"):
        case "subscription":
            return _subscription(state, VERSIONS.index(version), resolve)
        case "discount" if version == CLOVER:
            return _behind_source(state)
        case "customer" if version == CLOVER and state["discount"]:
            return state | {"discount": _behind_source(state["discount"])}
        case _:
            return state


def _behind_source(discount: Json) -> Json:
    """Return a discount whose coupon is an id behind `source`."""
    rest = {key: value for key, value in discount.items() if key != "coupon"}
    return rest | {"source": {"coupon": discount["coupon"]["id"], "type": "coupon"}}


def _subscription(state: Json, place: int, resolve: Resolve) -> Json:
    if place >= VERSIONS.index(BASIL):
        return state
    first = state["items"]["data"][0]
    ids = state["discounts"]
    old = _without(state, _BASIL_ONLY) | {
        "current_period_end": first["current_period_end"],
        "current_period_start": first["current_period_start"],
        "discount": resolve(ids[0]) if ids else None,
        "items": state["items"]
        | {"data": [_item(item, place) for item in state["items"]["data"]]},
    }
    if place < 2:  # noqa: PLR2004 - before prices
        old = _without(old, (*_PRICES_ONLY, "discounts")) | {
            "billing": "charge_automatically",
            "start": state["created"],
            "tax_percent": None,
        }
        old["plan"] = None if old["plan"] is None else _old_plan(old["plan"])
    if place == 0:
        old = _without(old, (*_PLANS_ONLY, "billing"))
    return old


def _item(item: Json, place: int) -> Json:
    """Return an item: without periods of its own and, before 2020, without a price."""
    old = _without(item, ("current_period_end", "current_period_start"))
    if place == 1:
        old = _without(old, ("price", "discounts", "tax_rates"))
        old["plan"] = _old_plan(old["plan"])
    return old


def _old_plan(plan: Json) -> Json:
    return _without(plan, ("amount_decimal", "meter")) | _exact(plan)


def _exact(plan: Json) -> Json:
    """Return the decimal amount where a plan has no whole one."""
    if plan["amount"] is not None or plan["amount_decimal"] is None:
        return {}
    return {"amount_decimal": plan["amount_decimal"]}


def _without(values: Json, names: tuple[str, ...]) -> Json:
    return {key: value for key, value in values.items() if key not in names}


def previous_attributes(before: Json, after: Json) -> dict[str, Any]:
    """Return what changed as it was: objects in part, arrays whole."""
    changed: Json = {}
    for key in {**after, **before}:
        was, now = before.get(key), after.get(key)
        if was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            changed[key] = previous_attributes(was, now)
        else:
            changed[key] = was
    return changed
