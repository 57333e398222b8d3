"""Own user ids for the services when root starts Opseer.

Each service then reads its own secrets alone. The ids need no entry in passwd.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from opseer_cli.processes import OURSELVES, Identity

SERVICES = ("gateway", "collector", "mrr", "notifier")
_FIRST_UID = 61_001


def identities_for(root: Path) -> dict[str, Identity]:
    """Return who each service runs as on the data directory `root`."""
    own = {
        service: Identity(uid=uid, gid=uid)
        for uid, service in enumerate(SERVICES, _FIRST_UID)
    }
    if os.geteuid() == 0 and _can_run(own[SERVICES[0]], root):
        return own
    return dict.fromkeys(SERVICES, OURSELVES)


def _can_run(identity: Identity, root: Path) -> bool:
    """Return whether `identity` can enter `root` and import the product."""
    script = "import os, sys; os.chdir(sys.argv[1]); import opseer_common, asyncpg"
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, str(root)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            check=False,
            user=identity.uid,
            group=identity.gid,
            extra_groups=[],
        )
    except OSError:
        return False
    return done.returncode == 0
