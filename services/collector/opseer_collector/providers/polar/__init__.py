"""Polar: what its metrics say about a shop, and the refunds on their own days."""
