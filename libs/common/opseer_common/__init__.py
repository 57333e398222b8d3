"""What the four services share: contracts, bus, database, sealing, money, days."""

from __future__ import annotations
