"""The settings of the command line, and which service is handed which of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from opseer_collector.settings import Settings as CollectorSettings
from opseer_common import settings
from opseer_common.mail_server import MailServer, mail_server
from opseer_common.settings import env
from opseer_gateway.settings import Settings as GatewaySettings
from opseer_mrr.settings import Settings as MrrSettings
from opseer_notifier.settings import Settings as NotifierSettings

_SERVICES: Mapping[str, type] = {
    "gateway": GatewaySettings,
    "collector": CollectorSettings,
    "mrr": MrrSettings,
    "notifier": NotifierSettings,
}
_WIRED = frozenset(
    {
        "OPSEER_DATABASE_URL",
        "OPSEER_DATABASE_URL_FILE",
        "OPSEER_NATS_URL",
        "OPSEER_NATS_SEED_FILE",
        "OPSEER_READY_FILE",
        "OPSEER_SEALING_KEY_FILE",
        "OPSEER_SEALING_PUBLIC_FILE",
        "OPSEER_SETUP_CODE_FILE",
        "OPSEER_DELIVERY_KEY_FILE",
        "OPSEER_DELIVERY_PUBLIC_FILE",
        "OPSEER_DEMO_API_BASE",
    }
)
"""What the supervisor alone decides: see service.py."""
_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, never bound


@dataclass(frozen=True, slots=True)
class Settings:
    """What the administrator set; see docs/SETTINGS.md."""

    data_dir: Path = env("OPSEER_DATA_DIR", Path, default=Path(".opseer"))
    secrets_dir: Path | None = env("OPSEER_SECRETS_DIR", Path, default=None)
    database_url: str | None = env(
        "DATABASE_URL", default=None, file="DATABASE_URL_FILE"
    )
    nats_url: str | None = env("NATS_URL", default=None)
    host: str = env("OPSEER_HOST", default="127.0.0.1")
    port: int = env("OPSEER_PORT", settings.port, default=8080)
    public_url: str | None = env("OPSEER_PUBLIC_URL", settings.base_url, default=None)
    setup_code: str | None = env("OPSEER_SETUP_CODE", default=None)
    default_plan: str = env(
        "OPSEER_DEFAULT_PLAN",
        settings.one_of("free", "starter", "plus", "max"),
        default="max",
    )
    smtp: MailServer | None = env(
        "OPSEER_SMTP_URL", mail_server, default=None, file="OPSEER_SMTP_URL_FILE"
    )
    token: str | None = env("OPSEER_TOKEN", default=None)
    vault_address: str | None = env(
        "OPSEER_VAULT_ADDR", settings.base_url, default=None
    )
    vault_key: str = env("OPSEER_VAULT_KEY", default="opseer")
    vault_token_file: Path | None = env(
        "OPSEER_VAULT_TOKEN_FILE", settings.file_path, default=None
    )
    once: bool = env("ONCE", lambda text: text not in {"0", "no"}, default=False)

    @property
    def local_url(self) -> str:
        """The gateway as this machine reaches it."""
        host = "127.0.0.1" if self.host in _WILDCARDS else self.host
        named = f"[{host}]" if ":" in host else host
        return f"http://{named}:{self.port}"

    @property
    def url(self) -> str:
        """The gateway as its users reach it."""
        return self.public_url or self.local_url


def read() -> Settings:
    """Read the environment. ConfigError for a name or value that is not known."""
    known = frozenset(name for service in _SERVICES for name in _free_names(service))
    return settings.read(Settings, also_known=known)


def handed_to(service: str) -> dict[str, str]:
    """Return what the environment sets of the given service's own settings."""
    names = _free_names(service)
    return {name: os.environ[name] for name in names if name in os.environ}


def _free_names(service: str) -> frozenset[str]:
    """Return the names of a service's settings that an administrator may set."""
    return frozenset(settings.names_of(_SERVICES[service])) - _WIRED
