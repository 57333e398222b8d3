"""The mrr service's SQL: its own tables, and the views that others publish."""

from __future__ import annotations
