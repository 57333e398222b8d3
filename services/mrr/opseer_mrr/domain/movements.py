"""What moved MRR, day by day: new, expansion, contraction, churned, and FX apart.

Net per subscription and day, so that order and duplicates of events do not matter. In
each row snapshot[d] = snapshot[d-1] + net[d] + fx[d], and the last snapshot is exactly
what snapshot.py computes from the live subscriptions at the same instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from opseer_common.contracts.subscription import (
    Price,
    Subscription,
    SubscriptionChange,
)
from opseer_common.days import ONE_DAY, DayRange
from opseer_common.money import shares
from opseer_mrr.domain.book import Book, Told
from opseer_mrr.domain.drafts import (
    Draft,
    Window,
    course_of,
    window_of,
)
from opseer_mrr.domain.gaps import Gap
from opseer_mrr.domain.normalise import arithmetic
from opseer_mrr.domain.policy import Policy
from opseer_mrr.domain.rates import RateTable, converted
from opseer_mrr.domain.rows import DayRow, MovementChange, Movements
from opseer_mrr.domain.snapshot import NO_RATE, settle
from opseer_mrr.domain.standing import standing
from opseer_mrr.domain.timeline import build_timelines
from opseer_mrr.domain.words import standing_words

MISSED_EVENT = "MISSED_EVENT"


@dataclass(slots=True)
class _Sums:
    """One row's sums while it is made."""

    amounts: dict[str, int] = field(default_factory=dict)
    reactivation: int = 0

    def add(self, category: str, amount: int, *, reactivation: bool) -> None:
        """Add an amount to a category."""
        self.amounts[category] = self.amounts.get(category, 0) + amount
        if reactivation:
            self.reactivation += amount


def compute_movements(  # noqa: PLR0913 - the inputs of the figures, all named
    live: Sequence[Subscription],
    changes: Iterable[SubscriptionChange],
    policy: Policy,
    settlement: str,
    rates: RateTable,
    *,
    days: DayRange,
    tz: ZoneInfo,
    now: datetime,
    past_customers: Iterable[str] = (),
    closings: Iterable[date] = (),
) -> Movements:
    """Return the movements of `days` in `tz`, from today's state backwards.

    `live` are the states at the aware instant `now` (ended ones may be left out),
    `changes` every known change, in any order. Days after `now` are left out.
    `past_customers` had MRR before all this. `closings` are days of which each
    subscription's worth at their end is told too.
    """
    window = window_of(days, tz, now)
    told = Told(window, policy, set(past_customers), closings)
    for line in build_timelines(live, changes, policy, window.start, window.now):
        told.add(course_of(line, policy, window))
    terms = _Terms(policy, settlement, rates, window)
    book = told.book
    before = settle(book.balances, settlement, rates, window.days.first - ONE_DAY)
    done = []
    for day in window.days:
        drafts = told.drafts.get(day, [])
        drafts.sort(key=lambda one: one.subscription_id)
        done.append(_day(day, drafts, book, terms))
    return _joined(before, done, told, terms)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What every day is computed under."""

    policy: Policy
    settlement: str
    rates: RateTable
    window: Window


@dataclass(frozen=True, slots=True)
class _Day:
    """One day before its rows are joined to the days around it."""

    day: date
    fx: int
    subscriptions: _Sums
    customers: _Sums
    started: int
    stopped: int
    changes: tuple[MovementChange, ...]
    without_rate: bool


def _day(day: date, drafts: Sequence[Draft], book: Book, terms: _Terms) -> _Day:
    """Compute one day and carry the book over it."""
    opening = dict(book.balances)
    paid = {draft.customer: book.paying.get(draft.customer, 0) > 0 for draft in drafts}
    for draft in drafts:
        book.move(draft.customer, draft.currency, draft.before, draft.after)
    currencies = set(book.balances)
    settled = _settled(day, drafts, opening, book.balances, terms)
    changes = []
    by_subscription, by_customer = _Sums(), _Sums()
    for place, draft in enumerate(drafts):
        back = draft.customer in book.former and not paid[draft.customer]
        change = _change(draft, settled[place], terms, reactivation=back)
        changes.append(change)
        by_subscription.add(
            change.category,
            change.settlement_minor or 0,
            reactivation=change.reactivation,
        )
    changes = _by_customers(by_customer, changes, paid, book)
    yesterday = settle(opening, terms.settlement, terms.rates, day - ONE_DAY)
    revalued = settle(opening, terms.settlement, terms.rates, day)
    # Who came and went within the day has paid before, too.
    book.former.update(
        draft.customer
        for draft in drafts
        if draft.started or book.paying[draft.customer] > 0
    )
    return _Day(
        day=day,
        fx=revalued - yesterday,
        subscriptions=by_subscription,
        customers=by_customer,
        started=sum(draft.started for draft in drafts),
        stopped=sum(draft.stopped for draft in drafts),
        changes=_numbered(changes),
        without_rate=any(
            (opening.get(currency) or book.balances[currency])
            and terms.rates.on(currency, terms.settlement, day) is None
            for currency in currencies
        ),
    )


def _settled(
    day: date,
    drafts: Sequence[Draft],
    opening: Mapping[str, int],
    closing: Mapping[str, int],
    terms: _Terms,
) -> list[int | None]:
    """Return each change in the settlement currency, at the day's rate.

    A currency's changes are rounded together, by largest remainder, so that they sum
    to what the converted balance moved by: FX is nil where the rate did not change.
    """
    result: list[int | None] = [
        0 if one.before == one.after else None for one in drafts
    ]
    for currency in {draft.currency for draft in drafts}:
        rate = terms.rates.on(currency, terms.settlement, day)
        if rate is None:
            continue
        places = [
            place
            for place, one in enumerate(drafts)
            if one.currency == currency and one.before != one.after
        ]
        exact = [(drafts[i].after - drafts[i].before) * rate for i in places]
        end = converted(closing.get(currency, 0), currency, terms.settlement, rate)
        start = converted(opening.get(currency, 0), currency, terms.settlement, rate)
        for place, amount in zip(places, shares(exact, end - start), strict=True):
            result[place] = amount
    return result


def _change(
    draft: Draft, settled: int | None, terms: _Terms, *, reactivation: bool
) -> MovementChange:
    """Return the record of one subscription's change."""
    category = _category(draft.before, draft.after)
    last = terms.window.last_instant(draft.day)
    first = terms.window.last_instant(draft.day - ONE_DAY)
    back = reactivation and category == "new"
    reason = "reactivated" if back and draft.reason == "new" else draft.reason
    return MovementChange(
        day=draft.day,
        subscription_id=draft.subscription_id,
        position=0,
        customer_id=draft.customer,
        category=category,
        reason=reason,
        reactivation=back,
        currency=draft.currency,
        before_minor=draft.before,
        after_minor=draft.after,
        settlement_minor=settled,
        event_ids=draft.event_ids,
        arithmetic_before=_words(draft.states[0], terms.policy, first),
        arithmetic_after=_words(draft.states[1], terms.policy, last)
        + tuple(gap.words() for gap in draft.gaps),
        plans=_plans(draft),
    )


def _plans(draft: Draft) -> tuple[Price, ...]:
    """Return the prices that a subscription is on, or was on before it went."""
    earlier, later = draft.states
    state = later if draft.after and later is not None else earlier or later
    return () if state is None else tuple(item.price for item in state.items)


def _words(state: Subscription | None, policy: Policy, at: int) -> tuple[str, ...]:
    """Return the arithmetic of a state, with why it does not count if so."""
    if state is None:
        return ()
    stands = standing(state, policy, at)
    return arithmetic(state, policy, at) + standing_words(stands, state)


def _category(before: int, after: int) -> str:
    """Classify a change by its two ends."""
    if before == after:
        return "none"
    if not before:
        return "new"
    if not after:
        return "churned"
    return "expansion" if after > before else "contraction"


def _by_customers(
    sums: _Sums,
    changes: Sequence[MovementChange],
    paid: Mapping[str, bool],
    book: Book,
) -> list[MovementChange]:
    """Net the day's changes per customer, classify those (as Stripe does), add them.

    Returns the changes with what their customer's net is.
    """
    nets: dict[str, int] = {}
    for change in changes:
        net = nets.get(change.customer_id, 0)
        nets[change.customer_id] = net + (change.settlement_minor or 0)
    judged: dict[str, tuple[str, bool]] = {}
    for customer, net in nets.items():
        pays = book.paying[customer] > 0
        back = customer in book.former and not paid[customer] and pays
        category = "none"
        if paid[customer] != pays:
            category = "new" if pays else "churned"
        elif net:
            category = "expansion" if net > 0 else "contraction"
        sums.add(category, net, reactivation=back)
        judged[customer] = category, back
    return [
        replace(
            change,
            customer_category=judged[change.customer_id][0],
            customer_reactivation=judged[change.customer_id][1],
        )
        for change in changes
    ]


def _numbered(changes: Sequence[MovementChange]) -> tuple[MovementChange, ...]:
    """Number the changes of one day and subscription from zero."""
    seen: dict[str, int] = {}
    result = []
    for change in changes:
        position = seen.get(change.subscription_id, 0)
        seen[change.subscription_id] = position + 1
        result.append(replace(change, position=position))
    return tuple(result)


def _joined(opening: int, days: Sequence[_Day], told: Told, terms: _Terms) -> Movements:
    """Chain the days: each snapshot is the last one plus net plus FX."""
    by_subscription, by_customer = [], []
    snapshot = opening
    for day in days:
        snapshot += sum(day.subscriptions.amounts.values()) + day.fx
        gaps = told.gaps.get(day.day, [])
        reason = told.flaws.get(day.day) or (NO_RATE if day.without_rate else None)
        if gaps:
            reason = MISSED_EVENT
        missed = _missed(gaps, day.day, terms)
        by_subscription.append(_row(day, day.subscriptions, snapshot, reason, missed))
        by_customer.append(_row(day, day.customers, snapshot, reason, missed))
    return Movements(
        terms.settlement,
        opening,
        tuple(by_subscription),
        tuple(by_customer),
        tuple(change for day in days for change in day.changes),
        told.closings,
    )


def _missed(gaps: Iterable[Gap], day: date, terms: _Terms) -> int:
    """Return what the steps without an event come to, at the day's rates."""
    steps: dict[str, int] = {}
    for gap in gaps:
        steps[gap.currency] = steps.get(gap.currency, 0) + gap.after - gap.before
    return settle(steps, terms.settlement, terms.rates, day)


def _row(
    day: _Day, sums: _Sums, snapshot: int, reason: str | None, missed: int
) -> DayRow:
    return DayRow(
        day=day.day,
        new=sums.amounts.get("new", 0),
        expansion=sums.amounts.get("expansion", 0),
        contraction=sums.amounts.get("contraction", 0),
        churned=sums.amounts.get("churned", 0),
        of_which_reactivation=sums.reactivation,
        fx=day.fx,
        snapshot=snapshot,
        new_subs=day.started,
        churned_subs=day.stopped,
        reason=reason,
        missed=missed,
    )
