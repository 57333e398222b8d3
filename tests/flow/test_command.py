"""The `opseer` command as a user starts it: up, Ctrl-C, kill -9, demo."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.request import urlopen

import psutil
import pytest

from opseer_cli.layout import Layout, holder_of
from opseer_cli.processes import noted

_APP = "from opseer_cli.main import app; app()"
_READY = re.compile(r"Opseer is ready: (http://127\.0\.0\.1:\d+)")
_ALL = {"nats", "postgres", "gateway", "collector", "mrr", "notifier"}
Opseer = subprocess.Popen[str]
Start = Callable[..., Opseer]


@pytest.fixture
def start(layout: Layout) -> Iterator[Start]:
    """Return what starts `opseer` on the test's own data directory and port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with ExitStack() as stack:

        def start_command(*arguments: str, line: str = "exec {}") -> Opseer:
            command = shlex.join([sys.executable, "-c", _APP, *arguments])
            process = subprocess.Popen(
                ["/bin/sh", "-c", line.format(command)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={
                    "PATH": os.defpath,
                    "OPSEER_DATA_DIR": str(layout.root),
                    "OPSEER_PORT": str(port),
                },
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start_command


def _until_ready(process: Opseer) -> str:
    """Read what is printed until the system is ready; return its URL."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if found := _READY.search(line):
            return found[1]
    pytest.fail("".join(seen))


def _left_on(layout: Layout) -> list[list[str]]:
    """Return the command lines that name the data directory."""
    return [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline"])
        if any(str(layout.root) in word for word in process.info["cmdline"] or ())
    ]


def test_ctrl_c_leaves_no_process(start: Start, layout: Layout) -> None:
    """`opseer up` runs six processes and a page; Ctrl-C ends all within 10 s."""
    process = start("up")
    url = _until_ready(process)
    running = noted(layout.run)
    assert set(running) == _ALL
    with urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310 - ours
        assert answer.status == 200
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert time.monotonic() - began < 10
    assert not any(psutil.pid_exists(pid) for pid in running.values())
    assert _left_on(layout) == []


def test_second_start_is_quick_and_refuses_a_third(
    start: Start, layout: Layout
) -> None:
    """On existing data Opseer is soon ready (5 s alone); two never share the data."""
    first = start("up")
    _until_ready(first)
    first.send_signal(signal.SIGTERM)
    assert first.wait(15) == 0
    began = time.monotonic()
    second = start("up")
    _until_ready(second)
    assert time.monotonic() - began < 10
    third = start("up")
    assert third.wait(15) == 78
    assert third.stdout is not None
    assert (
        f"already runs on {layout.root} (process {second.pid})" in third.stdout.read()
    )
    second.send_signal(signal.SIGTERM)
    assert second.wait(15) == 0


def test_killed_service_comes_back(start: Start, layout: Layout) -> None:
    """A service that is killed is started again, and so are the servers."""
    process = start("up")
    _until_ready(process)
    before = noted(layout.run)
    for name in ("mrr", "nats", "postgres"):
        os.kill(before[name], signal.SIGKILL)
    deadline = time.monotonic() + 30
    while True:
        now = noted(layout.run)
        back = [n for n in ("mrr", "nats", "postgres") if now.get(n) != before[n]]
        if len(back) == 3 and set(now) == _ALL:
            break
        assert time.monotonic() < deadline, now
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


def test_orphans_are_ended_by_the_next_start(start: Start, layout: Layout) -> None:
    """After kill -9 of the supervisor the next start ends what it left."""
    process = start("up")
    _until_ready(process)
    orphans = noted(layout.run)
    process.kill()
    process.wait()
    again = start("up")
    _until_ready(again)
    assert not any(psutil.pid_exists(pid) for pid in orphans.values())
    again.send_signal(signal.SIGINT)
    assert again.wait(15) == 0
    assert _left_on(layout) == []


def test_end_of_the_parent_stops_all(start: Start, layout: Layout) -> None:
    """Under make, even a kill -9 of make leaves no process."""
    process = start("up", "--stop-with-parent", line="{} & wait")
    _until_ready(process)
    process.kill()
    deadline = time.monotonic() + 15
    while _left_on(layout) or holder_of(layout) is not None:
        assert time.monotonic() < deadline, _left_on(layout)
        time.sleep(0.1)


def test_demo_prints_its_report(start: Start, layout: Layout) -> None:
    """The demo once: all channels' MRR, a sign-in link, status 0, no process."""
    process = start("demo", "--once")
    text, _ = process.communicate(timeout=110)
    assert process.returncode == 0, text
    for channel in ("Stripe", "RevenueCat", "Polar"):
        assert re.search(rf"{channel}\nMRR\W+\$[\d,]+\.\d\d ", text), text
    assert re.search(r"http://127\.0\.0\.1:\d+/sign-in/[\w-]{43}", text), text
    assert _left_on(layout) == []
