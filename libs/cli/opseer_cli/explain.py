"""`opseer explain`: the figures of Stripe JSON without any service running.

`explain_cases` reads made-up cases and gives what the product would show for each;
`explain_words` says the arithmetic of subscriptions in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final
from urllib.parse import quote

import msgspec

from opseer_cli.explain_events import explain_events
from opseer_collector.providers.stripe.shapes import Node, ShapeError, node
from opseer_collector.providers.stripe.subscriptions import (
    Known,
    change_from,
    order_events,
    subscription_from,
)
from opseer_collector.providers.stripe.taxes import rates_from, taxed_items
from opseer_collector.providers.stripe.usage import usage_from
from opseer_common.contracts.subscription import Subscription, SubscriptionChange
from opseer_common.days import DayRange, zone
from opseer_common.errors import RefusedError
from opseer_mrr.domain.movements import compute_movements
from opseer_mrr.domain.normalise import arithmetic
from opseer_mrr.domain.policy import Policy, policy_from
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.rows import DayRow
from opseer_mrr.domain.snapshot import compute_snapshot
from opseer_mrr.domain.standing import standing
from opseer_mrr.domain.words import standing_words

_STRIPE: Final = "https://dashboard.stripe.com"
# Numbers with a point are read exactly.
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder()
_EPOCH = datetime.fromtimestamp(0, UTC)
_replace = msgspec.structs.replace


def explain_cases(document: bytes) -> Iterator[str]:
    """Yield one JSON line per case: its id and its result, or its error.

    The document is `{"cases": [{id, kind, policy?, input}]}`. Raises RefusedError
    (INVALID_CASES) where it is not; what is wrong inside a case is that case's error.
    """
    try:
        cases = list(node(_DECODER.decode(document), "document").nodes("cases"))
    except (msgspec.DecodeError, ShapeError) as error:
        raise RefusedError("INVALID_CASES", f"The file has no cases: {error}") from None
    for case in cases:
        yield _ENCODER.encode(_answer(case)).decode()


def _answer(case: Node) -> dict[str, object]:
    """Return a case's line."""
    case_id = case.fields.get("id")
    try:
        result = _result(case)
    except (RefusedError, ValueError, OverflowError) as error:
        return {"id": case_id, "error": str(error)}
    return {"id": case_id, "result": result}


def _result(case: Node) -> dict[str, object]:
    kinds: Mapping[str, Callable[[Node, Policy], dict[str, object]]] = {
        "snapshot": _snapshot,
        "movements": _movements,
    }
    kind = kinds.get(case.text("kind"))
    if kind is None:
        raise ShapeError(case.at("kind"), "snapshot or movements")
    given = case.opt_node("input")
    if given is None:
        raise ShapeError(case.at("input"), "an object")
    return kind(given, policy_from(case.fields.get("policy") or {}, default="stripe"))


def _snapshot(given: Node, policy: Policy) -> dict[str, object]:
    """Return MRR of `subscriptions` at `as_of`."""
    shown = _objects(given, "subscriptions")
    known = _known(given, shown)
    states = [_state(one, known) for one in shown]
    settlement, rates = _rates(given, states)
    at = _EPOCH + timedelta(seconds=given.integer("as_of"))
    day = given.opt_text("as_of_day")
    found = compute_snapshot(
        states,
        policy,
        settlement,
        rates,
        at,
        zone(policy.timezone),
        rates_day=None if day is None else date.fromisoformat(day),
    )
    return {
        "mrr": dict(found.native),
        "unconverted": dict(found.unconverted),
        "settlement": found.mrr,
        "active_subscriptions": found.active_subscriptions,
    }


def _movements(given: Node, policy: Policy) -> dict[str, object]:
    """Return the days `from` to `to` forwards: `initial`, then `events`."""
    days = DayRange(_day(given, "from"), _day(given, "to"))
    tz = zone(policy.timezone)
    start, end = days.bounds(tz)
    shown, events = _objects(given, "initial"), _objects(given, "events")
    known = _known(given, [*shown, *_told(events)])
    # Initial subscriptions were there before the first day, whatever they say.
    earlier = int(start.timestamp()) - 1
    initial = [
        _replace(state, created=min(state.created, earlier))
        for state in (_state(one, known) for one in shown)
    ]
    changes = list(_chained(initial, events, known))
    last = {state.id: state for state in initial}
    last.update({change.subscription_id: change.after for change in changes})
    settlement, rates = _rates(given, [*initial, *last.values()])
    found = compute_movements(
        list(last.values()),
        changes,
        policy,
        settlement,
        rates,
        days=days,
        tz=tz,
        now=end - timedelta(seconds=1),
        past_customers=[
            str(one) for one, _ in given.entries("customers_with_past_mrr")
        ],
    )
    return {
        "grain_subscription": _rows(found.by_subscription),
        "grain_customer": _rows(found.by_customer),
    }


def _rows(rows: Iterable[DayRow]) -> dict[str, dict[str, int]]:
    return {
        row.day.isoformat(): {
            "new": row.new,
            "expansion": row.expansion,
            "contraction": row.contraction,
            "churned": row.churned,
            "net": row.net,
            "of_which_reactivation": row.of_which_reactivation,
            "fx": row.fx,
            "snapshot": row.snapshot,
        }
        for row in rows
    }


def _chained(
    initial: Iterable[Subscription],
    events: Iterable[Mapping[str, object]],
    known: Known,
) -> Iterator[SubscriptionChange]:
    """Yield the events' changes, each from the state that the one before it left."""
    states = {state.id: state for state in initial}
    # Cases are written oldest first; Stripe lists the newest first.
    for position, event in order_events(list(events)[::-1]):
        change = change_from(event, position, known)
        if change is None:
            continue
        before = states.get(change.subscription_id, change.before)
        after = change.after
        since = _past_due_since(node(event, "event"))
        if since is not None:
            after = _replace(after, past_due_since=since)
        if before is not None:
            after = _replace(after, created=min(after.created, before.created))
        states[change.subscription_id] = after
        yield _replace(
            change, before=None if change.kind == "created" else before, after=after
        )


def _known(given: Node, shown: Iterable[Mapping[str, object]]) -> Known:
    """Return what `invoices` tell of the subscriptions: of usage, and of taxes."""
    invoices = _objects(given, "invoices")
    if not invoices:
        return Known()
    rows = list(shown)
    taxed = frozenset[str]().union(*(items for _, items in taxed_items(rows)))
    metered = frozenset(
        item.id
        for one in rows
        for item in subscription_from(one, Known()).items
        if item.price.usage_type == "metered"
    )
    return Known(
        usage=usage_from(invoices, metered), tax_rates=rates_from(invoices, taxed)
    )


def _told(events: Iterable[Mapping[str, object]]) -> Iterator[Mapping[str, object]]:
    """Yield the subscriptions that events show."""
    for event in events:
        data = node(event, "event").opt_node("data")
        shown = None if data is None else data.opt_node("object")
        if shown is not None:
            yield shown.fields


def _past_due_since(event: Node) -> int | None:
    data = event.opt_node("data")
    shown = None if data is None else data.opt_node("object")
    return None if shown is None else shown.opt_integer("_past_due_since")


def _state(fields: Mapping[str, object], known: Known) -> Subscription:
    """Return a subscription; cases say since when it is past_due beside its fields."""
    since = node(fields, "subscription").opt_integer("_past_due_since")
    return _replace(subscription_from(fields, known), past_due_since=since)


def _objects(given: Node, key: str) -> list[Mapping[str, object]]:
    """Return an array of objects, with `{repeat, template}` written out."""
    found: list[Mapping[str, object]] = []
    for one in given.nodes(key):
        template = one.opt_node("template")
        if template is None:
            found.append(one.fields)
            continue
        for number in range(1, one.integer("repeat") + 1):
            copy = dict(template.fields)
            for name in ("id", "customer"):
                copy[name] = f"{template.text(name)}_{number}"
            found.append(copy)
    return found


def _day(given: Node, key: str) -> date:
    try:
        return date.fromisoformat(given.text(key))
    except ValueError:
        raise ShapeError(given.at(key), "a day") from None


def _rates(given: Node, states: Iterable[Subscription]) -> tuple[str, RateTable]:
    """Return the settlement currency and the rates; without any, the first one's."""
    fx = given.opt_node("fx")
    if fx is None:
        first = next((state.currency for state in states), "usd")
        return first, RateTable()
    settlement = fx.text("settlement").lower()
    days = fx.opt_node("rates") or node({}, fx.at("rates"))
    table = []
    for day in days.fields:
        by_currency = days.opt_node(day) or node({}, days.at(day))
        for currency in by_currency.fields:
            rate = Fraction(by_currency.opt_decimal(currency) or "0")
            table.append((currency.lower(), settlement, _day_of(day, days), rate))
    return settlement, RateTable.from_major(table)


def _day_of(text: str, where: Node) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ShapeError(where.path, "days") from None


def explain_words(document: bytes, policy: Policy, at: datetime) -> Iterator[str]:
    """Yield the arithmetic of Stripe subscription JSON in words, line by line.

    The document is one subscription or event, or an array or list of them: events,
    newest first, are told by what they moved. `at` is the aware instant to value
    subscriptions at. Raises RefusedError(INVALID_JSON) for anything else.
    """
    instant = int(at.timestamp())
    try:
        found = list(_shown(_DECODER.decode(document)))
        if found and found[0].fields.get("object") == "event":
            yield from explain_events([one.fields for one in found], policy)
            return
        for shown in found:
            state = subscription_from(shown.fields, Known())
            yield f"{state.id} ({state.status}, customer {state.customer})"
            for line in arithmetic(state, policy, instant):
                yield f"  {line}"
            for line in standing_words(standing(state, policy, instant), state):
                yield f"  {line}"
            if shown.has("livemode"):
                mode = "" if shown.flag("livemode") else "/test"
                yield f"  {_STRIPE}{mode}/subscriptions/{quote(state.id, safe='')}"
    except (msgspec.DecodeError, ShapeError) as error:
        raise RefusedError(
            "INVALID_JSON", f"That is no subscription: {error}"
        ) from None


def _shown(document: object) -> Iterator[Node]:
    """Yield the objects of a document as they are."""
    one = isinstance(document, Mapping) and document.get("object") == "event"
    if isinstance(document, Mapping) and (one or "data" not in document):
        document = {"data": [document]}
    if isinstance(document, list):
        document = {"data": document}
    yield from node(document, "document").nodes("data")
