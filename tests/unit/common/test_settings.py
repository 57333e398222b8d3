"""Settings: read once, unknown and empty ones refused in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Hidden:
    """A setting whose value may come in a file."""

    url: str = env("OPSEER_URL", settings.base_url, file="OPSEER_URL_FILE")


def test_a_value_may_come_in_a_file(tmp_path: Path) -> None:
    """Rule: the `_FILE` name holds a path; what the file holds is read like a value."""
    file = tmp_path / "url"
    file.write_text("https://a.example/\n")
    read = settings.read(Hidden, {"OPSEER_URL_FILE": str(file)})
    assert read == Hidden(url="https://a.example")
    assert settings.names_of(Hidden) == ("OPSEER_URL", "OPSEER_URL_FILE")


def test_a_value_and_its_file_are_not_both_set(tmp_path: Path) -> None:
    """Rule: two answers to one question are refused, as is a file that is not there."""
    both = {"OPSEER_URL": "https://a", "OPSEER_URL_FILE": str(tmp_path / "url")}
    with pytest.raises(ConfigError, match="both set"):
        settings.read(Hidden, both)
    with pytest.raises(ConfigError, match="OPSEER_URL_FILE: there is no file"):
        settings.read(Hidden, {"OPSEER_URL_FILE": both["OPSEER_URL_FILE"]})
    (tmp_path / "url").write_text("\n")
    with pytest.raises(ConfigError, match="OPSEER_URL_FILE is empty"):
        settings.read(Hidden, {"OPSEER_URL_FILE": both["OPSEER_URL_FILE"]})
