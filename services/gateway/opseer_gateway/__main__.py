"""Run the gateway: `python -m opseer_gateway`."""

from __future__ import annotations

from opseer_common import run
from opseer_common.errors import ConfigError
from opseer_common.settings import read
from opseer_gateway.app import build
from opseer_gateway.settings import Settings


def main() -> None:
    """Read the settings and be the gateway until a signal."""
    try:
        settings = read(Settings)
    except ConfigError as error:
        run.stop_with("gateway", error)
        return
    run.run("gateway", build(settings), settings.ready_file)


if __name__ == "__main__":
    main()
