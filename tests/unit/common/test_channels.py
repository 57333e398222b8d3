"""What is known of each channel is known of all, and everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import opseer_collector.providers as collector_providers
import opseer_gateway.providers as gateway_providers
from opseer_common.channels import (
    CAVEATS,
    CHANNELS,
    POLAR_API,
    POLAR_SANDBOX_API,
    demo_base,
    polar_sandbox,
)
from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import MetricKey


def test_each_channel_is_a_folder_and_a_file() -> None:
    """Rule: a channel is a folder of the collector and a module of the gateway."""
    sources = set(get_args(Source))
    [collector] = map(Path, collector_providers.__path__)
    [gateway] = map(Path, gateway_providers.__path__)
    folders = {p.name for p in collector.iterdir() if (p / "collect.py").exists()}
    modules = {p.stem for p in gateway.glob("*.py")}
    assert set(CHANNELS) == sources
    assert folders == sources
    assert modules >= sources


def test_every_metric_is_defined() -> None:
    """Rule: each channel says what each of the five metrics means there."""
    for channel in CHANNELS.values():
        assert tuple(channel.definitions) == get_args(MetricKey)
        codes = {code for found in channel.caveats.values() for code in found}
        assert codes | set(channel.movement_caveats) <= set(CAVEATS)


def test_where_the_sandbox_is() -> None:
    """Rule: beside a production set by hand no sandbox is tried unless it is set."""
    assert polar_sandbox(POLAR_API, None) == POLAR_SANDBOX_API
    assert polar_sandbox("http://127.0.0.1:1", None) is None
    assert polar_sandbox("http://127.0.0.1:1", "http://127.0.0.1:2") is not None


def test_where_the_demo_is() -> None:
    """Rule: the bundled company answers for each channel below its own path."""
    assert demo_base(None, "polar") is None
    assert demo_base("http://127.0.0.1:1", "stripe") == "http://127.0.0.1:1"
    assert demo_base("http://127.0.0.1:1", "polar") == "http://127.0.0.1:1/polar"
