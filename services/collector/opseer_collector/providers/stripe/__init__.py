"""Stripe: its shapes, as every API version since 2015 renders them, made into ours."""
