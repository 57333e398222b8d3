"""What all subscriptions tell together, before the days are gone through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from opseer_mrr.domain.drafts import Course, Draft, Window, days_between
from opseer_mrr.domain.former import has_paid
from opseer_mrr.domain.gaps import Gap
from opseer_mrr.domain.holdings import Holding, holding
from opseer_mrr.domain.policy import Policy


@dataclass(slots=True)
class Book:
    """Where things stand between two days.

    `balances` is MRR by currency, `paying` how many of a customer's subscriptions
    are worth something, `former` the customers who ever paid.
    """

    balances: dict[str, int] = field(default_factory=dict)
    paying: dict[str, int] = field(default_factory=dict)
    former: set[str] = field(default_factory=set)

    def move(self, customer: str, currency: str, before: int, after: int) -> None:
        """Carry one subscription's change into the book."""
        self.balances[currency] = self.balances.get(currency, 0) + after - before
        step = (after > 0) - (before > 0)
        self.paying[customer] = self.paying.get(customer, 0) + step


class Told:
    """What all subscriptions tell together, one after the other."""

    def __init__(
        self,
        window: Window,
        policy: Policy,
        former: set[str],
        closings: Iterable[date],
    ) -> None:
        """Begin with nothing; `former` are customers who had MRR before all this."""
        self._window = window
        self._policy = policy
        self.book = Book(former=former)
        self.drafts: dict[date, list[Draft]] = {}
        self.flaws: dict[date, str] = {}
        self.gaps: dict[date, list[Gap]] = {}
        self.closings: dict[date, dict[str, Holding]] = {day: {} for day in closings}
        self._ends = {day: window.last_instant(day) for day in self.closings}

    def add(self, course: Course) -> None:
        """Add one subscription's course."""
        self._open(course)
        for draft in course.drafts:
            self.drafts.setdefault(draft.day, []).append(draft)
        for first, last, reason in course.flaws:
            self.flaws.update(dict.fromkeys(days_between(first, last), reason))
        for gap in course.gaps:
            self.gaps.setdefault(self._window.day_of(gap.at), []).append(gap)
        for day, closing in self.closings.items():
            held = holding(course.at_end_of(day), self._policy, self._ends[day])
            if held is not None:
                closing[course.subscription_id] = held

    def _open(self, course: Course) -> None:
        """Enter what it was worth before the first day."""
        if course.opening is None:
            return
        state, found = course.opening
        if found.minor or has_paid(state, self._policy, self._window.start - 1):
            self.book.former.add(course.customer)
        if found.minor:
            self.book.move(course.customer, found.currency, 0, found.minor)
