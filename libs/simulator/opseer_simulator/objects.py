"""Money's objects, all but charges, as Stripe's API 2025-08-27.basil shows them."""

from __future__ import annotations

from typing import Any

from opseer_simulator.fx import MILLION
from opseer_simulator.records import (
    Customer,
    Dispute,
    Intent,
    Payout,
    Refund,
    Transaction,
)
from opseer_simulator.timeline import DAY

Json = dict[str, Any]
"""A JSON object."""

NO_ADDRESS: Json = dict.fromkeys(
    ("city", "country", "line1", "line2", "postal_code", "state")
)
_EVIDENCE = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
]


def listing(url: str, data: list[Any]) -> Json:
    """Return a nested list: the first ten, and where the rest is."""
    return {
        "object": "list",
        "data": data[:10],
        "has_more": len(data) > 10,  # noqa: PLR2004 - Stripe's number
        "url": url,
    }


def balance(sums: dict[str, tuple[int, int]], *, livemode: bool) -> Json:
    """Return the balance: (available, still clearing) by currency."""

    def rows(place: int) -> list[Json]:
        return [
            {
                "amount": amounts[place],
                "currency": currency,
                "source_types": {"card": amounts[place]},
            }
            for currency, amounts in sums.items()
        ]

    return {
        "object": "balance",
        "available": rows(0),
        "connect_reserved": [{"amount": 0, "currency": each} for each in sums],
        "livemode": livemode,
        "pending": rows(1),
    }


def transaction(record: Transaction, *, available: bool) -> Json:
    """Return a balance transaction; `available` once its time has come."""
    fees = []
    if record.fee:
        what = (
            "Dispute fee" if record.category == "dispute" else "Stripe processing fees"
        )
        fees.append(
            {
                "amount": record.fee,
                "application": None,
                "currency": record.currency,
                "description": what,
                "type": "stripe_fee",
            }
        )
    return {
        "id": record.id,
        "object": "balance_transaction",
        "amount": record.amount,
        "available_on": record.available_on,
        "balance_type": record.balance_type,
        "created": record.created,
        "currency": record.currency,
        "description": record.description,
        # A float of six decimals is written with these six decimals.
        "exchange_rate": None if record.rate is None else record.rate / MILLION,
        "fee": record.fee,
        "fee_details": fees,
        "net": record.net,
        "reporting_category": record.category,
        "source": record.source,
        "status": "available" if available else "pending",
        "type": record.type,
    }


def customer(record: Customer, discount: Json | None, *, livemode: bool) -> Json:
    """Return a customer with a discount of its own."""
    return {
        "id": record.id,
        "object": "customer",
        "address": NO_ADDRESS,
        "balance": 0,
        "created": record.created,
        "currency": record.currency,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": discount,
        "email": record.email,
        "invoice_prefix": record.invoice_prefix,
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": payment_method(record.id),
            "footer": None,
            "rendering_options": None,
        },
        "livemode": livemode,
        "metadata": {},
        "name": record.name,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def payment_method(customer_id: str) -> str:
    """Return the id of the customer's one payment method."""
    return "pm_" + customer_id.removeprefix("cus_")


def refund(record: Refund) -> Json:
    """Return a refund; only one that failed says how."""
    failed: Json = {}
    if record.failure is not None:
        failed = {
            "failure_balance_transaction": record.failure,
            "failure_reason": "lost_or_stolen_card",
        }
    return failed | {
        "id": record.id,
        "object": "refund",
        "amount": record.amount,
        "balance_transaction": record.transaction,
        "charge": record.charge,
        "created": record.created,
        "currency": record.currency,
        "destination_details": {
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        "metadata": {},
        "customer": record.customer,
        "customer_account": None,
        "payment_intent": record.intent,
        "payment_method": payment_method(record.customer),
        "reason": "requested_by_customer",
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": record.status,
        "transfer_reversal": None,
    }


def dispute(record: Dispute, *, livemode: bool) -> Json:
    """Return a dispute with the balance transactions it made, none for an inquiry."""
    inquiry = not record.transactions
    return {
        "id": record.id,
        "object": "dispute",
        "amount": record.amount,
        "balance_transactions": [
            transaction(moved, available=True) for moved in record.transactions
        ],
        "charge": record.charge,
        "created": record.created,
        "currency": record.currency,
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": record.created + 14 * DAY,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": livemode,
        "metadata": {},
        "payment_intent": record.intent,
        "payment_method_details": {
            "card": {
                "brand": "visa",
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": "visa",
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": record.reason,
        "status": record.status,
    }


def intent(record: Intent, *, livemode: bool) -> Json:
    """Return a payment intent."""
    error = None
    if record.decline is not None:
        error = {
            "charge": record.latest_charge,
            "code": "card_declined",
            "decline_code": record.decline,
            "message": "Your card was declined.",
            "type": "card_error",
        }
    held = record.status == "requires_capture"
    return {
        "id": record.id,
        "object": "payment_intent",
        "amount": record.amount,
        "amount_capturable": record.amount if held else 0,
        "amount_details": {"tip": {}},
        "amount_received": record.received,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "manual" if record.manual else "automatic",
        "client_secret": None,
        "confirmation_method": "automatic",
        "created": record.created,
        "currency": record.currency,
        "customer": record.customer,
        "customer_account": None,
        "description": record.description,
        "excluded_payment_method_types": None,
        "last_payment_error": error,
        "latest_charge": record.latest_charge,
        "livemode": livemode,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": payment_method(record.customer),
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": [record.method],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": record.status,
        "transfer_data": None,
        "transfer_group": None,
    }


def payout(record: Payout, *, livemode: bool) -> Json:
    """Return a payout."""
    return {
        "id": record.id,
        "object": "payout",
        "amount": record.amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": record.arrival,
        "automatic": True,
        "balance_transaction": record.transaction,
        "created": record.created,
        "currency": record.currency,
        "description": "STRIPE PAYOUT",
        "destination": "ba_" + record.id.removeprefix("po_"),
        "failure_balance_transaction": record.failure,
        "failure_code": "account_closed" if record.failure else None,
        "failure_message": "The account is closed." if record.failure else None,
        "livemode": livemode,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "completed",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": record.status,
        "trace_id": None,
        "type": "bank_account",
    }
