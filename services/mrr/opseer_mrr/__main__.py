"""Run the mrr service: `python -m opseer_mrr`."""

from __future__ import annotations

from opseer_common import run
from opseer_common.errors import ConfigError
from opseer_common.settings import read
from opseer_mrr.app import build
from opseer_mrr.settings import Settings


def main() -> None:
    """Read the settings and be the service until SIGTERM."""
    try:
        settings = read(Settings)
    except ConfigError as error:
        run.stop_with("mrr", error)
        return
    run.run("mrr", build(settings), settings.ready_file)


if __name__ == "__main__":
    main()
