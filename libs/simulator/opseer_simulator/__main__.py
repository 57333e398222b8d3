"""Start the simulator: `python -m opseer_simulator --help`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import msgspec
from aiohttp import web

from opseer_simulator.channels_mounted import ChannelKeys
from opseer_simulator.clock import utc_now
from opseer_simulator.event_shapes import VERSIONS
from opseer_simulator.rendering import API_VERSION
from opseer_simulator.server import make_app
from opseer_simulator.simulation import CUSTOMERS, Simulation

_HISTORY = timedelta(days=130)
_CHANNELS = {
    "revenuecat": "sk_… or atk_…",
    "polar": "polar_oat_…",
    "polar-sandbox": "polar_oat_… of the sandbox",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    options = _options(arguments)
    epoch = options.epoch or utc_now().date() - _HISTORY
    simulation = Simulation(
        options.seed,
        epoch,
        options.customers,
        stories=options.stories,
        without=frozenset(options.without),
        bulk=options.bulk,
        event_version=options.event_version,
    )
    asyncio.run(_serve(simulation, options))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="opseer_simulator",
        description="A made-up company behind Stripe's HTTP API.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 = any free port")
    parser.add_argument(
        "--socket", type=int, help="a listening socket's inherited file descriptor"
    )
    parser.add_argument(
        "--port-file", type=Path, help='gets {"url": …} once the server is ready'
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--epoch",
        type=date.fromisoformat,
        help="first day of the company (UTC); the same one shows the same history "
        "after a restart; by default 130 days ago",
    )
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument(
        "--stories",
        choices=("plain", "full"),
        default="plain",
        help="full = everything that can happen at Stripe",
    )
    parser.add_argument(
        "--without", action="append", default=[], help="a story of the full company"
    )
    parser.add_argument(
        "--bulk", type=int, default=0, help="further payments in each 120 days"
    )
    parser.add_argument("--event-version", choices=VERSIONS, default=API_VERSION)
    parser.add_argument(
        "--key", action="append", required=True, help="rk_test_… or rk_live_…"
    )
    for channel, family in _CHANNELS.items():
        parser.add_argument(
            f"--{channel}-key", action="append", default=[], help=family
        )
    return parser.parse_args(arguments)


async def _serve(simulation: Simulation, options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    simulation.books()
    channels = ChannelKeys(
        tuple(options.revenuecat_key),
        tuple(options.polar_key),
        tuple(options.polar_sandbox_key),
    )
    app = make_app(simulation, options.key, channels)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await _site(runner, options).start()
    host, port = runner.addresses[0][:2]
    url = f"http://{host}:{port}"
    if options.port_file is not None:
        _announce(options.port_file, url)
    sys.stdout.write(f"simulator ready at {url}\n")
    sys.stdout.flush()
    await stopped.wait()
    await runner.cleanup()


def _site(runner: web.AppRunner, options: argparse.Namespace) -> web.BaseSite:
    """Return where to listen."""
    if options.socket is not None:
        inherited = socket.socket(fileno=options.socket)
        return web.SockSite(runner, inherited, shutdown_timeout=1)
    return web.TCPSite(runner, options.host, options.port, shutdown_timeout=1)


def _announce(file: Path, url: str) -> None:
    """Write the port file whole or not at all."""
    draft = file.with_name(file.name + ".new")
    draft.write_bytes(msgspec.json.encode({"url": url}))
    draft.replace(file)


if __name__ == "__main__":
    raise SystemExit(main())
