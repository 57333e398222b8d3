"""Run the notifier: `python -m opseer_notifier`."""

from __future__ import annotations

from opseer_common import run
from opseer_common.errors import ConfigError
from opseer_common.settings import read
from opseer_notifier.app import build
from opseer_notifier.settings import Settings


def main() -> None:
    """Read the settings and be the service until SIGTERM."""
    try:
        settings = read(Settings)
    except ConfigError as error:
        run.stop_with("notifier", error)
        return
    run.run("notifier", build(settings), settings.ready_file)


if __name__ == "__main__":
    main()
