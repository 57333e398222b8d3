"""One run against Polar: a call for all metrics, and the refunds by their own days."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import aiohttp
import msgspec

from opseer_collector.domain.fetching import (
    Environment,
    Intake,
    ProviderAwayError,
    Request,
)
from opseer_collector.domain.records import (
    Fetched,
    ProjectMetric,
    Quarantined,
    Reported,
    Told,
)
from opseer_collector.domain.reported import MONEY
from opseer_collector.domain.windows import is_over
from opseer_collector.providers import aside
from opseer_collector.providers.attempts import (
    PermissionMissingError,
    Sleep,
    UnreadableError,
)
from opseer_collector.providers.polar import shapes
from opseer_collector.providers.polar.conversion import Conversion
from opseer_collector.providers.polar.dialect import PolarDialect
from opseer_collector.providers.polar.shapes import List, Metrics, PeriodError
from opseer_collector.providers.reading import JsonReader, Place
from opseer_collector.providers.report_run import WHOLE, ReportRun
from opseer_common.days import DayRange, day_of, zone

_USD: Final = "usd"
"""Polar converts what it computes."""
_WINDOW: Final = timedelta(days=92)
"""What every run reads: late payments and refunds change days that are over."""
_PAGE: Final = 100
_METRICS: Final = "metrics"
_REFUNDS: Final = "refunds"
_ORGANIZATIONS: Final = "organizations"
_ORDERS: Final = "orders"
_SLUGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "monthly_recurring_revenue": "mrr",
        "committed_monthly_recurring_revenue": "committed_mrr",
        "trial_monthly_recurring_revenue": "trial_mrr",
        "active_subscriptions": "active_subscriptions",
        "orders": "orders",
        "revenue": "charges_amount",
        "new_subscriptions": "new_subs",
        "churned_subscriptions": "churned_subs",
    }
)
"""Only what is needed: Polar computes nothing else then."""
_NAMES: Final[Mapping[str, Told]] = MappingProxyType(
    {
        **{name: Told(_METRICS, _METRICS) for name in _SLUGS.values()},
        "refunds_amount": Told(_REFUNDS, _REFUNDS),
        "refunds_count": Told(_REFUNDS, _REFUNDS),
    }
)
_OWN: Final = ""
"""The organization of the token, where its id is not known."""


_Read = Callable[[str], Coroutine[Any, Any, None]]


class PolarProvider:
    """The channel `polar`."""

    reports = True

    def __init__(
        self,
        session: aiohttp.ClientSession,
        bases: Mapping[Environment, str],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Call the base of a connection's environment; test is the sandbox."""
        self._session = session
        self._bases = bases
        self._sleep = sleep

    async def fetch(self, request: Request, intake: Intake) -> Fetched:
        """Read everything that is asked for into `intake`.

        Raises KeyRefusedError, ProviderAwayError, Overtaken.
        """
        base = self._bases.get(request.environment)
        if base is None:
            raise ProviderAwayError(f"no server for {request.environment} is set.")
        reader = JsonReader(
            self._session, base, request.key, PolarDialect(), self._sleep
        )
        return await _Fetch(reader, request, intake).run()


class _Fetch:
    """One fetch and what it knows so far."""

    def __init__(self, reader: JsonReader, request: Request, intake: Intake) -> None:
        self._reader = reader
        self._request = request
        self._run = ReportRun(request, intake, ("projects", _METRICS, _REFUNDS))
        self._tz = zone(request.wanted.timezone)
        self._days = DayRange(
            day_of(request.now - _WINDOW, self._tz), day_of(request.now, self._tz)
        )
        self._conversion = Conversion(reader, self._tz)

    async def run(self) -> Fetched:
        """Read all."""
        await self._run.tell("projects", 0)
        projects = self._request.wanted.projects or (_OWN,)
        if self._request.kind != "daily":
            await self._run.permitted(_ORGANIZATIONS, self._probe())
        await self._run.tell("projects", WHOLE)
        await self._each(_METRICS, projects, self._metrics)
        await self._each(_REFUNDS, projects, self._refunds)
        # Only asked for where it is needed: then it is not held against the token.
        self._run.permissions.setdefault(_ORDERS, "unknown")
        return Fetched(
            permissions=self._run.permissions,
            live_lists=frozenset(self._run.live_lists),
            reported=Reported(
                names=_NAMES,
                projects=projects,
                timezone=self._request.wanted.timezone,
                currency=_USD,
                whole=True,
            ),
        )

    async def _probe(self) -> None:
        """Ask whether the token may read organizations."""
        place = Place(f"/v1/{_ORGANIZATIONS}/")
        try:
            await self._reader.get(place, [("limit", "1")], List)
        except UnreadableError:
            self._run.permissions[_ORGANIZATIONS] = "unknown"

    async def _each(self, what: str, projects: Sequence[str], read: _Read) -> None:
        """Read one list of every organization, unless this run did."""
        whole = True
        for number, project in enumerate(projects):
            if not self._run.is_read(what, project):
                try:
                    whole &= await self._run.permitted(what, read(project))
                except UnreadableError as error:
                    whole = False
                    await self._run.lose(what, project, error.path)
            if self._run.is_missing(what):
                break
            await self._run.tell(what, WHOLE * (number + 1) // len(projects))
        if whole:
            self._run.live_lists.add(what)
        await self._run.tell(what, WHOLE)

    async def _metrics(self, project: str) -> None:
        """Read the metrics of every day at once."""
        params = [
            ("start_date", self._days.first.isoformat()),
            ("end_date", self._days.last.isoformat()),
            ("interval", "day"),
            ("timezone", self._request.wanted.timezone),
            *(("metrics", slug) for slug in _SLUGS),
            *_organization(project),
        ]
        answer = await self._reader.get(Place("/v1/metrics/"), params, Metrics)
        slugs = {slug: name in MONEY for slug, name in _SLUGS.items()}
        rows: list[ProjectMetric] = []
        bad: list[Quarantined] = []
        for raw in answer.periods:
            try:
                day = shapes.day_of_period(raw, self._tz)
                if not self._days.first <= day <= self._days.last:
                    continue
                found = shapes.values(raw, slugs, day)
            except PeriodError as error:
                bad.append(
                    aside.of_day(_METRICS, bytes(raw), error.path, error.day, self._tz)
                )
                continue
            rows.extend(
                self._row(project, day, _SLUGS[slug], value)
                for slug, value in found.items()
            )
        await self._run.keep(_METRICS, project, rows, bad)

    async def _refunds(self, project: str) -> None:
        """Read refunds, newest first, until they are older than the window."""
        seen: dict[str, shapes.Refund] = {}
        bad: list[Quarantined] = []
        page = 1
        while True:
            params = [
                ("sorting", "-created_at"),
                ("limit", str(_PAGE)),
                ("page", str(page)),
                *_organization(project),
            ]
            answer = await self._reader.get(Place("/v1/refunds/"), params, List)
            oldest = self._read_page(answer.items, seen, bad)
            if self._is_past(oldest) or page >= answer.pagination.max_page:
                break
            page += 1
        inside = [
            one
            for one in seen.values()
            if one.status == shapes.SUCCEEDED and self._day_of(one) in self._days
        ]
        converted = [await self._in_cents(one, project) for one in inside]
        await self._run.keep(_REFUNDS, project, self._sums(project, converted), bad)

    async def _in_cents(self, refund: shapes.Refund, project: str) -> shapes.Refund:
        """Return a refund in US dollars; as it is where its rate cannot be told."""
        lacking = self._run.is_missing(_ORDERS)
        if refund.currency.lower() == _USD or lacking:
            return refund
        try:
            cents = await self._conversion.cents(refund, _organization(project))
        except PermissionMissingError:
            self._run.permissions[_ORDERS] = "missing"
            return refund
        self._run.permissions[_ORDERS] = "ok"
        if cents is None:
            return refund
        return msgspec.structs.replace(refund, amount=cents, currency=_USD)

    def _day_of(self, refund: shapes.Refund) -> date:
        at = refund.created_at
        return day_of(at if at.tzinfo else at.replace(tzinfo=UTC), self._tz)

    def _read_page(
        self,
        items: Sequence[msgspec.Raw],
        seen: dict[str, shapes.Refund],
        bad: list[Quarantined],
    ) -> datetime | None:
        """Read a page into `seen` and `bad`; return when its oldest was created.

        A row that a newer one pushed onto the next page comes twice.
        """
        oldest: datetime | None = None
        for raw in items:
            at = shapes.created(raw)
            try:
                found = shapes.refund(raw)
            except (msgspec.DecodeError, PeriodError, RecursionError):
                day = None if at is None else day_of(at, self._tz)
                bad.append(
                    aside.of_day(_REFUNDS, bytes(raw), "$.items[]", day, self._tz)
                )
            else:
                seen[found.id] = found
            if at is not None:
                oldest = at if oldest is None else min(oldest, at)
        return oldest

    def _is_past(self, oldest: datetime | None) -> bool:
        return oldest is not None and day_of(oldest, self._tz) < self._days.first

    def _sums(
        self, project: str, refunds: Sequence[shapes.Refund]
    ) -> list[ProjectMetric]:
        """Return the sums by day: a row for each day, those without one too."""
        amounts: Counter[tuple[date, str]] = Counter()
        counts: Counter[date] = Counter()
        for one in refunds:
            day = self._day_of(one)
            amounts[day, one.currency.lower()] += one.amount
            counts[day] += 1
        rows = []
        for day in self._days:
            amounts.setdefault((day, _USD), 0)
            rows.append(self._row(project, day, "refunds_count", counts[day]))
        rows.extend(
            self._row(project, day, "refunds_amount", amount, currency)
            for (day, currency), amount in amounts.items()
        )
        return rows

    def _row(
        self, project: str, day: date, name: str, value: int, currency: str = _USD
    ) -> ProjectMetric:
        end = int(DayRange(day, day).bounds(self._tz)[1].timestamp())
        return ProjectMetric(
            project=project,
            day=day,
            name=name,
            currency=currency if name in MONEY else "",
            value=value,
            partial=not is_over(end, self._request.now),
        )


def _organization(project: str) -> list[tuple[str, str]]:
    return [("organization_id", project)] if project else []
