"""The rows and records that movements are told in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from opseer_common.contracts.subscription import Price
from opseer_mrr.domain.holdings import Holding


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day's movements in minor units of the settlement currency.

    contraction and churned are zero or less. `reason` is None for a complete day.
    `missed` is the part of net that no event tells.
    """

    day: date
    new: int
    expansion: int
    contraction: int
    churned: int
    of_which_reactivation: int
    fx: int
    snapshot: int
    new_subs: int
    churned_subs: int
    reason: str | None
    missed: int = 0

    @property
    def net(self) -> int:
        """Return the sum of the four categories."""
        return self.new + self.expansion + self.contraction + self.churned

    @property
    def complete(self) -> bool:
        """Tell whether everything of the day was known."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class MovementChange:
    """One subscription behind a day's row.

    `category` is new, expansion, contraction, churned, or none for one that came and
    went. before and after are minor units of `currency`; `settlement_minor` is the
    difference in the settlement currency, None without a rate. The changes of a day
    sum to its row per subscription. `position` counts within day and subscription.
    `plans` are the prices that it is or was on. The `customer_` fields judge all
    changes of the customer's day as one: by them they sum to the row per customer.
    """

    day: date
    subscription_id: str
    position: int
    customer_id: str
    category: str
    reason: str
    reactivation: bool
    currency: str
    before_minor: int
    after_minor: int
    settlement_minor: int | None
    event_ids: tuple[str, ...]
    arithmetic_before: tuple[str, ...]
    arithmetic_after: tuple[str, ...]
    plans: tuple[Price, ...]
    customer_category: str = "none"
    customer_reactivation: bool = False


@dataclass(frozen=True, slots=True)
class Movements:
    """Rows of every day, ascending, in both grains, and the changes behind them.

    `opening` is the snapshot at the end of the day before the first. `closings` are
    what subscriptions were worth at the end of each day that was asked for.
    """

    settlement: str
    opening: int
    by_subscription: tuple[DayRow, ...]
    by_customer: tuple[DayRow, ...]
    changes: tuple[MovementChange, ...]
    closings: Mapping[date, Mapping[str, Holding]] = field(default_factory=dict)
