"""The daily report: pure, without I/O."""

from __future__ import annotations
