"""Polar's API: organizations, metrics, orders, refunds.

GET /v1/organizations/, /v1/metrics/, /v1/metrics/limits, /v1/orders/, /v1/refunds/;
Authorization: Bearer polar_oat_…
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web

from opseer_simulator.channels.days import Days
from opseer_simulator.channels.door import ChannelLimits, Door
from opseer_simulator.channels.serving import guarded, json_response
from opseer_simulator.polar import refusals
from opseer_simulator.polar.figures import FIGURES, Bucket, Chosen, buckets_of
from opseer_simulator.polar.objects import (
    moment,
    order_json,
    organization_json,
    refund_json,
)
from opseer_simulator.polar.shop import Order, Refunded
from opseer_simulator.polar.slugs import LAST, TYPES, title_of
from opseer_simulator.polar.world import World

_MIN_DATE = date(2023, 1, 1)
_MAX_DAYS = {"hour": 7, "day": 366, "week": 732, "month": 3660, "year": 7320}
_PAGE = 10
_MOST_PAGE = 100
_PER_MINUTE = 500
_SANDBOX_PER_MINUTE = 100
_HOUR = 3600

Record = TypeVar("Record")

_ORDER_KEYS: dict[str, Callable[[Order], int]] = {
    "created_at": lambda order: order.at,
    "amount": lambda order: order.net + order.tax,
    "net_amount": lambda order: order.net,
}
_REFUND_KEYS: dict[str, Callable[[Refunded], int]] = {
    "created_at": lambda refund: refund.at,
    "amount": lambda refund: refund.amount,
}


def polar_door(keys: tuple[str, ...], *, sandbox: bool) -> Door:
    """Return the door of Polar's API, with the limits of the environment."""
    most = _SANDBOX_PER_MINUTE if sandbox else _PER_MINUTE
    limits = ChannelLimits({refusals.DOMAIN: most})
    return Door(keys=keys, rights=refusals.RIGHTS, limits=limits)


def polar_app(world: World, door: Door) -> web.Application:
    """Return Polar's API over a world."""
    app = web.Application(middlewares=[guarded(door, refusals.PolarDialect())])
    api = _Api(world, door)
    app.router.add_get("/v1/organizations/", api.organizations)
    app.router.add_get("/v1/metrics/", api.metrics)
    app.router.add_get("/v1/metrics/limits", api.limits)
    app.router.add_get("/v1/orders/", api.orders)
    app.router.add_get("/v1/refunds/", api.refunds)
    return app


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request for metrics asks; `edges` are the borders of its periods."""

    edges: list[int]
    slugs: tuple[str, ...]
    chosen: Chosen


class _Api:
    """The handlers of `/v1`."""

    def __init__(self, world: World, door: Door) -> None:
        self._world = world
        self._door = door

    async def organizations(self, request: web.Request) -> web.Response:
        """GET /v1/organizations/."""
        self._may(refusals.ORGANIZATIONS)
        shops = [self._world.shop()] * self._world.settings.organizations
        slug = request.query.get("slug")
        items = [organization_json(shop) for shop in shops]
        return _paged(request, [i for i in items if slug in {None, i["slug"]}])

    async def metrics(self, request: web.Request) -> web.Response:
        """GET /v1/metrics/."""
        self._may(refusals.METRICS)
        asked = _asked(request)
        shop, now = self._world.shop(), self._world.now()
        organizations = request.query.getall("organization_id", [shop.organization])
        if shop.organization not in organizations:
            asked = _Asked(asked.edges, asked.slugs, Chosen(products=frozenset()))
        buckets = buckets_of(shop, asked.edges, asked.chosen, now)
        slugs = [s for s in asked.slugs if s not in self._world.settings.absent]
        return json_response(_metrics_json(buckets, slugs))

    async def limits(self, _request: web.Request) -> web.Response:
        """GET /v1/metrics/limits."""
        self._may(refusals.METRICS)
        return json_response(
            {
                "min_date": _MIN_DATE,
                "intervals": {
                    interval: {"min_days": 0, "max_days": most}
                    for interval, most in _MAX_DAYS.items()
                },
            }
        )

    async def orders(self, request: web.Request) -> web.Response:
        """GET /v1/orders/, newest first unless sorted otherwise."""
        self._may(refusals.ORDERS)
        shop, query = self._world.shop(), request.query
        after = _instant(request, "created_after")
        before = _instant(request, "created_before")
        found = [
            order
            for order in _sorted(request, shop.orders, _ORDER_KEYS)
            if (after is None or order.at > after)
            and (before is None or order.at < before)
        ]
        items = [order_json(order, shop) for order in found]
        for name in ("status", "customer_id", "product_id", "subscription_id"):
            wanted = query.getall(name, [])
            items = [i for i in items if not wanted or i[name] in wanted]
        return _paged(request, items)

    async def refunds(self, request: web.Request) -> web.Response:
        """GET /v1/refunds/, newest first unless sorted otherwise."""
        self._may(refusals.REFUNDS)
        shop, query = self._world.shop(), request.query
        items = [
            refund_json(r, shop) for r in _sorted(request, shop.refunds, _REFUND_KEYS)
        ]
        for name in ("id", "order_id", "customer_id", "subscription_id"):
            wanted = query.getall(name, [])
            items = [i for i in items if not wanted or i[name] in wanted]
        succeeded = query.get("succeeded")
        if succeeded is not None:
            is_true = succeeded.lower() in {"true", "1"}
            items = [i for i in items if (i["status"] == "succeeded") is is_true]
        return _paged(request, items)

    def _may(self, scope: str) -> None:
        if scope in self._door.missing:
            raise refusals.lacking(scope)


def _asked(request: web.Request) -> _Asked:
    """Return what is asked; ChannelRefusal 422 for what does not fit."""
    query = request.query
    interval = query.get("interval", "")
    if interval not in _MAX_DAYS:
        raise refusals.invalid(("interval", "Input should be an interval", "enum"))
    first, last = _date(request, "start_date"), _date(request, "end_date")
    try:
        zone = ZoneInfo(query.get("timezone", "UTC"))
    except (ValueError, ZoneInfoNotFoundError):
        raise refusals.invalid(("timezone", "Invalid timezone", "enum")) from None
    _check_range(first, last, interval)
    slugs = tuple(query.getall("metrics", list(TYPES)))
    if unknown := [slug for slug in slugs if slug not in TYPES]:
        text = f"Invalid metric slug(s): {', '.join(unknown)}"
        raise refusals.invalid(("metrics", text, "value_error"))
    return _Asked(_edges(first, last, interval, zone), slugs, _chosen(request))


def _check_range(first: date, last: date, interval: str) -> None:
    """Raise ChannelRefusal 422 for days that are too early, too many or reversed."""
    if first < _MIN_DATE:
        text = f"Start date must be after {_MIN_DATE}"
        raise refusals.invalid(("start_date", text, "value_error"))
    if last < first:
        text = "End date must be after start date"
        raise refusals.invalid(("end_date", text, "value_error"))
    if (last - first).days > _MAX_DAYS[interval]:
        text = f"The maximum for this interval is {_MAX_DAYS[interval]} days"
        raise refusals.invalid(
            ("start_date", text, "value_error"), ("end_date", text, "value_error")
        )


def _chosen(request: web.Request) -> Chosen:
    query = request.query
    products = query.getall("product_id", [])
    customers = query.getall("customer_id", [])
    kinds = set(query.getall("billing_type", []))
    return Chosen(
        products=frozenset(products) if products else None,
        customers=frozenset(customers) if customers else None,
        recurring=("recurring" in kinds) if len(kinds) == 1 else None,
    )


def _edges(first: date, last: date, interval: str, zone: ZoneInfo) -> list[int]:
    """Return the borders of the whole periods that the days lie in."""
    days = Days(zone)
    if interval == "hour":
        return list(range(days.start(first), days.end(last) + 1, _HOUR))
    edges, day = [], _floor(first, interval)
    while day <= last:
        edges.append(days.start(day))
        day = _next(day, interval)
    return [*edges, days.start(day)]


def _floor(day: date, interval: str) -> date:
    if interval == "week":
        return day - timedelta(days=day.weekday())
    if interval == "month":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if interval == "year" else day


def _next(day: date, interval: str) -> date:
    if interval == "month":
        return (day + timedelta(days=31)).replace(day=1)
    if interval == "year":
        return day.replace(year=day.year + 1)
    return day + timedelta(days=7 if interval == "week" else 1)


def _metrics_json(buckets: Sequence[Bucket], slugs: Sequence[str]) -> dict[str, Any]:
    periods = [
        {
            "timestamp": moment(bucket.start),
            **{slug: _value(slug, bucket) for slug in slugs},
        }
        for bucket in buckets
    ]
    totals: dict[str, Any] = {}
    for slug in slugs:
        values = [period[slug] for period in periods]
        totals[slug] = values[-1] if slug in LAST else sum(values)
    return {
        "periods": periods,
        "totals": totals,
        "metrics": {
            slug: {"slug": slug, "display_name": title_of(slug), "type": TYPES[slug]}
            for slug in slugs
        },
    }


def _value(slug: str, bucket: Bucket) -> Any:
    """Return a slug's value: an integer, or with decimals where it is a ratio."""
    if slug.startswith("canceled_subscriptions_"):
        why = slug.removeprefix("canceled_subscriptions_")
        return sum(1 for sub in bucket.canceled if sub.why == why)
    if slug not in FIGURES:
        return 0
    value = Fraction(FIGURES[slug][1](bucket))
    return int(value) if value.denominator == 1 else float(value)


def _date(request: web.Request, name: str) -> date:
    text = request.query.get(name)
    if text is None:
        raise refusals.invalid((name, "Field required", "missing"))
    try:
        return date.fromisoformat(text)
    except ValueError:
        text = "Input should be a valid date"
        raise refusals.invalid((name, text, "date_from_datetime_parsing")) from None


def _instant(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        text = "Input should be a valid datetime"
        raise refusals.invalid((name, text, "datetime_parsing")) from None


def _sorted(
    request: web.Request,
    records: Sequence[Record],
    keys: Mapping[str, Callable[[Record], int]],
) -> list[Record]:
    """Return records in the order asked for, newest first if none is."""
    criteria = request.query.getall("sorting", ["-created_at"])
    result = list(records)
    for criterion in reversed(criteria):
        key = keys.get(criterion.removeprefix("-"))
        if key is None:
            raise refusals.invalid(("sorting", "Invalid sorting criterion", "enum"))
        result.sort(key=key, reverse=criterion.startswith("-"))
    return result


def _paged(request: web.Request, items: Sequence[Any]) -> web.Response:
    """Return a page of a list; the greatest page has 100."""
    page = _positive(request, "page", 1)
    limit = min(_positive(request, "limit", _PAGE), _MOST_PAGE)
    start = (page - 1) * limit
    return json_response(
        {
            "items": items[start : start + limit],
            "pagination": {
                "total_count": len(items),
                "max_page": -(-len(items) // limit),
            },
        }
    )


def _positive(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdecimal() or not int(text):
        text = "Input should be greater than 0"
        raise refusals.invalid((name, text, "greater_than"))
    return int(text)
