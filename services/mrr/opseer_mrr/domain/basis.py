"""Who pays at the end of each day, by today's state and the changes of the days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from opseer_common.contracts.subscription import Subscription
from opseer_common.days import DayRange
from opseer_mrr.domain.policy import Policy
from opseer_mrr.domain.rows import MovementChange
from opseer_mrr.domain.snapshot import value


@dataclass(frozen=True, slots=True)
class Payers:
    """How many customers or subscriptions were worth something at a day's end.

    `new` and `lost` are the day's, by whoever was worth something at one of its ends
    alone; None where the day's changes are not known.
    """

    at_end: int
    new: int | None = None
    lost: int | None = None


@dataclass(frozen=True, slots=True)
class DayBasis:
    """One day."""

    day: date
    customers: Payers
    subscriptions: Payers


def paying_customers(live: Iterable[Subscription], policy: Policy, at: int) -> int:
    """Return how many customers have MRR above zero at `at` (unix seconds)."""
    return len({one.customer for one in live if value(one, policy, at).minor > 0})


def bases(
    days: DayRange,
    customers: int,
    subscriptions: int,
    changes: Sequence[MovementChange] | None,
) -> tuple[DayBasis, ...]:
    """Return every day of `days`, ascending, from the counts at the end of the last.

    `changes` are all of these days; None where they are not known: only the last day's
    counts are, then.
    """
    if changes is None:
        return (DayBasis(days.last, Payers(customers), Payers(subscriptions)),)
    by_customer = _ends({(c.day, c.customer_id, c.customer_category) for c in changes})
    by_subscription = _subscription_ends(changes)
    found = []
    for day in reversed([*days]):
        came, went = by_customer.get(day, (0, 0))
        started, stopped = by_subscription.get(day, (0, 0))
        found.append(
            DayBasis(
                day,
                Payers(customers, came, went),
                Payers(subscriptions, started, stopped),
            )
        )
        customers += went - came
        subscriptions += stopped - started
    return tuple(reversed(found))


def _subscription_ends(
    changes: Iterable[MovementChange],
) -> dict[date, tuple[int, int]]:
    """Count subscriptions; a change of currency leaves and joins, and is neither."""
    worths: dict[tuple[date, str], tuple[int, int]] = {}
    for one in changes:
        before, after = worths.get((one.day, one.subscription_id), (0, 0))
        worths[one.day, one.subscription_id] = (
            before + one.before_minor,
            after + one.after_minor,
        )
    return _ends(
        {
            (day, name, "churned" if before else "new")
            for (day, name), (before, after) in worths.items()
            if (before > 0) != (after > 0)
        }
    )


def _ends(kinds: Iterable[tuple[date, str, str]]) -> dict[date, tuple[int, int]]:
    """Count the new and the churned of each day."""
    found: dict[date, tuple[int, int]] = {}
    for day, _, kind in kinds:
        new, lost = found.get(day, (0, 0))
        found[day] = (new + (kind == "new"), lost + (kind == "churned"))
    return found
