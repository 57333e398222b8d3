"""What each service is handed."""

from __future__ import annotations

from pathlib import Path

import pytest

from opseer_cli.credentials import Credentials, ensure_setup_code
from opseer_cli.layout import layout_of
from opseer_cli.processes import OURSELVES
from opseer_cli.service import Service, Wiring, without_credentials

_ADMIN_URL = "postgresql://admin:se%40cret@db1:5432/opseer?sslmode=require"


@pytest.fixture
def wiring(tmp_path: Path) -> Wiring:
    """Return the wiring of a demo with servers from outside."""
    layout = layout_of(tmp_path)
    layout.make()
    credentials = Credentials(layout.secrets)
    credentials.ensure()
    ensure_setup_code(layout.setup_code, None)
    return Wiring(
        layout=layout,
        credentials=credentials,
        database_url=_ADMIN_URL,
        nats_url="nats://admin:password@bus:4222",
        demo_api_base="http://127.0.0.1:1",
    )


def _environment(name: str, wiring: Wiring) -> dict[str, str]:
    return dict(Service(name, wiring, OURSELVES).child.command.environment)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        (
            "gateway",
            {
                "OPSEER_SEALING_PUBLIC_FILE",
                "OPSEER_SETUP_CODE_FILE",
                "OPSEER_DELIVERY_PUBLIC_FILE",
                "OPSEER_DEMO_API_BASE",
            },
        ),
        ("collector", {"OPSEER_SEALING_KEY_FILE", "OPSEER_DEMO_API_BASE"}),
        ("mrr", set()),
        ("notifier", {"OPSEER_DELIVERY_KEY_FILE"}),
    ],
)
def test_each_gets_its_own_and_no_more(
    name: str, settings: set[str], wiring: Wiring
) -> None:
    """The private sealing key goes to the collector alone, and so on."""
    common = {
        "PATH",
        "LANG",
        "OPSEER_DATABASE_URL",
        "OPSEER_NATS_URL",
        "OPSEER_NATS_SEED_FILE",
        "OPSEER_READY_FILE",
    }
    assert set(_environment(name, wiring)) == common | settings


def test_administrators_are_not_handed_on(wiring: Wiring) -> None:
    """No service learns the administrator's login of database or bus."""
    environment = _environment("mrr", wiring)
    password = wiring.credentials.passwords()["opseer_mrr"]
    assert environment["OPSEER_DATABASE_URL"] == (
        f"postgresql://opseer_mrr:{password}@db1:5432/opseer?sslmode=require"
    )
    assert environment["OPSEER_NATS_URL"] == "nats://bus:4222"


def test_settings_are_handed_to_whom_they_concern(
    wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPSEER_STRIPE_RATE reaches the collector and nobody else."""
    monkeypatch.setenv("OPSEER_STRIPE_RATE", "7")
    having = {
        name
        for name in ("gateway", "collector", "mrr", "notifier")
        if "OPSEER_STRIPE_RATE" in _environment(name, wiring)
    }
    assert having == {"collector"}


@pytest.mark.parametrize(
    ("given", "bare"),
    [
        ("nats://a:4222", "nats://a:4222"),
        ("tls://u:p@a:4222,tls://u:p@b:4222", "tls://a:4222,tls://b:4222"),
        ("u:p@a:4222", "a:4222"),
    ],
)
def test_credentials_leave_the_url(given: str, bare: str) -> None:
    """Every URL of a list is stripped of its login."""
    assert without_credentials(given) == bare
