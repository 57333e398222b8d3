"""The gateway's settings; see docs/SETTINGS.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from opseer_common.settings import (
    base_url,
    comma_list,
    env,
    file_path,
    flag,
    one_of,
    port,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the gateway was given. The bases have no trailing slash and no version."""

    database_url: str = env("OPSEER_DATABASE_URL", file="OPSEER_DATABASE_URL_FILE")
    nats_url: str = env("OPSEER_NATS_URL")
    nats_seed_file: Path | None = env("OPSEER_NATS_SEED_FILE", file_path, default=None)
    ready_file: Path | None = env("OPSEER_READY_FILE", Path, default=None)
    sealing_public_file: Path = env("OPSEER_SEALING_PUBLIC_FILE", file_path)
    setup_code_file: Path = env("OPSEER_SETUP_CODE_FILE", file_path)
    delivery_public_file: Path | None = env(
        "OPSEER_DELIVERY_PUBLIC_FILE", file_path, default=None
    )
    """Seals destinations; without it none can be added."""
    allow_private_destinations: bool = env(
        "OPSEER_ALLOW_PRIVATE_DESTINATIONS", flag, default=False
    )
    host: str = env("OPSEER_HOST", default="127.0.0.1")
    port: int = env("OPSEER_PORT", port, default=8080)
    public_url: str | None = env("OPSEER_PUBLIC_URL", base_url, default=None)
    trusted_proxies: tuple[str, ...] = env(
        "OPSEER_TRUSTED_PROXIES", comma_list, default=()
    )
    signup: str = env("OPSEER_SIGNUP", one_of("closed", "open"), default="closed")
    default_plan: str = env(
        "OPSEER_DEFAULT_PLAN", one_of("free", "starter", "plus", "max"), default="max"
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

    @property
    def secure(self) -> bool:
        """Whether visitors come over https: Secure cookies and HSTS only then."""
        return self.public_url is not None and self.public_url.startswith("https://")
