"""Calls keep their distance: in all, and per endpoint."""

from __future__ import annotations

import asyncio

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
