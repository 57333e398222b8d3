"""Billing objects as Stripe's API 2025-08-27.basil shows them.

Periods stand on the item, not on the subscription; coupons are inline in a discount;
a subscription of one item still carries the old `plan` and `quantity`.
"""

from __future__ import annotations

from opseer_simulator.catalogue import Coupon, Plan, Product, Tier
from opseer_simulator.objects import NO_ADDRESS, Json, listing, payment_method
from opseer_simulator.records import Discount, Invoice, Item, Line, Subscription


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
        "active": True,
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
        "tax_behavior": "exclusive",
        "tiers_mode": record.tiers_mode,
        "transform_quantity": _transform(record),
        "type": "recurring" if recurring else "one_time",
        "unit_amount": record.unit_amount,
        "unit_amount_decimal": _decimal(record),
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


def _decimal(record: Plan) -> str | None:
    """Return the exact unit amount; none for a tiered price."""
    if record.unit_decimal is not None or record.unit_amount is None:
        return record.unit_decimal
    return str(record.unit_amount)


def _plan(record: Plan, *, livemode: bool) -> Json:
    return {
        "id": record.id,
        "object": "plan",
        "active": True,
        "amount": record.unit_amount,
        "amount_decimal": _decimal(record),
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


def item(record: Item, sub_id: str, *, livemode: bool) -> Json:
    """Return an item of a subscription; its discounts are ids unless expanded."""
    shown = {
        "id": record.id,
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": record.created,
        "current_period_end": record.period_end,
        "current_period_start": record.period_start,
        "discounts": [discount.id for discount in record.discounts],
        "metadata": {},
        "plan": _plan(record.plan, livemode=livemode),
        "price": price(record.plan, livemode=livemode),
        "quantity": record.seats,
        "subscription": sub_id,
        "tax_rates": [],
    }
    if record.plan.metered:
        del shown["quantity"]
    return shown


def subscription(record: Subscription, *, livemode: bool) -> Json:
    """Return a subscription; its discounts are ids unless expanded.

    The old `plan` and `quantity` stand there while it has one item.
    """
    url = f"/v1/subscription_items?subscription={record.id}"
    rows = [item(each, record.id, livemode=livemode) for each in record.items]
    items = listing(url, rows) | {"total_count": len(rows)}
    single = rows[0] if len(rows) == 1 else {"plan": None, "quantity": None}
    pause = None
    if record.pause is not None:
        pause = {
            "behavior": record.pause.behavior,
            "resumes_at": record.pause.resumes_at,
        }
    return _settings() | {
        "id": record.id,
        "object": "subscription",
        "billing_cycle_anchor": record.anchor,
        "cancel_at": record.ends_at,
        "cancel_at_period_end": record.cancel_at_period_end,
        "canceled_at": record.canceled_at,
        "cancellation_details": {
            "comment": None,
            "feedback": None,
            "reason": record.cancel_reason,
        },
        "created": record.created,
        "currency": record.currency,
        "customer": record.customer,
        "default_payment_method": payment_method(record.customer),
        "discounts": [discount.id for discount in record.discounts],
        "ended_at": record.ended_at,
        "items": items,
        "latest_invoice": record.latest_invoice,
        "livemode": livemode,
        "pause_collection": pause,
        "plan": single["plan"],
        "quantity": single.get("quantity"),
        "start_date": record.created,
        "status": record.status,
        "trial_end": record.trial_end,
        "trial_start": record.trial_start,
    }


def _settings() -> Json:
    """Return what is the same for each subscription of this company."""
    return {
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
        },
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": None, "type": "classic"},
        "billing_schedules": [],
        "billing_thresholds": None,
        "collection_method": "charge_automatically",
        "customer_account": None,
        "days_until_due": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "managed_payments": {"enabled": False},
        "metadata": {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "test_clock": None,
        "transfer_data": None,
        "trial_settings": {
            "end_behavior": {"missing_payment_method": "create_invoice"}
        },
    }


def line(record: Line, bill: Invoice, *, livemode: bool) -> Json:
    """Return a line of an invoice."""
    amounts = [{"amount": off, "discount": di} for di, off in record.discounts]
    return {
        "id": record.id,
        "object": "line_item",
        "amount": record.amount,
        "currency": bill.currency,
        "description": record.description,
        "discount_amounts": amounts,
        "discountable": not record.proration,
        "discounts": [di for di, _ in record.discounts],
        "invoice": bill.id,
        "livemode": livemode,
        "metadata": {},
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": record.proration,
                "proration_details": {"credited_items": None},
                "subscription": bill.subscription,
                "subscription_item": record.item,
            },
            "type": "subscription_item_details",
        },
        "period": {"end": record.period_end, "start": record.period_start},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": record.plan.id, "product": record.plan.product},
            "type": "price_details",
            "unit_amount_decimal": _decimal(record.plan),
        },
        "quantity": record.seats,
        "quantity_decimal": str(record.seats),
        "subscription": bill.subscription,
        "subtotal": record.amount,
        "taxes": [],
    }


def invoice(record: Invoice, *, livemode: bool) -> Json:
    """Return an invoice with its first lines."""
    lines = [line(each, record, livemode=livemode) for each in record.lines]
    subtotal = sum(each.amount for each in record.lines)
    paid = record.total if record.status == "paid" else 0
    off: dict[str, int] = {}
    for di, amount in (pair for x in record.lines for pair in x.discounts):
        off[di] = off.get(di, 0) + amount
    final = record.finalized_at is not None
    return _invoice_settings() | {
        "id": record.id,
        "object": "invoice",
        "amount_due": record.total,
        "amount_paid": paid,
        "amount_remaining": record.total - paid,
        "attempt_count": record.attempts,
        "attempted": record.attempts > 0 or record.status == "paid",
        "auto_advance": record.status in {"draft", "open"},
        "automatically_finalizes_at": None if final else record.created + 3600,
        "billing_reason": record.reason,
        "created": record.created,
        "currency": record.currency,
        "customer": record.customer.id,
        "customer_email": record.customer.email,
        "customer_name": record.customer.name,
        "discounts": list(off),
        "effective_at": record.finalized_at,
        "ending_balance": 0 if final else None,
        "lines": listing(f"/v1/invoices/{record.id}/lines", lines)
        | {"total_count": len(lines)},
        "livemode": livemode,
        "next_payment_attempt": record.next_attempt,
        "number": record.number if final else None,
        "parent": {
            "quote_details": None,
            "subscription_details": {
                "metadata": {},
                "subscription": record.subscription,
            },
            "type": "subscription_details",
        },
        "period_end": record.created,
        "period_start": record.created,
        "status": record.status,
        "status_transitions": {
            "finalized_at": record.finalized_at,
            "marked_uncollectible_at": record.uncollectible_at,
            "paid_at": record.paid_at,
            "voided_at": record.voided_at,
        },
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": record.total,
        "total_discount_amounts": [
            {"amount": amount, "discount": di} for di, amount in off.items()
        ],
        "total_excluding_tax": record.total,
        "webhooks_delivered_at": record.created,
    }


def _invoice_settings() -> Json:
    """Return what is the same for each invoice of this company."""
    nothing = dict.fromkeys(
        [
            "account_tax_ids",
            "application",
            "custom_fields",
            "customer_account",
            "customer_phone",
            "customer_shipping",
            "default_payment_method",
            "default_source",
            "description",
            "due_date",
            "footer",
            "from_invoice",
            "hosted_invoice_url",
            "invoice_pdf",
            "last_finalization_error",
            "latest_revision",
            "on_behalf_of",
            "receipt_number",
            "rendering",
            "shipping_cost",
            "shipping_details",
            "statement_descriptor",
            "subscription",
            "test_clock",
        ]
    )
    return nothing | {
        "account_country": "US",
        "account_name": "Made Up Company",
        "amount_overpaid": 0,
        "amount_shipping": 0,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "collection_method": "charge_automatically",
        "customer_address": NO_ADDRESS,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_tax_rates": [],
        "issuer": {"type": "self"},
        "metadata": {},
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    }
