"""Logs: JSON unless the output is a terminal, secrets taken out at the last step.

Standard-library loggers (aiohttp, nats, asyncpg) pass the same formatter, and an
exception's text is rendered before it is redacted.
"""

from __future__ import annotations

import logging
import re
import sys

import structlog
from typing_extensions import override

_SECRET = re.compile(
    r"(?:\b(?:rk|sk|pk|rkcs)_(?:live|test|prod)_|\bsk_|\batk_|\bpolar_(?:oat|at_u|at_o)_"
    r"|\bwhsec_|\bops_|\bS[AU][A-Z2-7]{40,})[A-Za-z0-9_+/=*-]*",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(?<=://)([^\s:/@]+):[^\s@]+(?=@)")


def redact(text: str) -> str:
    """Replace everything that looks like a key, token or URL password."""
    return _URL_PASSWORD.sub(r"\1:[redacted]", _SECRET.sub("[redacted]", text))


class RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """Formats as structlog does, then redacts the finished line."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return the line that is written."""
        return redact(super().format(record))


def configure(service: str, *, level: int = logging.INFO) -> None:
    """Send every log line of the process to stderr, one line per event."""
    terminal = sys.stderr.isatty()
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if terminal
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        RedactingFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    structlog.contextvars.bind_contextvars(service=service)
