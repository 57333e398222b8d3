"""The notifier's SQL, by what it is about."""

from __future__ import annotations
