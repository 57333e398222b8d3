"""Charges as Stripe's API 2025-08-27.basil shows them."""

from __future__ import annotations

from opseer_simulator.objects import NO_ADDRESS, Json, listing, payment_method, refund
from opseer_simulator.records import Charge


def charge(record: Charge, *, livemode: bool) -> Json:
    """Return a charge with its refunds."""
    failed = record.status == "failed"
    captured = record.amount if record.captured is None else record.captured
    return {
        "id": record.id,
        "object": "charge",
        "amount": record.amount,
        "amount_captured": 0 if failed else captured,
        "amount_refunded": record.refunded,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": record.transaction,
        "billing_details": {
            "address": NO_ADDRESS,
            "email": record.customer.email,
            "name": record.customer.name,
            "phone": None,
            "tax_id": None,
        },
        "calculated_statement_descriptor": "MADE UP COMPANY",
        "captured": not failed and captured > 0,
        "created": record.created,
        "currency": record.currency,
        "customer": record.customer.id,
        "description": record.description,
        "disputed": record.disputed,
        "failure_balance_transaction": record.failure_transaction,
        "failure_code": "card_declined" if record.decline else None,
        "failure_message": "Your card was declined." if record.decline else None,
        "fraud_details": {},
        "livemode": livemode,
        "metadata": {},
        "on_behalf_of": None,
        "outcome": _outcome(record),
        "paid": not failed,
        "payment_intent": record.intent,
        "payment_method": payment_method(record.customer.id),
        "payment_method_details": _method_details(record),
        "presentment_details": None,
        "radar_options": {},
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": record.refunded == record.amount,
        "refunds": listing(
            f"/v1/charges/{record.id}/refunds", [refund(r) for r in record.refunds]
        ),
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": record.status,
        "transfer_data": None,
        "transfer_group": None,
    }


def _outcome(record: Charge) -> Json:
    declined = record.decline is not None and record.failure_transaction is None
    return {
        "advice_code": "try_again_later" if declined else None,
        "network_advice_code": None,
        "network_decline_code": "51" if declined else None,
        "network_status": "declined_by_network" if declined else "approved_by_network",
        "reason": record.decline if declined else None,
        "risk_level": "normal",
        "seller_message": "The bank refused." if declined else "Payment complete.",
        "type": "issuer_declined" if declined else "authorized",
    }


def _method_details(record: Charge) -> Json:
    if record.method != "card":
        return {
            "type": record.method,
            record.method: {
                "account_holder_type": "company",
                "account_type": "checking",
                "bank_name": "MADE UP BANK",
                "last4": "6789",
                "routing_number": "110000000",
            },
        }
    return {
        "type": "card",
        "card": {
            "amount_authorized": record.amount,
            "authorization_code": None,
            "brand": "visa",
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": "pass",
            },
            "country": "US",
            "exp_month": 8,
            "exp_year": 2035,
            "extended_authorization": {"status": "disabled"},
            "fingerprint": record.customer.invoice_prefix,
            "funding": "credit",
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "last4": "4242",
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": "visa",
            "network_token": {"used": False},
            "network_transaction_id": None,
            "overcapture": {
                "maximum_amount_capturable": record.amount,
                "status": "unavailable",
            },
            "regulated_status": "unregulated",
            "three_d_secure": None,
            "transaction_link_id": None,
            "wallet": None,
        },
    }
