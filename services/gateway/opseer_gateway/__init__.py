"""The gateway service."""

from __future__ import annotations
