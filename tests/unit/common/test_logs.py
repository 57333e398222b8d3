"""Log lines: no key, token or password survives the formatter."""

from __future__ import annotations

import io
import logging

import pytest
import structlog

from opseer_common import logs

CANARY = "Zq8" * 12
SECRETS = [
    "rk_" + "live_" + CANARY,
    "sk_" + "test_" + CANARY,
    "RK_" + "LIVE_" + CANARY,
    "sk_" + CANARY,
    "atk_" + CANARY,
    "polar_" + "oat_" + CANARY,
    "ops_" + CANARY,
    "postgresql://opseer_gateway:" + CANARY + "@127.0.0.1:5432/opseer",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "shape", ["{}", "Bearer {}", "key={}&x=1", "['{}']", '{{"api_key":"{}"}}']
)
def test_no_secret_survives(secret: str, shape: str) -> None:
    """Rule: whatever stands around a key, the written line does not hold it."""
    assert CANARY not in logs.redact(shape.format(secret))


@pytest.mark.parametrize(
    "text", ["risk_level", "task_list", "GET /api/v1/mrr 200", "nats://127.0.0.1:4222"]
)
def test_plain_words_stay(text: str) -> None:
    """Rule: redaction leaves ordinary lines alone."""
    assert logs.redact(text) == text


def test_exceptions_and_foreign_loggers_pass_the_same_door(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule: a key inside an exception of a library's logger is taken out too."""
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    before = logging.root.handlers[:]
    try:
        logs.configure("sample")
        try:
            int(SECRETS[0])
        except ValueError:
            structlog.get_logger("aiohttp.server").exception("failed")
    finally:
        logging.root.handlers[:] = before
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    assert "ValueError" in out.getvalue()
    assert CANARY not in out.getvalue()
