"""Products, prices, coupons and discounts as Stripe's API 2025-08-27.basil shows them.

Coupons are inline in a discount; a price's tiers only come when expanded.
"""

from __future__ import annotations

from opseer_simulator.catalogue import Coupon, Plan, Product, Tier
from opseer_simulator.objects import Json
from opseer_simulator.records import Discount


def product(record: Product, default_price: str | None, *, livemode: bool) -> Json:
    """Return a product."""
    return {
        "id": record.id,
        "object": "product",
        "active": True,
        "created": record.created,
        "default_price": default_price,
        "description": None,
        "images": [],
        "livemode": livemode,
        "marketing_features": [],
        "metadata": {},
        "name": record.name,
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": None,
        "updated": record.created,
        "url": None,
    }


def price(record: Plan, *, livemode: bool) -> Json:
    """Return a price; its tiers only come when expanded."""
    recurring = None
    if record.interval is not None:
        recurring = {
            "interval": record.interval,
            "interval_count": record.interval_count,
            "meter": _meter(record),
            "trial_period_days": None,
            "usage_type": record.usage_type,
        }
    return {
        "id": record.id,
        "object": "price",
        "active": record.active,
        "billing_scheme": _scheme(record),
        "created": record.created,
        "currency": record.currency,
        "custom_unit_amount": None,
        "livemode": livemode,
        "lookup_key": None,
        "metadata": {},
        "nickname": record.nickname,
        "product": record.product,
        "recurring": recurring,
        "tax_behavior": "inclusive" if record.tax else "exclusive",
        "tiers_mode": record.tiers_mode,
        "transform_quantity": _transform(record),
        "type": "recurring" if recurring else "one_time",
        "unit_amount": record.unit_amount,
        "unit_amount_decimal": decimal(record),
    }


def tiers(record: Plan) -> list[Json]:
    """Return the tiers of a price."""
    return [_tier(step) for step in record.tiers]


def _tier(step: Tier) -> Json:
    whole = int(step.unit) if step.unit.isdigit() else None
    return {
        "flat_amount": step.flat or None,
        "flat_amount_decimal": str(step.flat) if step.flat else None,
        "unit_amount": whole,
        "unit_amount_decimal": step.unit,
        "up_to": step.up_to,
    }


def _meter(record: Plan) -> str | None:
    if not record.metered:
        return None
    return "mtr_test_" + record.id.removeprefix("price_")


def _scheme(record: Plan) -> str:
    return "tiered" if record.tiers else "per_unit"


def _transform(record: Plan) -> Json | None:
    if record.divide_by is None:
        return None
    return {"divide_by": record.divide_by, "round": record.round}


def decimal(record: Plan) -> str | None:
    """Return the exact unit amount; none for a tiered price."""
    if record.unit_decimal is not None or record.unit_amount is None:
        return record.unit_decimal
    return str(record.unit_amount)


def plan(record: Plan, *, livemode: bool) -> Json:
    """Return a price in the old form of a plan."""
    return {
        "id": record.id,
        "object": "plan",
        "active": record.active,
        "amount": record.unit_amount,
        "amount_decimal": decimal(record),
        "billing_scheme": _scheme(record),
        "created": record.created,
        "currency": record.currency,
        "interval": record.interval,
        "interval_count": record.interval_count,
        "livemode": livemode,
        "metadata": {},
        "meter": _meter(record),
        "nickname": record.nickname,
        "product": record.product,
        "tiers_mode": record.tiers_mode,
        "transform_usage": _transform(record),
        "trial_period_days": None,
        "usage_type": record.usage_type,
    }


def _coupon(record: Coupon, *, livemode: bool) -> Json:
    percent = None if record.amount_off is not None else float(record.percent)
    return {
        "id": record.id,
        "object": "coupon",
        "amount_off": record.amount_off,
        "created": record.created,
        "currency": record.currency,
        "duration": record.duration,
        "duration_in_months": record.months,
        "livemode": livemode,
        "max_redemptions": None,
        "metadata": {},
        "name": record.name,
        "percent_off": percent,
        "redeem_by": None,
        "times_redeemed": 0,
        "valid": True,
    }


def discount(record: Discount, *, livemode: bool) -> Json:
    """Return a discount with its coupon inline."""
    return {
        "id": record.id,
        "object": "discount",
        "checkout_session": None,
        "coupon": _coupon(record.coupon, livemode=livemode),
        "customer": record.customer,
        "customer_account": None,
        "end": record.end,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": None,
        "start": record.created,
        "subscription": record.subscription,
        "subscription_item": record.item,
    }
