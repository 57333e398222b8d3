"""Subscriptions and invoices as Stripe's API 2025-08-27.basil shows them.

Periods stand on the item, not on the subscription; a subscription of one item still
carries the old `plan` and `quantity`.
"""

from __future__ import annotations

from opseer_simulator.catalogue import tax_inside
from opseer_simulator.objects import NO_ADDRESS, Json, listing, payment_method
from opseer_simulator.price_objects import decimal, plan, price
from opseer_simulator.records import Invoice, Item, Line, Subscription


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
        "plan": plan(record.plan, livemode=livemode),
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
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": any(item.plan.tax for item in record.items),
            "liability": None,
        },
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
            "unit_amount_decimal": decimal(record.plan),
        },
        "quantity": record.seats,
        "quantity_decimal": str(record.seats),
        "subscription": bill.subscription,
        "subtotal": record.amount,
        "taxes": [_tax(record)] if record.plan.tax else [],
    }


def _tax(record: Line) -> Json:
    """Return the tax inside a line, after its discounts."""
    amount = record.amount - record.discount
    tax = tax_inside(amount, record.plan.tax)
    return {
        "amount": tax,
        "tax_behavior": "inclusive",
        "tax_rate_details": {"tax_rate": f"txr_{record.plan.tax}"},
        "taxability_reason": "standard_rated",
        "taxable_amount": amount - tax,
        "type": "tax_rate_details",
    }


def invoice(record: Invoice, *, livemode: bool) -> Json:
    """Return an invoice with its first lines."""
    lines = [line(each, record, livemode=livemode) for each in record.lines]
    subtotal = sum(each.amount for each in record.lines)
    taxes = [tax for each in lines for tax in each["taxes"]]
    tax = sum(each["amount"] for each in taxes)
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
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": bool(taxes),
            "liability": None,
            "provider": "stripe" if taxes else None,
            "status": "complete" if taxes else None,
        },
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
        "subtotal_excluding_tax": subtotal - tax,
        "total": record.total,
        "total_discount_amounts": [
            {"amount": amount, "discount": di} for di, amount in off.items()
        ],
        "total_excluding_tax": record.total - tax,
        "total_taxes": taxes,
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
    }
