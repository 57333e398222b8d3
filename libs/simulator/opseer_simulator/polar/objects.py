"""Organizations, orders and refunds as Polar's API shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from opseer_simulator.polar.shop import (
    TRIAL_DAYS,
    Buyer,
    Item,
    Order,
    Refunded,
    Shop,
    Subscription,
    fee_of,
)

_MAILS = (
    *("order_confirmation", "payment_method_expiration_reminder"),
    *("subscription_cancellation", "subscription_confirmation"),
    *("subscription_cycled", "subscription_cycled_after_trial"),
    *("subscription_past_due", "subscription_paused", "subscription_resumed"),
    *("subscription_renewal_reminder", "subscription_revoked"),
    *("subscription_trial_conversion_reminder", "subscription_uncanceled"),
    "subscription_updated",
)
_ABILITIES = (
    *("checkout_payments", "subscription_renewals", "payouts", "refunds"),
    *("api_access", "dashboard_access"),
)
_COUNTRY = {"usd": "US", "eur": "DE"}


def moment(at: int | None) -> str | None:
    """Return a unix second as Polar writes it."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def organization_json(shop: Shop) -> dict[str, Any]:
    """Return the shop's organization."""
    return {
        "created_at": moment(shop.opened),
        "modified_at": None,
        "id": shop.organization,
        "name": "Lumen",
        "slug": "lumen",
        "avatar_url": None,
        "proration_behavior": "invoice",
        "allow_customer_updates": True,
        "email": "hello@example.com",
        "website": "https://example.com",
        "socials": [],
        "status": "active",
        "details_submitted_at": moment(shop.opened),
        "onboarding_resubmission_requested_at": None,
        "sso_enforced": False,
        "default_presentment_currency": "usd",
        "default_tax_behavior": "exclusive",
        "feature_settings": None,
        "subscription_settings": {
            "allow_multiple_subscriptions": True,
            "proration_behavior": "invoice",
            "benefit_revocation_grace_period": 0,
            "prevent_trial_abuse": False,
            "allow_customer_updates": True,
        },
        "customer_email_settings": dict.fromkeys(_MAILS, True),
        "customer_portal_settings": {
            "usage": {"show": True},
            "subscription": {"update_seats": False, "update_plan": True},
        },
        "dispute_settings": {"auto_accept_below_amount": None},
        "embed_hosts": [],
        "embed_hosts_enforced": False,
        "country": "US",
        "account_id": None,
        "payout_account_id": None,
        "capabilities": dict.fromkeys(_ABILITIES, True),
    }


def order_json(order: Order, shop: Shop) -> dict[str, Any]:
    """Return an order."""
    sub = order.subscription
    discounted = sub is not None and sub.discounted
    return {
        "id": order.id,
        "created_at": moment(order.at),
        "modified_at": None,
        "status": _status(order),
        "paid": order.paid_at is not None,
        "subtotal_amount": order.subtotal,
        "discount_amount": order.discount,
        "net_amount": order.net,
        "tax_amount": order.tax,
        "total_amount": order.net + order.tax,
        "applied_balance_amount": 0,
        "due_amount": 0 if order.paid_at is not None else order.net + order.tax,
        "refunded_amount": order.refunded,
        "refunded_tax_amount": order.refunded_tax,
        "currency": order.buyer.currency,
        "billing_reason": order.reason,
        "billing_name": order.buyer.name,
        "billing_address": {"country": _COUNTRY[order.buyer.currency]},
        "invoice_number": f"LUMEN-{order.number:04d}",
        "is_invoice_generated": False,
        "receipt_number": None,
        "seats": None,
        "customer_id": order.buyer.id,
        "product_id": order.item.id,
        "discount_id": shop.discount if discounted else None,
        "subscription_id": sub.id if sub is not None else None,
        "checkout_id": None,
        "metadata": {},
        "platform_fee_amount": fee_of(order.usd) if order.paid_at else 0,
        "platform_fee_currency": "usd",
        "customer": _customer(order.buyer, shop),
        "product": _product(order.item, shop),
        "discount": _discount(shop) if discounted else None,
        "subscription": _subscription(sub, shop) if sub is not None else None,
        "items": [_line(order, shop)],
        "description": order.item.name,
        "refundable_amount": order.net - order.refunded,
        "refundable_tax_amount": order.tax - order.refunded_tax,
    }


def refund_json(refund: Refunded, shop: Shop) -> dict[str, Any]:
    """Return a refund."""
    order = refund.order
    return {
        "created_at": moment(refund.at),
        "modified_at": moment(refund.changed_at),
        "id": refund.id,
        "metadata": {},
        "status": refund.status,
        "reason": refund.reason,
        "amount": refund.amount,
        "tax_amount": refund.tax,
        "currency": order.buyer.currency,
        "organization_id": shop.organization,
        "order_id": order.id,
        "subscription_id": order.subscription.id if order.subscription else None,
        "customer_id": order.buyer.id,
        "revoke_benefits": refund.amount == order.net,
        "dispute": _dispute(refund, shop) if refund.disputed else None,
    }


def _status(order: Order) -> str:
    if order.paid_at is None:
        return "void" if order.void else "pending"
    if not order.refunded:
        return "paid"
    return "refunded" if order.refunded == order.net else "partially_refunded"


def _line(order: Order, shop: Shop) -> dict[str, Any]:
    return {
        "created_at": moment(order.at),
        "modified_at": None,
        "id": shop.part_of(order.id, "line"),
        "label": order.item.name,
        "amount": order.subtotal,
        "tax_amount": order.tax,
        "proration": order.reason == "subscription_update",
        "product_price_id": None,
    }


def _dispute(refund: Refunded, shop: Shop) -> dict[str, Any]:
    order = refund.order
    return {
        "created_at": moment(refund.at),
        "modified_at": None,
        "id": shop.part_of(refund.id, "dispute"),
        "status": "prevented",
        "resolved": True,
        "closed": True,
        "amount": refund.amount,
        "tax_amount": refund.tax,
        "currency": order.buyer.currency,
        "reason": "general",
        "evidence_due_by": None,
        "past_due": False,
        "order_id": order.id,
        "payment_id": shop.part_of(order.id, "payment"),
    }


def _customer(buyer: Buyer, shop: Shop) -> dict[str, Any]:
    return {
        "id": buyer.id,
        "created_at": moment(buyer.created),
        "modified_at": None,
        "metadata": {},
        "external_id": None,
        "email": buyer.email,
        "email_verified": True,
        "type": "individual",
        "name": buyer.name,
        "billing_name": buyer.name,
        "billing_address": {"country": _COUNTRY[buyer.currency]},
        "tax_id": None,
        "organization_id": shop.organization,
        "deleted_at": None,
        "first_user_event_at": None,
        "avatar_url": None,
    }


def _product(item: Item, shop: Shop) -> dict[str, Any]:
    recurring = item.interval is not None
    return {
        "metadata": {},
        "id": item.id,
        "created_at": moment(shop.opened),
        "modified_at": None,
        "trial_interval": "day" if recurring else None,
        "trial_interval_count": TRIAL_DAYS if recurring else None,
        "name": item.name,
        "description": None,
        "visibility": "public",
        "recurring_interval": item.interval,
        "recurring_interval_count": 1 if recurring else None,
        "meter_interval": None,
        "meter_interval_count": None,
        "is_recurring": recurring,
        "is_archived": False,
        "organization_id": shop.organization,
    }


def _discount(shop: Shop) -> dict[str, Any]:
    return {
        "duration": "forever",
        "type": "percentage",
        "basis_points": 2000,
        "created_at": moment(shop.opened),
        "modified_at": None,
        "id": shop.discount,
        "metadata": {},
        "name": "Friends",
        "code": "FRIENDS",
        "starts_at": None,
        "ends_at": None,
        "max_redemptions": None,
        "max_redemptions_per_customer": None,
        "redemptions_count": 0,
        "organization_id": shop.organization,
    }


def _subscription(sub: Subscription, shop: Shop) -> dict[str, Any]:
    return {
        "metadata": {},
        "created_at": moment(sub.created),
        "modified_at": None,
        "id": sub.id,
        "amount": sub.amount,
        "currency": sub.buyer.currency,
        "recurring_interval": sub.item.interval,
        "recurring_interval_count": 1,
        "status": _standing(sub, shop.lived_until),
        "current_period_start": moment(sub.period_start),
        "current_period_end": moment(sub.period_end),
        "current_meter_period_start": None,
        "current_meter_period_end": None,
        "trial_start": moment(sub.created if sub.trial_end is not None else None),
        "trial_end": moment(sub.trial_end),
        "cancel_at_period_end": sub.ends_at is not None and sub.ended_at is None,
        "canceled_at": moment(sub.canceled_at),
        "started_at": moment(sub.created),
        "ends_at": moment(sub.ends_at),
        "ended_at": moment(sub.ended_at),
        "past_due_at": moment(sub.past_due_at),
        "pause_at_period_end": False,
        "paused_at": None,
        "resumes_at": None,
        "customer_id": sub.buyer.id,
        "product_id": sub.item.id,
        "discount_id": shop.discount if sub.discounted else None,
        "checkout_id": None,
        "seats": None,
        "customer_cancellation_reason": sub.why,
        "customer_cancellation_comment": None,
    }


def _standing(sub: Subscription, now: int) -> str:
    if sub.ended_at is not None:
        return "canceled"
    if sub.past_due_at is not None:
        return "past_due"
    return "trialing" if sub.is_trial(now) else "active"
