"""A small company at a fixed instant, and one written by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from opseer_simulator.office import Office
from opseer_simulator.simulation import Simulation


@pytest.fixture
def office() -> Office:
    """Return a company opened on 2026-03-01 UTC that nobody visits by itself."""
    return Office(7, date(2026, 3, 1), {0: 1})


@pytest.fixture(scope="session")
def simulation() -> Simulation:
    """Return a small company at a fixed instant, 135 days old."""
    now = datetime(2026, 11, 24, 15, tzinfo=UTC)
    simulation = Simulation(1, date(2026, 7, 12), 40, lambda: now)
    simulation.books()
    return simulation


@pytest.fixture(scope="session")
def full() -> Simulation:
    """Return the company that has everything, small, at the same instant."""
    now = datetime(2026, 11, 24, 15, tzinfo=UTC)
    simulation = Simulation(5, date(2026, 7, 12), 12, lambda: now, stories="full")
    simulation.books()
    return simulation
