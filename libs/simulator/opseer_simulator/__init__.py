"""A deterministic made-up company behind Stripe's HTTP API. Knows nothing of Opseer."""

from __future__ import annotations
