"""A running Opseer, a made-up Stripe, and a headless Chromium that looks at it.

Skipped where no Chromium is. `--images FOLDER` keeps the pictures of the README.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import asyncpg
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    StorageState,
    expect,
    sync_playwright,
)

from opseer_cli.embedded_postgres import EmbeddedPostgres
from opseer_cli.layout import Layout, layout_of
from opseer_cli.processes import end_orphans
from opseer_common.testing.listening import free_port

KEY: Final = "rk_" + "test_" + "Browser" * 4
PASSWORD: Final = "correct horse battery"
SETUP_CODE: Final = "BROWSER-TEST"
STRIPE: Final = "/api/v1/integrations/stripe"
_PATIENCE: Final = 90.0
_NARROW: Final = 600
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_CHROMIUM = next((path for name in _NAMES if (path := shutil.which(name))), None)
_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--hide-scrollbars"),
)
_AXE: Final = Path(__file__).parents[2] / "frontend/node_modules/axe-core/axe.min.js"
_FOUND = """
async ([part, rules]) => (await axe.run(
    document.querySelectorAll(part), {...rules, resultTypes: ["violations"]}))
  .violations
  .map(one => `${one.id}: ${one.nodes.map(node => node.target.join(" ")).join(", ")}`)
"""
_WATCH = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.__violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know where to keep pictures."""
    parser.addoption("--images", type=Path, help="a folder for pictures of the pages")


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Mark what is in this folder; without a Chromium say so and skip it."""
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.browser)
        if _CHROMIUM is None:
            reason = "no Chromium here: apt-get install chromium"
            item.add_marker(pytest.mark.skip(reason=reason))


@dataclass(frozen=True)
class System:
    """A running Opseer whose sign-up is open; `database` is the administrator's URL."""

    url: str
    database: str = field(repr=False)

    def call(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        """Send one JSON request and return the JSON of its answer."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, headers, method=method)  # noqa: S310 - loopback
        try:
            with urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                text = answer.read()
        except HTTPError as error:
            pytest.fail(f"{method} {path}: {error.read().decode()}")
        return json.loads(text) if text else None

    def sign_up(self) -> Person:
        """Make an account."""
        email = f"{uuid4().hex[:8]}@example.com"
        body = {"setup_code": SETUP_CODE, "email": email, "password": PASSWORD}
        return Person(self, email, self.call("POST", "/api/v1/setup", body)["token"])

    def execute(self, statement: str, *values: object) -> None:
        """Run one statement as the database's administrator."""

        async def run() -> None:
            connection = await asyncpg.connect(self.database)
            try:
                await connection.execute(statement, *values)
            finally:
                await connection.close()

        # The browser's driver has the event loop of this thread.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, run()).result()


@dataclass(frozen=True)
class Person:
    """The owner of an account."""

    system: System
    email: str
    token: str = field(repr=False)

    def connect(self) -> None:
        """Connect Stripe and wait until nothing is under way."""
        self.system.call("PUT", STRIPE, {"api_key": KEY}, self.token)
        self.settle()

    def settle(self, seconds: float = 40) -> None:
        """Wait until nothing is under way."""
        deadline = time.monotonic() + seconds
        while self.system.call("GET", STRIPE, token=self.token)["progress"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """Run the made-up Stripe and Opseer."""
    layout = layout_of(Path(tempfile.mkdtemp(prefix="opseer-browser-")))
    layout.root.rmdir()  # so that it is made as a user's is
    layout.make()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, layout.root)
        provider = _simulator(layout, stack)
        url = _opseer(layout, provider, stack)
        database = EmbeddedPostgres(layout)
        database.attach()
        yield System(url, database.url)
    end_orphans(layout.run, print)


def _simulator(layout: Layout, stack: ExitStack) -> str:
    """Start the company and return its address."""
    port_file = layout.root / "stripe-port.json"
    epoch = datetime.now(UTC).date() - timedelta(days=130)  # noqa: TID251 - the services' clock
    arguments = [
        *("-m", "opseer_simulator", "--port", "0", "--port-file", str(port_file)),
        *("--seed", "3", "--key", KEY, "--customers", "120", "--epoch", str(epoch)),
    ]
    process = _run(arguments, {}, layout.root / "stripe.log", stack)
    deadline = time.monotonic() + _PATIENCE
    while not port_file.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    url: str = json.loads(port_file.read_text("utf-8"))["url"]
    return url


def _opseer(layout: Layout, provider: str, stack: ExitStack) -> str:
    """Start `opseer up` against `provider` and return its address."""
    port = free_port()
    environment = {
        "OPSEER_DATA_DIR": str(layout.root),
        "OPSEER_PORT": str(port),
        "OPSEER_SETUP_CODE": SETUP_CODE,
        "OPSEER_SIGNUP": "open",
        "OPSEER_STRIPE_API_BASE": provider,
    }
    log = layout.root / "up.log"
    command = ["-c", "from opseer_cli.main import app; app()", "up"]
    process = _run(command, environment, log, stack)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text("utf-8")
        try:
            with urlopen(f"{url}/readyz", timeout=5):  # noqa: S310 - loopback
                return url
        except OSError:
            time.sleep(0.1)
    pytest.fail(log.read_text("utf-8"))


def _run(
    arguments: list[str], environment: dict[str, str], log: Path, stack: ExitStack
) -> subprocess.Popen[bytes]:
    """Start a Python that ends with the stack."""
    output = stack.enter_context(log.open("wb"))
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={"PATH": os.defpath, **environment},
        stdout=output,
        stderr=output,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a headless Chromium of this machine."""
    expect.set_options(timeout=_PATIENCE * 250)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=list(_ARGUMENTS)
        )
        yield chromium
        chromium.close()


@dataclass
class Visit:
    """One browser window; what its pages complained of is in `complaints`."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a page of Opseer and let it come to rest."""
        self.page.goto(self.url + path)
        self.page.wait_for_load_state("load")

    def violations(self) -> list[str]:
        """Return what the content security policy forbade on the page."""
        found: list[str] = self.page.evaluate("window.__violations || []")
        return found

    def too_wide(self) -> list[str]:
        """Say where a page has to be scrolled sideways."""
        wide = self.page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        return [f"{wide} px too wide"] if wide > 0 else []

    def shut_out(
        self, rules: Mapping[str, object] | None = None, part: str = "html"
    ) -> list[str]:
        """Return what axe finds in `part`, grave or not; `rules` are its options."""
        assert _AXE.exists(), "no axe-core: make install builds the front end"
        self.page.evaluate(_AXE.read_text("utf-8"))
        found: list[str] = self.page.evaluate(_FOUND, [part, rules or {}])
        return found


Open = Callable[..., Visit]


@pytest.fixture(scope="session")
def signed_in() -> dict[str, StorageState]:
    """Return what the browser holds of each person that signed in, by email."""
    return {}


@pytest.fixture
def open_window(
    browser: Browser, system: System, signed_in: dict[str, StorageState]
) -> Iterator[Open]:
    """Return what opens windows: `open_window(person, width=390, dark=True)`."""
    contexts: list[BrowserContext] = []

    def opened(
        person: Person | None = None,
        *,
        width: int = 1180,
        dark: bool = False,
        script: bool = True,
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 844 if width < _NARROW else 900},
            device_scale_factor=2 if width < _NARROW else 1,
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            reduced_motion="reduce",
            storage_state=signed_in.get(person.email) if person else None,
        )
        contexts.append(context)
        context.add_init_script(_WATCH)
        visit = Visit(context.new_page(), system.url)
        visit.page.set_default_timeout(_PATIENCE * 500)
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.on(
            "console",
            lambda said: (
                visit.complaints.append(said.text) if said.type == "error" else None
            ),
        )
        if person is not None and person.email not in signed_in:
            visit.go("/login")
            visit.page.fill("#email", person.email)
            visit.page.fill("#password", PASSWORD)
            visit.page.click("main button")
            visit.page.wait_for_url("**/dashboard")
            signed_in[person.email] = context.storage_state()
        return visit

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def collected(system: System) -> Person:
    """Return the owner of an account whose Stripe is connected and collected."""
    person = system.sign_up()
    person.connect()
    return person


@pytest.fixture(scope="session")
def demo(system: System) -> Person:
    """Return the owner of an account that looks at demo data."""
    person = system.sign_up()
    system.call("PUT", f"{STRIPE}/demo", token=person.token)
    person.settle()
    return person


@pytest.fixture(scope="session")
def keep(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Return what keeps a picture of a page, where pictures are wanted."""
    folder: Path | None = request.config.getoption("--images")

    def kept(page: Page, name: str) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=folder / f"{name}.png", animations="disabled")

    return kept
