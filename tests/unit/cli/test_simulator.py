"""The demo's company stays the same one, and costs nothing until it is looked at."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import aiohttp
import pytest

from opseer_cli.layout import Layout, layout_of
from opseer_cli.simulator import Simulator, company_of
from opseer_common.clock import utc_now
from opseer_common.demo_account import DEMO_KEY
from opseer_common.errors import ConfigError


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return an empty data directory."""
    made = layout_of(tmp_path)
    made.make()
    return made


def test_company_is_remembered(layout: Layout) -> None:
    """A demo that is started a week later shows the same company."""
    first = company_of(layout, date(2026, 6, 10))
    assert company_of(layout, date(2026, 6, 17)) == first


def test_company_has_a_past(layout: Layout) -> None:
    """The company began 130 days before: 90 days are fetched, and they have a past."""
    assert company_of(layout, date(2026, 6, 10)).epoch == "2026-01-31"


async def test_simulator_starts_when_it_is_called(layout: Layout) -> None:
    """Nothing runs before somebody looks; the first call waits and is answered."""
    simulator = Simulator(layout, utc_now)
    called = asyncio.Event()
    simulator.when_called(called.set)
    assert not (layout.secrets / "demo.json").exists()
    headers = {"Authorization": f"Bearer {DEMO_KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        waiting = asyncio.create_task(session.get(f"{simulator.url}/v1/balance"))
        await asyncio.wait_for(called.wait(), 5)
        simulator.start()
        try:
            async with await waiting as answer:
                assert (answer.status, (await answer.json())["livemode"]) == (
                    200,
                    False,
                )
            assert simulator.is_ready()
        finally:
            simulator.close()
            await simulator.child.stop(2)


def test_damaged_file_is_said(layout: Layout) -> None:
    """A damaged note is named, and not replaced behind the user's back."""
    (layout.secrets / "demo.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"demo\.json is damaged"):
        company_of(layout, date(2026, 6, 10))
