"""Walking Stripe's lists, newest first, until they end or stop making sense.

A list with many rows is cut into windows of time that are walked side by side; its
rows are stored page by page. What cannot be read is put aside, with the time that it
leaves unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import Final, Generic, TypeVar

import msgspec

from opseer_collector.domain.records import Quarantined
from opseer_collector.providers.stripe.client import Params, Place, StripeClient
from opseer_collector.providers.stripe.decode import Reader, id_of, put_aside
from opseer_collector.providers.stripe.errors import UnreadableError
from opseer_collector.providers.stripe.shapes import ShapeError

PAGE: Final = 100
_MOST_PAGES: Final = 10_000
_SIDE_BY_SIDE: Final = 8
_PAGES_PER_WINDOW: Final = 4
_MOST_PARTS: Final = 64
_HEAD_SECONDS: Final = 2 * 86_400

T = TypeVar("T")


class _ListPage(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool


async def pages(
    client: StripeClient, place: Place, params: Params
) -> AsyncGenerator[list[msgspec.Raw], None]:
    """Yield each page of a list. UnreadableError where it does not go on."""
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        more = {} if cursor is None else {"starting_after": cursor}
        page = await client.get(place, {**params, **more}, _ListPage)
        if page.data:
            yield page.data
        if not page.has_more:
            return
        cursor = id_of(page.data[-1]) if page.data else None
        if cursor is None or cursor in seen:
            raise UnreadableError("$.has_more")
        seen.add(cursor)
    raise UnreadableError("more than 10,000 pages")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list with a creation time: where it is and how its rows are read.

    `endpoint` names it where something of it is put aside; it is at `at`, or else at
    the path of that name. `params` are asked for on each page.
    """

    endpoint: str
    read: Callable[[msgspec.Raw], T]
    keep: Callable[[Sequence[T], Sequence[Quarantined]], Awaitable[None]]
    at: Place | None = None
    params: Params = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Where the list is."""
        return self.at or Place(f"/v1/{self.endpoint}", self.endpoint)


@dataclass(slots=True)
class _Part:
    """A window [since, until) and how far down it was read."""

    since: int
    until: int
    at: int = field(init=False)

    def __post_init__(self) -> None:
        self.at = self.until

    def percent(self) -> int:
        """Return how much of it was read."""
        whole = max(1, self.until - self.since)
        return 100 * (self.until - max(self.at, self.since)) // whole


class Walk(Generic[T]):
    """Reads one listing over a window."""

    def __init__(
        self,
        client: StripeClient,
        listing: Listing[T],
        reader: Reader,
        told: Callable[[int, int], Awaitable[None]],
    ) -> None:
        """Prepare; `told` hears, after each page, the percentage that was read and
        the instant from which on everything was.
        """
        self._client = client
        self._listing = listing
        self._reader = reader
        self._told = told
        self._parts: list[_Part] = []
        self.whole = True
        """False once something of the window stays unknown."""

    async def run(self, since: int, until: int) -> None:
        """Read everything created in [since, until)."""
        first = _Part(since, until)
        self._parts = [first]
        rest = await self._read(first, first_page_only=True)
        if rest is None:
            return
        parts = _cut(since, rest, density=max(1, until - rest))
        self._parts = parts
        # Newest first: it is what people look at.
        queue = iter(parts)

        async def worker() -> None:
            for part in queue:
                await self._read(part)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(_SIDE_BY_SIDE, len(parts))):
                group.create_task(worker())

    async def _read(self, part: _Part, *, first_page_only: bool = False) -> int | None:
        """Read a window, or its first page; return where the rest of it ends."""
        params = {
            **self._listing.params,
            "limit": str(PAGE),
            "created[gte]": str(part.since),
            "created[lt]": str(part.until),
        }
        try:
            async with aclosing(
                pages(self._client, self._listing.place, params)
            ) as found:
                async for page in found:
                    await self._keep(page, part)
                    if first_page_only and len(page) == PAGE and part.at > part.since:
                        return min(part.at + 1, part.until)
        except UnreadableError as error:
            await self._lose(part, error)
            return None
        part.at = part.since
        await self._tell()
        return None

    async def _keep(self, page: list[msgspec.Raw], part: _Part) -> None:
        rows: list[T] = []
        aside: list[Quarantined] = []
        when = [self._reader.created(raw) for raw in page]
        for number, raw in enumerate(page):
            try:
                rows.append(self._listing.read(raw))
            except (ShapeError, msgspec.DecodeError) as error:
                since, until = _around(when, number, part)
                aside.append(
                    put_aside(self._listing.endpoint, bytes(raw), error, since, until)
                )
        await self._listing.keep(rows, aside)
        part.at = min([part.at, *(at for at in when if at is not None)])
        await self._tell()

    async def _lose(self, part: _Part, error: UnreadableError) -> None:
        """Note that the rest of a window stays unknown."""
        self.whole = False
        name = f"page:{self._listing.endpoint}:{part.since}:{part.until}"
        gap = Quarantined(
            endpoint=self._listing.endpoint,
            object_id=name,
            path=error.path,
            sha256=sha256(name.encode()).digest(),
            since=part.since,
            until=min(part.at + 1, part.until),
        )
        await self._listing.keep((), (gap,))

    async def _tell(self) -> None:
        weights = [part.until - part.since for part in self._parts]
        done = sum(
            part.percent() * weight
            for part, weight in zip(self._parts, weights, strict=True)
        )
        await self._told(done // max(1, sum(weights)), self._covered())

    def _covered(self) -> int:
        """Return from which instant on everything was read."""
        for part in self._parts:
            if part.at > part.since:
                return min(part.at + 1, part.until)
        return self._parts[-1].since


def _cut(since: int, until: int, *, density: int) -> list[_Part]:
    """Cut a window into parts, newest first; `density` is the seconds of a page.

    The newest days, which people look at first, are cut into single pages, so that
    they are read side by side; the rest into parts of some pages each.
    """
    head = max(since, until - _HEAD_SECONDS)
    return [
        *_even(head, until, max(1, density * 4 // 5)),
        *_even(since, head, density * _PAGES_PER_WINDOW),
    ]


def _even(since: int, until: int, seconds: int) -> list[_Part]:
    """Cut evenly into parts of about `seconds`, newest first; none of nothing."""
    if until <= since:
        return []
    count = max(1, min(_MOST_PARTS, (until - since) // seconds))
    edges = [since + (until - since) * number // count for number in range(count + 1)]
    parts = [_Part(low, high) for low, high in pairwise(edges)]
    return parts[::-1]


def _around(when: list[int | None], number: int, part: _Part) -> tuple[int, int]:
    """Return between which instants a row was created: its own, or its neighbours'."""
    own = when[number]
    if own is not None:
        return own, own + 1
    newer = [at for at in when[:number] if at is not None]
    older = [at for at in when[number + 1 :] if at is not None]
    until = newer[-1] + 1 if newer else min(part.at + 1, part.until)
    return (older[0] if older else part.since), until
