"""Words that Stripe may add to at any time: what is new is kept as it is, and counted.

A category that nobody knows is in none of the figures, a status counts as not active, a
currency has two decimals. Whoever runs Opseer reads of it in the log, once per run.
(Sources: Stripe API reference and "Reporting categories", November 2026.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

_LONGEST: Final = 40


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KNOWN: Final = {
    "reporting_category": _words(
        """
        advance advance_funding anticipation_repayment charge charge_failure
        climate_order_purchase climate_order_refund connect_collection_transfer
        connect_reserved_funds contribution currency_conversion dispute
        dispute_reversal fee inbound_transfer inbound_transfer_reversal
        issuing_authorization_hold issuing_authorization_release issuing_disbursement
        issuing_dispute issuing_dispute_fraud_liability_debit
        issuing_dispute_provisional_credit issuing_dispute_provisional_credit_reversal
        issuing_transaction minimum_balance_hold network_cost other_adjustment
        partial_capture_reversal payment_network_reserve_hold
        payment_network_reserve_release payout payout_minimum_balance_hold
        payout_minimum_balance_release payout_reversal platform_earning
        platform_earning_refund refund refund_failure risk_reserved_funds
        stripe_balance_payment_debit stripe_balance_payment_debit_reversal tax topup
        topup_reversal transfer transfer_reversal unreconciled_customer_funds
        """
    ),
    "type": _words(
        """
        adjusted_for_overdraft_transaction adjustment advance advance_funding
        anticipation_repayment application_fee application_fee_refund charge
        climate_order_purchase climate_order_refund connect_collection_transfer
        contribution fee_credit_funding inbound_transfer inbound_transfer_reversal
        issuing_authorization_hold issuing_authorization_release issuing_dispute
        issuing_dispute_provisional_credit issuing_dispute_provisional_credit_reversal
        issuing_transaction obligation_inbound obligation_outbound
        obligation_payout obligation_payout_failure obligation_reversal_inbound
        obligation_reversal_outbound payment payment_failure_refund
        payment_network_reserve_hold payment_network_reserve_release payment_refund
        payment_reversal payment_unreconciled payout payout_cancel payout_failure
        payout_minimum_balance_hold payout_minimum_balance_release refund
        refund_failure reserve_hold reserve_release reserve_transaction reserved_funds
        stripe_balance_payment_debit stripe_balance_payment_debit_reversal stripe_fee
        stripe_fx_fee tax_fee tax_fund topup topup_reversal transfer transfer_cancel
        transfer_failure transfer_refund validation
        """
    ),
    "charge_status": frozenset({"succeeded", "pending", "failed"}),
    "subscription_status": _words(
        """
        active canceled incomplete incomplete_expired past_due paused trialing unpaid
        """
    ),
    "currency": _words(
        """
        aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl
        bsd btn bwp byn byr bzd cad cdf chf clf clp cny cop crc cve czk djf dkk dop dzd
        egp etb eur fjd fkp gbp gel ghs gip gmd gnf gtq gyd hkd hnl hrk htg huf idr ils
        inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl
        mga mkd mmk mnt mop mro mru mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr
        pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sll
        sos srd std stn szl thb tjs tnd top try ttd twd tzs uah ugx usd usdc uyu uzs vnd
        vuv wst xaf xcd xof xpf yer zar zmw
        """
    ),
}


class Words:
    """What one run came across; `unknown` counts by kind and word."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self.unknown: Counter[tuple[str, str]] = Counter()

    def note(self, kind: str, words: Sequence[str]) -> None:
        """Count those of `words` that are not KNOWN of their `kind`."""
        for word in {*words} - KNOWN[kind]:
            self.unknown[kind, word[:_LONGEST]] += words.count(word)

    def odd(self, kind: str, word: str, count: int) -> None:
        """Count what is kept as it is and yet unusual."""
        if count:
            self.unknown[kind, word] += count

    def told(self) -> dict[str, dict[str, int]]:
        """Return the counts by kind."""
        found: dict[str, dict[str, int]] = {}
        for (kind, word), count in sorted(self.unknown.items()):
            found.setdefault(kind, {})[word] = count
        return found
