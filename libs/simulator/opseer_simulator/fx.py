"""Exchange rates of the made-up world, and the currencies the company's balance has.

Rates are between minor units, in millionths, as `exchange_rate` of a balance
transaction has them: a yen is a minor unit, a dinar has a thousand.
"""

from __future__ import annotations

from hashlib import blake2b

from opseer_simulator.catalogue import CURRENCY
from opseer_simulator.timeline import HOUR

MILLION = 1_000_000

_USUAL = {
    "eur": 1_083_000,
    "gbp": 1_271_000,
    "jpy": 671_000,
    "kwd": 325_500,
    "sek": 96_200,
}
_STEP = 6 * HOUR
_SWING = 4001


class Exchange:
    """What a currency changes at, and into which balance a payment goes."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._last: dict[str, int] = {}
        self._kept_from: dict[str, int] = {}

    def keep(self, currency: str, since: int) -> None:
        """Keep payments in a currency as they are from a unix second on."""
        self._kept_from[currency] = since

    def balance_of(self, currency: str, at: int) -> str:
        """Return the currency that a payment settles in."""
        since = self._kept_from.get(currency)
        return CURRENCY if since is None or at < since else currency

    def pay(self, currency: str, at: int) -> int:
        """Return the rate of a payment, which stands until the next one's."""
        text = f"{self._seed}:{currency}:{at // _STEP}"
        digest = blake2b(text.encode(), digest_size=4).digest()
        offset = int.from_bytes(digest) % _SWING - _SWING // 2
        # Up to 2 % to each side.
        self._last[currency] = _USUAL[currency] * (100_000 + offset) // 100_000
        return self._last[currency]

    def last(self, currency: str) -> int:
        """Return the rate of the latest payment."""
        return self._last[currency]


def changed(amount: int, rate: int | None) -> int:
    """Return an amount at a rate, rounded half up; None changes nothing."""
    if rate is None:
        return amount
    sign = -1 if amount < 0 else 1
    return sign * ((2 * abs(amount) * rate + MILLION) // (2 * MILLION))
