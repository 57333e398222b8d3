"""Fakes and test places. Tests alone import this."""

from __future__ import annotations
