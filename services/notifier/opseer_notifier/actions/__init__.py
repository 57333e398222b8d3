"""What the notifier does, with the ports it needs."""

from __future__ import annotations
