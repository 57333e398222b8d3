"""The page of alerts: what is sent, where and when, and how it went."""

from __future__ import annotations
