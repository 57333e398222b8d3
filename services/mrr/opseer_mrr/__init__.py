"""The mrr service."""

from __future__ import annotations
