"""The notifier service."""

from __future__ import annotations
