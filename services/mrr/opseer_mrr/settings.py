"""The mrr service's settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from opseer_common.settings import env, file_path


@dataclass(frozen=True, slots=True)
class Settings:
    """What the process is handed; see docs/SETTINGS.md."""

    database_url: str = env("OPSEER_DATABASE_URL", file="OPSEER_DATABASE_URL_FILE")
    nats_url: str = env("OPSEER_NATS_URL")
    nats_seed_file: Path | None = env("OPSEER_NATS_SEED_FILE", file_path, default=None)
    ready_file: Path | None = env("OPSEER_READY_FILE", Path, default=None)
