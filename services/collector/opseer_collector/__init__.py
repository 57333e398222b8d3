"""The collector service."""

from __future__ import annotations
