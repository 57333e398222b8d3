"""Settings: read once, unknown and empty ones refused in words."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from opseer_common import settings
from opseer_common.errors import ConfigError
from opseer_common.settings import env


@dataclass(frozen=True)
class Sample:
    """One required setting and one with a default."""

    url: str = env("OPSEER_URL", settings.base_url)
    port: int = env("OPSEER_PORT", settings.port, default=8080)


def test_values_and_defaults() -> None:
    """Rule: a field is read by its reader; a default stands where nothing is set."""
    read = settings.read(Sample, {"OPSEER_URL": " https://a.example/x/ "})
    assert read == Sample(url="https://a.example/x", port=8080)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "OPSEER_URL must be set"),
        (
            {"OPSEER_URL": "https://a", "OPSEER_URLS": "x"},
            "unknown setting OPSEER_URLS",
        ),
        ({"OPSEER_URL": ""}, "OPSEER_URL is empty"),
        ({"OPSEER_URL": "https://a", "OPSEER_PORT": "99999"}, "OPSEER_PORT: a port"),
        ({"OPSEER_URL": "https://a", "OPSEER_PORT": "８０"}, "OPSEER_PORT: a port"),
        ({"OPSEER_URL": "ftp://a"}, "OPSEER_URL: a base"),
    ],
)
def test_a_wrong_environment_is_one_clear_error(
    environ: dict[str, str], words: str
) -> None:
    """Rule: missing, unknown, empty and misfitting settings each say their name."""
    with pytest.raises(ConfigError, match=words):
        settings.read(Sample, environ)


def test_a_refused_value_is_not_repeated() -> None:
    """Rule: a message about a setting never shows its value."""
    with pytest.raises(ConfigError) as error:
        settings.read(Sample, {"OPSEER_URL": "rk_" + "live_secret"})
    assert "secret" not in str(error.value)
