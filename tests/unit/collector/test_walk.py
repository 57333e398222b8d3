"""Walking lists: whole or known to be not, and never for ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from opseer_collector.domain.records import Charge, Quarantined, Window
from opseer_collector.providers.attempts import UnreadableError
from opseer_collector.providers.stripe.client import Place, StripeClient
from opseer_collector.providers.stripe.decode import Reader
from opseer_collector.providers.stripe.walk import Listing, Walk, pages

if TYPE_CHECKING:
    from tests.unit.collector.conftest import StandIn

SINCE, UNTIL = 1_779_000_000, 1_780_000_000
READER = Reader(UNTIL, livemode=True)
PLACE = Place("/v1/charges", "charges")


def charge(number: int, created: object, **changes: Any) -> dict[str, Any]:
    """Return a charge as Stripe lists it."""
    row = {
        "id": f"ch_{number}",
        "created": created,
        "amount": 100,
        "currency": "usd",
        "status": "succeeded",
        "livemode": True,
    }
    return {**row, **changes}


def page(*rows: dict[str, Any], more: bool = False) -> dict[str, Any]:
    """Return a page of a list."""
    return {"object": "list", "data": list(rows), "has_more": more}


def serve(rows: Sequence[dict[str, Any]]) -> Callable[..., Awaitable[web.Response]]:
    """Answer as Stripe does: newest first, by window, cursor and limit."""
    ordered = sorted(rows, key=lambda row: (row["created"], row["id"]), reverse=True)

    async def answer(request: web.Request) -> web.Response:
        query = request.query
        low, high = int(query["created[gte]"]), int(query["created[lt]"])
        found = [row for row in ordered if low <= row["created"] < high]
        cursor = query.get("starting_after")
        if cursor is not None:
            ids = [row["id"] for row in found]
            found = found[ids.index(cursor) + 1 :]
        limit = int(query["limit"])
        return web.json_response(page(*found[:limit], more=len(found) > limit))

    return answer


class Kept:
    """What a walk gave away."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.rows: dict[str, Charge] = {}
        self.aside: list[Quarantined] = []
        self.told: list[tuple[int, int]] = []

    async def keep(
        self,
        rows: Sequence[Charge],
        aside: Sequence[Quarantined],
        window: Window | None,
    ) -> None:
        """Keep a page."""
        self.rows |= {row.id: row for row in rows}
        self.aside += aside

    async def tell(self, percent: int, covered: int) -> None:
        """Keep what is told, and that all it covers is there."""
        self.told.append((percent, covered))


async def walk(client: StripeClient) -> tuple[Walk[Charge], Kept]:
    """Walk the charges of the window."""
    kept = Kept()
    listing = Listing("charges", READER.charge, kept.keep)
    made = Walk(client, listing, READER, kept.tell)
    await made.run(SINCE, UNTIL)
    return made, kept


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250, 2500])
async def test_every_row_of_the_window_is_read(
    stripe: StandIn, client: StripeClient, count: int
) -> None:
    """However many there are, in one chain or cut into windows; none beside it."""
    step = (UNTIL - SINCE) // (count + 1)
    rows = [charge(number, SINCE + step * number) for number in range(count)]
    outside = [charge(10**6, SINCE - 1), charge(10**6 + 1, UNTIL)]
    stripe.answers.append(serve([*rows, *outside]))
    made, kept = await walk(client)
    assert kept.rows.keys() == {row["id"] for row in rows}
    assert made.whole
    assert kept.told[-1] == (100, SINCE)


async def test_rows_of_one_second_are_all_read(
    stripe: StandIn, client: StripeClient
) -> None:
    """Cuts between windows lose none of the rows that share an instant."""
    rows = [charge(number, SINCE + number // 300 * 1000) for number in range(1500)]
    stripe.answers.append(serve(rows))
    _, kept = await walk(client)
    assert kept.rows.keys() == {row["id"] for row in rows}


async def test_what_is_told_to_be_covered_was_stored(
    stripe: StandIn, client: StripeClient
) -> None:
    """At each telling every row from the told instant on is there."""
    rows = [charge(number, SINCE + 400 * number) for number in range(2400)]
    stripe.answers.append(serve(rows))
    kept = Kept()

    async def check(_: int, covered: int) -> None:
        due = {row["id"] for row in rows if row["created"] >= covered}
        assert due <= kept.rows.keys()

    listing = Listing("charges", READER.charge, kept.keep)
    await Walk(client, listing, READER, check).run(SINCE, UNTIL)
    assert len(kept.rows) == 2400


async def test_a_bad_row_is_put_aside_alone(
    stripe: StandIn, client: StripeClient
) -> None:
    """Its neighbours are kept, and its instant is told."""
    at = SINCE + 500
    stripe.json(page(charge(3, at + 9), charge(2, at, amount=1.5), charge(1, at - 9)))
    made, kept = await walk(client)
    assert kept.rows.keys() == {"ch_3", "ch_1"}
    [aside] = kept.aside
    assert (aside.object_id, aside.path) == ("ch_2", "$.amount")
    assert (aside.since, aside.until) == (at, at + 1)
    assert made.whole


async def test_a_row_without_a_time_lies_between_its_neighbours(
    stripe: StandIn, client: StripeClient
) -> None:
    """So only those days are in doubt."""
    at = SINCE + 500
    stripe.json(page(charge(3, at + 9), charge(2, "?"), charge(1, at - 9)))
    _, kept = await walk(client)
    [aside] = kept.aside
    assert (aside.since, aside.until) == (at - 9, at + 10)


@pytest.mark.parametrize(
    "answers",
    [
        [page(more=True)],
        [page(charge(1, SINCE + 5), more=True)],
        [page(charge(1, SINCE + 5), more=True), page(charge(2, SINCE + 4), more=True)],
        [page({"created": SINCE + 5}, more=True)],
    ],
    ids=["empty page", "same cursor", "circle", "no id"],
)
async def test_a_list_that_does_not_end_is_left(
    stripe: StandIn, client: StripeClient, answers: list[dict[str, Any]]
) -> None:
    """The rest of the window stays unknown, and that is noted."""
    if len(answers) == 2:
        circle = [*answers, answers[0], answers[1]]
        stripe.json(*circle)
    else:
        stripe.json(*answers)
    made, kept = await walk(client)
    assert not made.whole
    assert kept.aside[-1].since == SINCE
    assert len(stripe.asked) <= 4


async def test_a_row_twice_is_no_second_row(
    stripe: StandIn, client: StripeClient
) -> None:
    """New rows at the head shift others onto the next page; ids tell."""
    first, second = charge(2, SINCE + 9), charge(1, SINCE + 8)
    stripe.json(page(first, second, more=True), page(second, charge(0, SINCE + 7)))
    _, kept = await walk(client)
    assert kept.rows.keys() == {"ch_0", "ch_1", "ch_2"}


async def test_pages_end_with_an_error_when_the_cursor_repeats(
    stripe: StandIn, client: StripeClient
) -> None:
    """Who reads pages alone is told as well."""
    stripe.json(page(charge(1, SINCE + 5), more=True))
    with pytest.raises(UnreadableError):
        async for _ in pages(client, PLACE, {}):
            pass
