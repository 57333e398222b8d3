"""How a message gets to each kind of destination."""

from __future__ import annotations
