"""The `opseer` command and the one-machine supervisor."""

from __future__ import annotations
