"""Calls keep their distance: in all, and per endpoint."""

from __future__ import annotations

import asyncio
import time

from opseer_collector.providers.stripe.pace import Pacer


async def duration(pacer: Pacer, endpoints: list[str]) -> float:
    """Return how many seconds it takes until all have had their turn."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await asyncio.gather(*(pacer.turn(endpoint) for endpoint in endpoints))
    return loop.time() - begun


async def test_an_endpoint_gets_25_a_second() -> None:
    """Six calls are five gaps of a 25th, whatever the rate in all."""
    assert await duration(Pacer(500), ["a"] * 6) >= 5 / 25


async def test_all_endpoints_together_keep_the_rate() -> None:
    """Eleven calls of as many endpoints are ten gaps of a 50th."""
    names = [str(number) for number in range(11)]
    assert await duration(Pacer(50), names) >= 10 / 50


async def test_a_busy_endpoint_takes_no_turn_from_another() -> None:
    """Two endpoints side by side are as fast as the busier one alone."""
    pacer = Pacer(500)
    both = await duration(pacer, ["a"] * 12 + ["b"] * 12)
    assert both < 1.5 * 11 / 25


async def test_a_refusal_lowers_what_it_names_at_once() -> None:
    """An endpoint's reason lowers that endpoint, a global one the rate of all."""
    pacer = Pacer(100)
    assert pacer.refused("a", "endpoint-rate")
    assert pacer.lowered() == {"a": 21_250}
    assert pacer.refused("b", "global-rate")
    assert pacer.lowered() == {"a": 21_250, "": 85_000}


async def test_refusals_of_calls_on_their_way_lower_once() -> None:
    """Nine calls that were sent together say the same thing."""
    pacer = Pacer(100)
    assert [pacer.refused("a", "endpoint-rate") for _ in range(9)].count(True) == 1


async def test_a_lowered_rate_is_kept_and_grows_slowly() -> None:
    """What was lowered before is the pace now, and no quick way back."""
    pacer = Pacer(100, {"a": 10_000})
    assert await duration(pacer, ["a"] * 4) >= 3 / 10.1
    [(endpoint, rate)] = pacer.lowered().items()
    assert endpoint == "a"
    assert 10_000 < rate < 10_100


async def test_a_lower_ceiling_wins_over_what_is_remembered() -> None:
    """A daily round is slower than the first run, whatever that had left."""
    assert Pacer(8, {"": 85_000}).lowered() == {}


async def test_calls_in_flight_follow_rate_and_latency() -> None:
    """Rate times latency, and one to take the next turn."""
    pacer = Pacer(100)
    assert pacer.in_flight("a") == 1
    pacer.answered("a", 0.3)
    assert pacer.in_flight("a") == 9
    assert Pacer(10).in_flight("a") == 1


async def test_who_gives_up_waiting_takes_no_turn() -> None:
    """A cancelled call leaves its turn to the next one."""
    pacer = Pacer(20)
    await pacer.turn("a")
    given_up = asyncio.create_task(pacer.turn("a"))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await duration(pacer, ["a"]) < 1.5 / 20


async def test_a_call_that_goes_late_keeps_the_next_one_waiting() -> None:
    """Work that comes between a turn and its call does not bring two calls together."""
    pacer, went = Pacer(20), list[float]()
    loop = asyncio.get_running_loop()

    async def call() -> None:
        await pacer.turn("a")
        went.append(loop.time())

    def work() -> None:
        # The second turn is due within it: then it is given, and more work comes.
        loop.call_later(0.06, time.sleep, 0.1)
        time.sleep(0.08)

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(call())
        loop.call_soon(work)
    assert went[1] - went[0] >= 0.15
    assert went[2] - went[1] >= 1 / 20 - 0.01
