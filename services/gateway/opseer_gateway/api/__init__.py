"""The HTTP API under /api/v1, and the routes for operators."""
