"""A whole Opseer in processes of its own, and a made-up company it collects from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from zoneinfo import ZoneInfo

import pytest

from opseer_cli.layout import Layout
from opseer_common.testing.listening import free_port

KEY = "rk_" + "test_" + "Wholepath" * 4
CHANNEL_KEYS = {
    "revenuecat": "sk_" + "Wholepath" * 4,
    "polar": "polar_" + "oat_" + "Wholepath" * 4,
}
SETUP_CODE = "FLOW-TEST"
# UTC+n is called Etc/GMT-n. This one has its noon about now, so that the newest ten
# minutes, which a first collection holds back, are never the end of yesterday.
ZONE = f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"  # noqa: TID251 - the services' clock


@dataclass(frozen=True)
class System:
    """A running Opseer with one account, and the simulator's truth."""

    url: str
    simulator: str
    token: str
    layout: Layout

    def call(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> tuple[int, Any]:
        """Call the API and return status and body."""
        return call(method, self.url + path, body, self.token)

    def get(self, path: str) -> Any:
        """Read something that is there."""
        status, body = self.call("GET", path)
        assert status == 200, body
        return body

    def truth(self, first: date, last: date) -> Any:
        """Return what the company's own ledger says of its days."""
        query = f"timezone={ZONE}&from={first}&to={last}"
        return call("GET", f"{self.simulator}/_control/truth?{query}")[1]

    def channel_truth(self, source: str) -> dict[date, Any]:
        """Return what the ledger of another channel says, by day."""
        query = "" if source == "revenuecat" else f"?timezone={ZONE}"
        found = call("GET", f"{self.simulator}/_control/{source}/truth{query}")[1]
        return {date.fromisoformat(day["date"]): day for day in found["days"]}

    def settle(self, seconds: float = 60, source: str = "stripe") -> Any:
        """Wait until nothing is under way."""
        deadline = time.monotonic() + seconds
        path = f"/api/v1/integrations/{source}"
        row = self.get(path)
        while row["progress"] is not None:
            assert time.monotonic() < deadline, row
            time.sleep(0.1)
            row = self.get(path)
        return row


def call(
    method: str, url: str, body: Mapping[str, object] | None = None, token: str = ""
) -> tuple[int, Any]:
    """Send one JSON request and return status and JSON (or text)."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, headers, method=method)  # noqa: S310 - loopback
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            status, text = answer.status, answer.read()
    except HTTPError as error:
        status, text = error.code, error.read()
        error.close()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text.decode()


def today() -> date:
    """Return the day of ZONE."""
    return datetime.now(ZoneInfo(ZONE)).date()  # noqa: TID251 - the services' clock


def start_simulator(folder: Path, stack: ExitStack) -> str:
    """Start the company and return its URL."""
    port_file = folder / "port.json"
    epoch = today() - timedelta(days=130)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "opseer_simulator", "--port", "0"),
            *("--port-file", str(port_file), "--seed", "11", "--key", KEY),
            *("--epoch", str(epoch), "--customers", "120"),
            *("--revenuecat-key", CHANNEL_KEYS["revenuecat"]),
            *("--polar-key", CHANNEL_KEYS["polar"]),
        ],
        stdout=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    deadline = time.monotonic() + 20
    while not port_file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    url: str = json.loads(port_file.read_text("utf-8"))["url"]
    return url


def start_opseer(layout: Layout, simulator: str, stack: ExitStack) -> str:
    """Start `opseer up` against the simulator and return its URL."""
    port = free_port()
    output = layout.root.with_suffix(".log")
    log = stack.enter_context(output.open("w"))
    process = subprocess.Popen(
        [sys.executable, "-c", "from opseer_cli.main import app; app()", "up"],
        env={
            "PATH": os.defpath,
            "OPSEER_DATA_DIR": str(layout.root),
            "OPSEER_PORT": str(port),
            "OPSEER_SETUP_CODE": SETUP_CODE,
            "OPSEER_STRIPE_API_BASE": simulator,
            "OPSEER_REVENUECAT_API_BASE": f"{simulator}/revenuecat",
            "OPSEER_POLAR_API_BASE": f"{simulator}/polar",
        },
        stdout=log,
        stderr=log,
    )
    stack.callback(output.unlink)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if call("GET", f"{url}/readyz")[0] == 200:
                return url
        except OSError:
            pass
        assert process.poll() is None, output.read_text("utf-8")
        time.sleep(0.1)
    pytest.fail(output.read_text("utf-8"))
