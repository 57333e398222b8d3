"""The settings of the command line, and which service is handed which of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from opseer_common import settings
from opseer_common.settings import env

_API_BASES = (
    "OPSEER_STRIPE_API_BASE",
    "OPSEER_REVENUECAT_API_BASE",
    "OPSEER_POLAR_API_BASE",
    "OPSEER_POLAR_SANDBOX_API_BASE",
)
_HANDED: Mapping[str, tuple[str, ...]] = {
    "gateway": (
        "OPSEER_HOST",
        "OPSEER_PORT",
        "OPSEER_PUBLIC_URL",
        "OPSEER_TRUSTED_PROXIES",
        "OPSEER_SIGNUP",
        "OPSEER_DEFAULT_PLAN",
        *_API_BASES,
    ),
    "collector": ("OPSEER_STRIPE_RATE", *_API_BASES),
    "mrr": (),
    "notifier": ("OPSEER_PUBLIC_URL",),
}
_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, never bound


@dataclass(frozen=True, slots=True)
class Settings:
    """What the administrator set; see docs/SETTINGS.md."""

    data_dir: Path = env("OPSEER_DATA_DIR", Path, default=Path(".opseer"))
    database_url: str | None = env("DATABASE_URL", default=None)
    nats_url: str | None = env("NATS_URL", default=None)
    host: str = env("OPSEER_HOST", default="127.0.0.1")
    port: int = env("OPSEER_PORT", settings.port, default=8080)
    public_url: str | None = env("OPSEER_PUBLIC_URL", settings.base_url, default=None)
    setup_code: str | None = env("OPSEER_SETUP_CODE", default=None)
    token: str | None = env("OPSEER_TOKEN", default=None)
    once: bool = env("ONCE", lambda text: text not in {"0", "no"}, default=False)
    path: str = env("PATH", default=os.defpath)

    @property
    def local_url(self) -> str:
        """The gateway as this machine reaches it."""
        host = "127.0.0.1" if self.host in _WILDCARDS else self.host
        return (
            f"http://[{host}]:{self.port}"
            if ":" in host
            else (f"http://{host}:{self.port}")
        )

    @property
    def url(self) -> str:
        """The gateway as its users reach it."""
        return self.public_url or self.local_url


def read() -> Settings:
    """Read the environment. ConfigError for a name or value that is not known."""
    known = frozenset(name for names in _HANDED.values() for name in names)
    return settings.read(Settings, also_known=known)


def handed_to(service: str) -> dict[str, str]:
    """Return what the environment sets of the given service's own settings."""
    return {name: os.environ[name] for name in _HANDED[service] if name in os.environ}
