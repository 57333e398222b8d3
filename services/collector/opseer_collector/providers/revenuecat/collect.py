"""One run against RevenueCat: four charts fill 90 days, then what is true of now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import aiohttp
import msgspec

from opseer_collector.domain.fetching import (
    Environment,
    Intake,
    KeyRefusedError,
    ProviderAwayError,
    Request,
)
from opseer_collector.domain.records import (
    Fetched,
    Reported,
    Told,
)
from opseer_collector.providers.attempts import (
    PermissionMissingError,
    Sleep,
    UnreadableError,
)
from opseer_collector.providers.reading import JsonReader, ParameterError, Place
from opseer_collector.providers.report_run import WHOLE, ReportRun
from opseer_collector.providers.revenuecat import figures, measures
from opseer_collector.providers.revenuecat.dialect import RevenueCatDialect
from opseer_collector.providers.revenuecat.measures import CHARTS, ChartOf
from opseer_collector.providers.revenuecat.shapes import (
    Chart,
    Options,
    Overview,
    Projects,
)
from opseer_common.channels import REVENUECAT

_DAY: Final = "0"
"""The id of a day's resolution: the API takes no word for it."""
_ZONE: Final = ZoneInfo("UTC")
_USD: Final = "usd"
_STRIPE: Final = "stripe"
_NOTICE: Final = "stripe_store"
_OLDER: Final = "charts_v2"
_MOST_PROJECTS: Final = 50
_PAGE: Final = "20"
_OVERVIEW: Final = "overview"


class RevenueCatProvider:
    """The channel `revenuecat`."""

    reports = True

    def __init__(
        self,
        session: aiohttp.ClientSession,
        bases: Mapping[Environment, str],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Call the base of a connection's environment."""
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
            self._session, base, request.key, RevenueCatDialect(), self._sleep
        )
        return await _Fetch(reader, request, intake).run()


class _Fetch:
    """One fetch and what it knows so far."""

    def __init__(self, reader: JsonReader, request: Request, intake: Intake) -> None:
        self._reader = reader
        self._request = request
        self._run = ReportRun(request, intake, ("projects", "charts", _OVERVIEW))
        wanted = request.wanted.currency or _USD
        self._currency = wanted if wanted in (REVENUECAT.currencies or ()) else _USD
        self._first = datetime.fromtimestamp(request.since, UTC).date()
        self._today = request.now.astimezone(UTC).date()
        self._notices: set[str] = set()
        self._filters: list[tuple[str, str]] = []

    async def run(self) -> Fetched:
        """Read all."""
        await self._run.tell("projects", 0)
        projects = await self._projects()
        await self._run.tell("projects", WHOLE)
        if await self._can_leave_out(projects):
            for number, chart in enumerate(CHARTS):
                await self._read(chart, projects)
                if self._run.is_missing(measures.PERMISSION):
                    break
                await self._run.tell("charts", WHOLE * (number + 1) // len(CHARTS))
        for project in projects:
            await self._run.permitted(_OVERVIEW, self._overview(project))
        await self._look_for_stripe(projects)
        await self._run.tell("charts", WHOLE)
        await self._run.tell("overview", WHOLE)
        return Fetched(
            permissions=self._run.permissions,
            live_lists=frozenset(self._run.live_lists),
            reported=Reported(
                names=self._names(),
                projects=projects,
                timezone=str(_ZONE),
                currency=self._currency,
                optional=measures.OPTIONAL,
                now=frozenset({"active_subscriptions"}),
                notices=frozenset(self._notices),
            ),
        )

    def _names(self) -> dict[str, Told]:
        """Return every figure that may be there."""
        return {
            **measures.NAMES,
            "active_subscriptions": Told(_OVERVIEW, _OVERVIEW),
        }

    async def _projects(self) -> tuple[str, ...]:
        """Return the ids to read: the chosen ones, else all that the key sees."""
        chosen = self._request.wanted.projects
        if chosen and self._request.kind == "daily":
            return chosen
        found: list[str] = []

        async def read() -> None:
            page = "/v2/projects"
            params = [("limit", _PAGE)]
            while len(found) < _MOST_PROJECTS:
                place = Place(page, "project_configuration")
                answer = await self._reader.get(place, params, Projects)
                found.extend(project.id for project in answer.items)
                if not answer.next_page or not answer.items:
                    return
                params = [("limit", _PAGE), ("starting_after", answer.items[-1].id)]

        try:
            await self._run.permitted("projects", read())
        except UnreadableError as error:
            if not chosen:
                raise ProviderAwayError(f"RevenueCat's projects: {error}.") from None
        if not (chosen or found):
            raise KeyRefusedError("RevenueCat shows the key no project.")
        return chosen or tuple(found)

    async def _can_leave_out(self, projects: Sequence[str]) -> bool:
        """Prepare the filter that leaves stores out; False where there can be none.

        Figures with what was not wanted are no figures.
        """
        try:
            return await self._run.permitted(
                measures.PERMISSION, self._exclude(projects)
            )
        except UnreadableError as error:
            for chart in CHARTS:
                for project in projects:
                    await self._run.lose(chart.endpoint, project, error.path)
        return False

    async def _exclude(self, projects: Sequence[str]) -> None:
        """Make the filter: the API only takes what stays."""
        unwanted = frozenset(self._request.wanted.excluded_stores)
        if not unwanted:
            return
        stores: set[str] = set()
        for project in projects:
            place = self._place(project, f"{CHARTS[0].endpoint}/options")
            found = (await self._reader.get(place, [], Options)).stores()
            if not found:
                raise UnreadableError("$.filters")
            stores |= {*found}
        if stores & unwanted:
            self._filters = _filter(sorted(stores - unwanted))

    async def _read(self, chart: ChartOf, projects: Sequence[str]) -> None:
        """Read one chart of every project, unless this run did."""
        whole = True
        for project in projects:
            if self._run.is_read(chart.endpoint, project):
                continue
            try:
                work = self._store(chart, project)
                whole &= await self._run.permitted(measures.PERMISSION, work)
            except UnreadableError as error:
                whole = False
                await self._run.lose(chart.endpoint, project, error.path)
        if whole:
            self._run.live_lists.add(chart.endpoint)

    async def _store(self, chart: ChartOf, project: str) -> None:
        """Read a chart of a project and store its figures."""
        answer = await self._chart(chart, project, self._filters)
        self._currency = answer.currency or self._currency
        found = figures.read(chart, answer, self._first, self._today)
        if found.older:
            self._notices.add(_OLDER)
        rows = figures.metrics(project, found.cells, self._currency, self._today)
        await self._run.keep(chart.endpoint, project, rows, found.aside)

    async def _chart(
        self, chart: ChartOf, project: str, filters: Iterable[tuple[str, str]]
    ) -> Chart:
        """Return a project's chart; in US dollars where the currency is refused."""
        place = self._place(project, f"charts/{chart.name}")
        while True:
            params = [
                ("realtime", "true"),
                ("resolution", _DAY),
                ("start_date", self._first.isoformat()),
                ("end_date", self._today.isoformat()),
                ("currency", self._currency.upper()),
                *filters,
            ]
            try:
                answer = await self._reader.get(place, params, Chart)
            except ParameterError as error:
                if "currency" not in error.path or self._currency == _USD:
                    raise
                self._currency = _USD
                continue
            if answer.resolution != "day":
                raise UnreadableError("$.resolution")
            return answer

    async def _overview(self, project: str) -> None:
        """Read what is true now: it is today's, as far as today has come."""
        place = self._place(project, "metrics/overview")
        params = [("currency", self._currency.upper())]
        try:
            answer = await self._reader.get(place, params, Overview)
        except (UnreadableError, ProviderAwayError) as error:
            # The days are read: they are not held up by what is true of now.
            await self._run.lose(_OVERVIEW, project, str(error))
            return
        active = answer.value("active_subscriptions", "active_subscribers")
        known = {"active_subscriptions": active, "mrr": answer.value("mrr")}
        told: dict[str, Decimal | None] = {
            name: value
            for name, value in known.items()
            if value is not None and value.is_finite()
        }
        if self._filters:
            # The overview knows no filter, so it tells nothing of what is left.
            told = {"active_subscriptions": None}
        rows = [
            figures.metric(
                project, self._today, name, value, self._currency, partial=True
            )
            for name, value in told.items()
        ]
        await self._run.note(rows)

    async def _look_for_stripe(self, projects: Sequence[str]) -> None:
        """Note whether there is money that came through Stripe."""
        if self._filters or self._run.permissions.get(measures.PERMISSION) != "ok":
            return
        revenue = CHARTS[0]
        for project in projects:
            try:
                answer = await self._chart(revenue, project, _filter([_STRIPE]))
                found = figures.read(revenue, answer, self._first, self._today)
            except (UnreadableError, PermissionMissingError, ProviderAwayError):
                continue
            if any(point.value for point in found.cells.values()):
                self._notices.add(_NOTICE)
                return

    def _place(self, project: str, rest: str) -> Place:
        name = quote(project, safe="")
        return Place(f"/v2/projects/{name}/{rest}", "charts_metrics")


def _filter(stores: Sequence[str]) -> list[tuple[str, str]]:
    """Return the parameter that shows the sales of `stores` alone."""
    value = msgspec.json.encode([{"name": "store", "values": [*stores]}]).decode()
    return [("filters", value)]
