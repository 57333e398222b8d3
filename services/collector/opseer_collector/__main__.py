"""The process `python -m opseer_collector`."""

from __future__ import annotations

from opseer_collector.app import SERVICE, build
from opseer_collector.settings import Settings
from opseer_common import run
from opseer_common.errors import ConfigError
from opseer_common.settings import read


def main() -> None:
    """Run until a signal; exit with status 78 where settings are wrong."""
    try:
        settings = read(Settings)
    except ConfigError as error:
        run.stop_with(SERVICE, error)
    else:
        run.run(SERVICE, build(settings), settings.ready_file)


if __name__ == "__main__":
    main()
