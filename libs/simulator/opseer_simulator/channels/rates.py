"""What money of other currencies is worth in US cents, at any instant."""

from __future__ import annotations

from fractions import Fraction
from hashlib import blake2b

from opseer_simulator.timeline import DAY, HOUR

_MILLION = 1_000_000
# US cents for a minor unit, in millionths: a yen and a won are minor units.
_USUAL = {
    "usd": _MILLION,
    "eur": 1_083_000,
    "gbp": 1_271_000,
    "aud": 652_000,
    "cad": 728_000,
    "jpy": 671_000,
    "brl": 181_000,
    "krw": 72_500,
    "cny": 138_700,
    "mxn": 53_600,
    "sek": 96_200,
    "pln": 252_300,
    "kwd": 325_500,
}
_WHOLE = frozenset({"jpy", "krw"})
_STEP = 6 * HOUR
_SWING = 4001


def digits(currency: str) -> int:
    """Return how many decimal places a currency's amounts have."""
    if currency == "kwd":
        return 3
    return 0 if currency in _WHOLE else 2


class Rates:
    """Rates that move up to 2 % every six hours, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def at(self, currency: str, at: int) -> Fraction:
        """Return the US cents for one minor unit at a unix second."""
        if currency == "usd":
            return Fraction(1)
        text = f"{self._seed}:{currency}:{at // _STEP}"
        digest = blake2b(text.encode(), digest_size=4).digest()
        offset = int.from_bytes(digest) % _SWING - _SWING // 2
        return Fraction(_USUAL[currency] * (100_000 + offset), 100_000 * _MILLION)

    def of_day(self, currency: str, at: int) -> Fraction:
        """Return the mean rate of the UTC day whose midnight is nearest to `at`."""
        midnight = (at + DAY // 2) // DAY * DAY
        steps = range(midnight, midnight + DAY, _STEP)
        return sum((self.at(currency, step) for step in steps), Fraction(0)) / len(
            steps
        )
