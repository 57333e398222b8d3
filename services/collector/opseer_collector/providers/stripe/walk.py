"""Walking Stripe's lists, newest first, until they end or stop making sense.

A list with many rows is cut into windows of time that are walked side by side: as many
as the pace allows, cut one by one as the rows turn out to lie, newest first. When
nothing is left to cut, who is done takes half of what the slowest still has to read.
Rows are stored page by page. What cannot be read is put aside, with the time that it
leaves unknown.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Generic, TypeVar

import msgspec
import structlog

from opseer_collector.domain.records import Quarantined, Window
from opseer_collector.providers.attempts import UnreadableError
from opseer_collector.providers.stripe.client import Params, Place, StripeClient
from opseer_collector.providers.stripe.decode import Reader, id_of, put_aside
from opseer_collector.providers.stripe.parts import PAGE, Part, Unread
from opseer_collector.providers.stripe.shapes import ShapeError

_MOST_PAGES: Final = 10_000
_TELL_SECONDS: Final = 0.2
_STORED_LATER: Final = 3
_log = structlog.get_logger()

T = TypeVar("T")


class _ListPage(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool


async def pages(
    client: StripeClient, place: Place, params: Params
) -> AsyncGenerator[list[msgspec.Raw], None]:
    """Yield each page of a list. UnreadableError where it does not go on."""
    async with aclosing(_pages(client, place, params)) as found:
        async for page in found:
            if page.data:
                yield page.data


async def _pages(
    client: StripeClient, place: Place, params: Params
) -> AsyncGenerator[_ListPage, None]:
    """Yield each page; `params` are looked at for each anew."""
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        more = {} if cursor is None else {"starting_after": cursor}
        page = await client.get(place, {**params, **more}, _ListPage)
        yield page
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
    the path of that name. `params` are asked for on each page. `read_all` reads a whole
    page of good rows at once, which is faster; it raises where one is bad. `keep` gets
    rows, what was put aside, and the window that is read whole with them.
    """

    endpoint: str
    read: Callable[[msgspec.Raw], T]
    keep: Callable[[Sequence[T], Sequence[Quarantined], Window | None], Awaitable[None]]
    at: Place | None = None
    params: Params = field(default_factory=dict)
    read_all: Callable[[Sequence[msgspec.Raw]], tuple[list[T], int]] | None = None

    @property
    def place(self) -> Place:
        """Where the list is."""
        return self.at or Place(f"/v1/{self.endpoint}", self.endpoint)


@dataclass(slots=True)
class _Chain:
    """A part and the pages that come of it."""

    part: Part
    params: dict[str, str | Sequence[str]]
    pages: AsyncGenerator[_ListPage, None]
    storing: deque[asyncio.Task[None]] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class _Page(Generic[T]):
    """A page as it was read; its oldest row was created at `oldest`."""

    rows: list[T]
    aside: list[Quarantined]
    oldest: int | None


class Walk(Generic[T]):
    """Reads one listing over a window."""

    def __init__(
        self,
        client: StripeClient,
        listing: Listing[T],
        reader: Reader,
        told: Callable[[int, int], Awaitable[None]],
        known: Sequence[Window] = (),
    ) -> None:
        """Prepare; `told` hears now and then the percentage that was read and the
        instant from which on everything was. `known` windows were read before.
        """
        self._client = client
        self._listing = listing
        self._reader = reader
        self._told = told
        self._known = known
        self._wanted = 0
        self._unread = Unread(0, 0, 0, ())
        self._active = 0
        self._told_at = 0.0
        self.newest = asyncio.Event()
        self.whole = True
        """False once something of the window stays unknown."""

    async def run(self, since: int, until: int, wanted: int | None = None) -> None:
        """Read everything created in [since, until), first what is `wanted`.

        `newest` is set once everything created from `wanted` on is stored.
        """
        self._wanted = until if wanted is None else max(wanted, since)
        self._unread = Unread(since, until, self._wanted, self._known)
        part = self._unread.newest()
        if part is not None:
            async with asyncio.TaskGroup() as group:
                await self._read_first(self._chain(part), group)
        self._note_newest()
        await self._tell(last=True)

    async def _read_first(self, chain: _Chain, group: asyncio.TaskGroup) -> None:
        """Read one page: it tells how close the rows lie, and so what to share."""
        if await self._read_page(chain, group):
            self._unread.shorten(chain.part, self._most())
            chain.params["created[gte]"] = str(chain.part.since)
            self._active += 1
            group.create_task(self._read(chain, group))
        self._start_more(group)

    def _most(self) -> int:
        return self._client.in_flight(self._listing.place)

    def _start_more(self, group: asyncio.TaskGroup) -> None:
        """Begin further parts while the pace has room for them."""
        most = self._most()
        while self._active < most:
            part = self._unread.cut(most) or self._unread.halve()
            if part is None:
                return
            self._active += 1
            group.create_task(self._read(self._chain(part), group))

    def _chain(self, part: Part) -> _Chain:
        params: dict[str, str | Sequence[str]] = {
            **self._listing.params,
            "limit": str(PAGE),
            "created[gte]": str(part.since),
            "created[lt]": str(part.until),
        }
        found = _pages(self._client, self._listing.place, params)
        return _Chain(part, params, found)

    async def _read(self, chain: _Chain, group: asyncio.TaskGroup) -> None:
        """Read a part to its end."""
        while await self._read_page(chain, group):
            self._start_more(group)
            chain.params["created[gte]"] = str(chain.part.since)
        self._active -= 1
        self._start_more(group)

    async def _read_page(self, chain: _Chain, group: asyncio.TaskGroup) -> bool:
        """Read a page, store it while the next ones are asked for; False at the end."""
        part = chain.part
        try:
            page = await anext(chain.pages)
        except UnreadableError as error:
            await self._stored(chain, but=0)
            await self._lose(part, error)
            return False
        read = self._decoded(page.data, part)
        more = page.has_more and (read.oldest is None or read.oldest >= part.since)
        part.took(len(page.data), read.oldest, more=more)
        await self._stored(chain, but=_STORED_LATER)
        chain.storing.append(group.create_task(self._store(read, part, part.at)))
        if not more:
            await chain.pages.aclose()
        return more

    async def _stored(self, chain: _Chain, *, but: int) -> None:
        """Wait until all pages but the last few were stored."""
        while len(chain.storing) > but:
            await chain.storing.popleft()

    async def _store(self, page: _Page[T], part: Part, at: int) -> None:
        window = part.window(self._listing.endpoint, at) if self.whole else None
        await self._listing.keep(page.rows, page.aside, window)
        part.stored = min(part.stored, at)
        self._note_newest()
        await self._tell()

    def _decoded(self, page: list[msgspec.Raw], part: Part) -> _Page[T]:
        """Read a page at once, or row by row where one of them is bad."""
        if self._listing.read_all is not None and page:
            try:
                rows, oldest = self._listing.read_all(page)
            except (ShapeError, msgspec.DecodeError):
                pass
            else:
                return _Page(rows, [], oldest)
        rows = []
        aside: list[Quarantined] = []
        when = [self._reader.created(raw) for raw in page]
        known: dict[str | None, bytes] = {}
        for number, raw in enumerate(page):
            try:
                _check_known(known, raw)
                rows.append(self._listing.read(raw))
            except (ShapeError, msgspec.DecodeError) as error:
                since, until = _around(when, number, part)
                aside.append(
                    put_aside(self._listing.endpoint, bytes(raw), error, since, until)
                )
        times = [at for at in when if at is not None]
        return _Page(rows, aside, min(times, default=None))

    async def _lose(self, part: Part, error: UnreadableError) -> None:
        """Note that the rest of a part stays unknown."""
        self.whole = False
        _log.warning("list left", endpoint=self._listing.endpoint, why=error.path)
        name = f"page:{self._listing.endpoint}:{part.since}:{part.until}"
        gap = Quarantined(
            endpoint=self._listing.endpoint,
            object_id=name,
            path=error.path,
            sha256=sha256(name.encode()).digest(),
            since=part.since,
            until=min(part.at + 1, part.until),
        )
        part.lost = True
        await self._listing.keep((), (gap,), None)

    def _note_newest(self) -> None:
        if not self.newest.is_set() and self._unread.covered()[1] <= self._wanted:
            self.newest.set()

    async def _tell(self, *, last: bool = False) -> None:
        """Tell how far it is, unless that was told just now."""
        now = asyncio.get_running_loop().time()
        if last or now - self._told_at >= _TELL_SECONDS:
            self._told_at = now
            await self._told(*self._unread.covered())


def _check_known(known: dict[str | None, bytes], raw: msgspec.Raw) -> None:
    """Refuse a row that says something else than the one of its id before it."""
    if known.setdefault(id_of(raw), bytes(raw)) != bytes(raw):
        raise ShapeError("$.id", "an id of its own")


def _around(when: list[int | None], number: int, part: Part) -> tuple[int, int]:
    """Return between which instants a row was created: its own, or its neighbours'."""
    own = when[number]
    if own is not None:
        return own, own + 1
    newer = [at for at in when[:number] if at is not None]
    older = [at for at in when[number + 1 :] if at is not None]
    until = newer[-1] + 1 if newer else min(part.at + 1, part.until)
    return (older[0] if older else part.since), until
