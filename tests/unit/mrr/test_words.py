"""The arithmetic in words that a founder can check with a calculator."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest

from opseer_common.contracts.subscription import Discount, Subscription
from opseer_common.testing.phrases import NOON, subscription_of
from opseer_mrr.domain.normalise import arithmetic
from opseer_mrr.domain.policy import PRESETS, Policy
from opseer_mrr.domain.words import amount_words, standing_words


def _one(phrase: str) -> Subscription:
    found = subscription_of(phrase)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("phrase", "lines", "comes_to"),
    [
        (
            "3 x 12.00 a month",
            ["price of 12.00: 3 x 12.00 USD per month = 36.00 USD per month"],
            "36.00",
        ),
        (
            "299.90 a year",
            ["price of 299.90: 1 x 299.90 USD per year / 12 = 24.991667 USD per month"],
            "24.99",
        ),
        (
            "20.00 every 2 weeks",
            [
                (
                    "price of 20.00: 1 x 20.00 USD per 2 weeks x 52/12 / 2"
                    " = 43.333333 USD per month"
                )
            ],
            "43.33",
        ),
        (
            "12 x 5.00 per package of 5 up a month",
            [
                (
                    "price of 5.00: 12 in packages of 5 (rounded up) at 5.00 USD:"
                    " 15.00 USD per month = 15.00 USD per month"
                )
            ],
            "15.00",
        ),
        (
            "7 x graduated [5: 10.00, more: 6.00] a month",
            [
                (
                    "price of graduated: 7 in graduated tiers: 62.00 USD per month"
                    " = 62.00 USD per month"
                )
            ],
            "62.00",
        ),
        (
            "10.00 a month, 25 % off once",
            [
                "price of 10.00: 1 x 10.00 USD per month = 10.00 USD per month",
                "discount of 25 % (once): not subtracted by this policy",
            ],
            "10.00",
        ),
        (
            "10.00 a month, 3.00 off forever",
            [
                "price of 10.00: 1 x 10.00 USD per month = 10.00 USD per month",
                "- discount of 3.00 USD per invoice (forever): 7.00 USD",
            ],
            "7.00",
        ),
        (
            "11.90 a month, 19 % tax inside",
            [
                "price of 11.90: 1 x 11.90 USD per month = 11.90 USD per month",
                "- taxes inside the price: 10.00 USD",
            ],
            "10.00",
        ),
        (
            "usage 3.00 a week",
            ["+ price of usage: usage of the last invoice, 13.00 USD per month"],
            "13.00",
        ),
    ],
)
def test_each_step(phrase: str, lines: list[str], comes_to: str) -> None:
    """A line per step, and what it all comes to at the end."""
    *steps, total = arithmetic(_one(phrase), PRESETS["opseer"], NOON)
    assert steps == lines
    assert total == f"= {comes_to} USD per month"


def test_what_is_left_out_is_said() -> None:
    """Usage under a policy without it, and what is not known."""
    usage = _one("usage 3.00 a month")
    first, _ = arithmetic(usage, Policy(), NOON)
    assert first == "price of usage: usage is not counted by this policy"
    foreign = msgspec.structs.replace(_one("3.00 a month"), currency="eur")
    first, _ = arithmetic(foreign, Policy(), NOON)
    assert first == "price of 3.00: its price is not known"
    unknown = msgspec.structs.replace(
        _one("3.00 a month"), discounts=(Discount("di_1", "unknown"),)
    )
    _, second, _ = arithmetic(unknown, Policy(), NOON)
    assert second == (
        "discount of unknown terms (unknown): not subtracted by this policy"
    )


@pytest.mark.parametrize(
    ("stands", "words"),
    [
        ("trial", "not counted: on trial until 2026-01-10 12:00 UTC"),
        ("paused", "not counted: paused, nothing is billed until 2026-01-10 12:00 UTC"),
        ("unpaid", "not counted: marked unpaid"),
        ("ended", "not counted: it has ended"),
        ("incomplete", "not counted: its first payment is not made yet"),
        ("grace_over", "not counted: past due for longer than the days of grace"),
        (
            "cancelled",
            "not counted: its end is asked for, which this policy counts at once",
        ),
    ],
)
def test_why_it_does_not_count(stands: str, words: str) -> None:
    """In plain words, with the end of what has one."""
    one = msgspec.structs.replace(
        _one("10.00 a month"), trial_end=NOON, pause_resumes_at=NOON
    )
    assert standing_words(stands, one) == (words,)
    assert standing_words("counted", one) == ()


@pytest.mark.parametrize(
    ("minor", "currency", "words"),
    [
        (Fraction(1234), "usd", "12.34 USD"),
        (Fraction(-1), "usd", "-0.01 USD"),
        (Fraction(1000, 12), "jpy", "83.333333 JPY"),
        (Fraction(10_000, 12), "kwd", "0.833333 KWD"),
        (Fraction(-1, 3), "usd", "-0.003333 USD"),
    ],
)
def test_amounts(minor: Fraction, currency: str, words: str) -> None:
    """Major units with the currency's decimals, six where it is no whole minor."""
    assert amount_words(minor, currency) == words
