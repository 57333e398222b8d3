"""What every service process does with itself."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import ctypes, resource
from opseer_common.run import close_memory
close_memory()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def test_memory_is_closed() -> None:
    """Rule: a service leaves no core file, and nobody of its user reads its memory."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(0, 0) 0"
