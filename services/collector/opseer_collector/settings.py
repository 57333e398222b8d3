"""The collector's settings. See docs/SETTINGS.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from opseer_common.settings import base_url, env, file_path, rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the process reads from its environment, once."""

    database_url: str = env("OPSEER_DATABASE_URL", file="OPSEER_DATABASE_URL_FILE")
    nats_url: str = env("OPSEER_NATS_URL")
    nats_seed_file: Path | None = env("OPSEER_NATS_SEED_FILE", file_path, default=None)
    ready_file: Path | None = env("OPSEER_READY_FILE", Path, default=None)
    sealing_key_file: Path = env("OPSEER_SEALING_KEY_FILE", file_path)
    vault_address: str | None = env("OPSEER_VAULT_ADDR", base_url, default=None)
    vault_key: str = env("OPSEER_VAULT_KEY", default="opseer")
    vault_token_file: Path | None = env(
        "OPSEER_VAULT_TOKEN_FILE", file_path, default=None
    )
    stripe_api_base: str = env(
        "OPSEER_STRIPE_API_BASE", base_url, default="https://api.stripe.com"
    )
    revenuecat_api_base: str = env(
        "OPSEER_REVENUECAT_API_BASE", base_url, default="https://api.revenuecat.com"
    )
    polar_api_base: str = env(
        "OPSEER_POLAR_API_BASE", base_url, default="https://api.polar.sh"
    )
    polar_sandbox_api_base: str | None = env(
        "OPSEER_POLAR_SANDBOX_API_BASE", base_url, default=None
    )
    demo_api_base: str | None = env("OPSEER_DEMO_API_BASE", base_url, default=None)
    stripe_rate: int | None = env("OPSEER_STRIPE_RATE", rate, default=None)
