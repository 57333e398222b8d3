"""Why a full computation differs from what was carried forward, one by one.

What each subscription was worth at the end of the newest day that was over is kept by
each computation. The next one says what it was worth then by what is known now: where
the two differ, what they are made of tells the likely cause. What is left, with every
subscription the same, is another exchange rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from opseer_common.money import shares
from opseer_mrr.domain.holdings import Holding
from opseer_mrr.domain.rates import RateTable, converted

CAUSES = (
    "missed_event",
    "price_edit",
    "coupon_end",
    "usage_invoice",
    "exchange_rate",
    "unknown",
)
"""In order of concern: the first of equals is a difference's cause."""
_MOST_PARTS = 50


@dataclass(frozen=True, slots=True)
class Part:
    """What one subscription adds to a difference, in the settlement currency.

    None for what is no subscription's: other rates.
    """

    cause: str
    subscription_id: str | None
    difference: int


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Today's snapshot twice, in minor units of the settlement currency.

    `carried` is the stored snapshot of the day `carried_from` plus the movements and
    FX since; `recomputed` is from the live subscriptions, and is what is shown.
    `cause` explains most of the difference, None where nothing differs; `parts` are
    the largest ones.
    """

    carried_from: date
    carried: int
    recomputed: int
    cause: str | None
    parts: tuple[Part, ...]

    @property
    def difference(self) -> int:
        """Return what the earlier rows and the events since do not explain."""
        return self.recomputed - self.carried


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of a day: its snapshot in the settlement currency, and what of it.

    `holdings` by subscription id; None where they were not kept.
    """

    snapshot: int
    holdings: Mapping[str, Holding] | None


def reconcile(
    day: date,
    stored: Closing,
    known: Closing,
    since: int,
    settlement: str,
    rates: RateTable,
) -> Reconciliation:
    """Compare the end of `day` as it was stored with the same by what is known now.

    `since` is net and FX of the days after it.
    """
    difference = known.snapshot - stored.snapshot
    parts = [Part("unknown", None, difference)]
    if stored.holdings is not None and known.holdings is not None:
        parts = _parts(day, stored.holdings, known.holdings, settlement, rates)
        explained = sum(part.difference for part in parts)
        parts.append(Part("exchange_rate", None, difference - explained))
    parts = [part for part in parts if part.difference]
    parts.sort(key=lambda part: -abs(part.difference))
    return Reconciliation(
        carried_from=day,
        carried=stored.snapshot + since,
        recomputed=known.snapshot + since,
        cause=_main_cause(parts),
        parts=tuple(parts[:_MOST_PARTS]),
    )


def _main_cause(parts: Sequence[Part]) -> str | None:
    """Return the cause of most of it; gains and losses don't cancel each other."""
    sizes: dict[str, int] = {}
    for part in parts:
        sizes[part.cause] = sizes.get(part.cause, 0) + abs(part.difference)
    return max(
        (cause for cause in CAUSES if cause in sizes),
        key=lambda cause: sizes[cause],
        default=None,
    )


def _parts(
    day: date,
    stored: Mapping[str, Holding],
    known: Mapping[str, Holding],
    settlement: str,
    rates: RateTable,
) -> list[Part]:
    """Return each subscription's difference at the rates that are known now.

    A currency's parts are rounded together: they sum to what its whole differs by.
    """
    steps: dict[str, list[tuple[str, str, int]]] = {}
    for name in sorted({*stored, *known}):
        before, after = stored.get(name), known.get(name)
        if before != after:
            cause = _cause(before, after)
            for currency, step in _steps(before, after):
                steps.setdefault(currency, []).append((name, cause, step))
    found: list[Part] = []
    for currency, own in steps.items():
        rate = rates.on(currency, settlement, day)
        if rate is None:
            continue
        was, now = (_total(each, currency) for each in (stored, known))
        whole = converted(now, currency, settlement, rate)
        whole -= converted(was, currency, settlement, rate)
        amounts = shares([step * rate for _, _, step in own], whole)
        found.extend(
            Part(cause, name, amount)
            for (name, cause, _), amount in zip(own, amounts, strict=True)
        )
    return found


def _total(holdings: Mapping[str, Holding], currency: str) -> int:
    return sum(one.minor for one in holdings.values() if one.currency == currency)


def _steps(before: Holding | None, after: Holding | None) -> list[tuple[str, int]]:
    """Return by how much a subscription differs, per currency."""
    steps: dict[str, int] = {}
    if before is not None:
        steps[before.currency] = -before.minor
    if after is not None:
        steps[after.currency] = steps.get(after.currency, 0) + after.minor
    return [(currency, step) for currency, step in steps.items() if step]


def _cause(before: Holding | None, after: Holding | None) -> str:
    """Tell what two worths of one subscription at one instant differ by.

    Another price or quantity needs an event; another amount of the same does not.
    """
    if before is None or after is None or before.prices != after.prices:
        return "missed_event"
    if before.minor - before.usage == after.minor - after.usage:
        return "usage_invoice"
    return "coupon_end" if before.discounts != after.discounts else "price_edit"
