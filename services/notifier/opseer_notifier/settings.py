"""The notifier's settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from opseer_common.mail_server import MailServer, mail_address, mail_server
from opseer_common.settings import base_url, env, file_path, flag


@dataclass(frozen=True, slots=True)
class Settings:
    """What the process is handed; see docs/SETTINGS.md."""

    database_url: str = env("OPSEER_DATABASE_URL", file="OPSEER_DATABASE_URL_FILE")
    nats_url: str = env("OPSEER_NATS_URL")
    nats_seed_file: Path | None = env("OPSEER_NATS_SEED_FILE", file_path, default=None)
    ready_file: Path | None = env("OPSEER_READY_FILE", Path, default=None)
    public_url: str | None = env("OPSEER_PUBLIC_URL", base_url, default=None)
    """Where a delivered report links to."""
    delivery_key_file: Path | None = env(
        "OPSEER_DELIVERY_KEY_FILE", file_path, default=None
    )
    """Opens destinations; without it reports are built and none is delivered."""
    smtp: MailServer | None = env(
        "OPSEER_SMTP_URL", mail_server, default=None, file="OPSEER_SMTP_URL_FILE"
    )
    smtp_from: str | None = env("OPSEER_SMTP_FROM", mail_address, default=None)
    allow_private_destinations: bool = env(
        "OPSEER_ALLOW_PRIVATE_DESTINATIONS", flag, default=False
    )
    telegram_api_base: str = env(
        "OPSEER_TELEGRAM_API_BASE", base_url, default="https://api.telegram.org"
    )
