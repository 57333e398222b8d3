"""A letter in the form of each channel: pure, within the channel's limits."""

from __future__ import annotations
