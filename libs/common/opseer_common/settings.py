"""Read the environment once, into a frozen dataclass of the service's own.

A service's settings.py declares a dataclass whose fields carry `env(...)`; `read`
fills it. An unknown `OPSEER_*` name, a missing one, an empty one or a value that
does not fit is a ConfigError: the process says one line and exits with status 78.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from opseer_common.errors import ConfigError

T = TypeVar("T")
_PREFIX = "OPSEER_"
_MAX_PORT = 65535


def env(
    name: str, read: Callable[[str], Any] = str, *, default: Any = dataclasses.MISSING
) -> Any:
    """Declare a field that is read from `name` by `read`; required without default."""
    return dataclasses.field(
        default=default, metadata={"env": name, "read": read}, kw_only=True
    )


def names_of(settings: type) -> tuple[str, ...]:
    """Return the environment names that a settings class reads."""
    return tuple(f.metadata["env"] for f in dataclasses.fields(settings))


def read(
    settings: type[T],
    environ: Mapping[str, str] | None = None,
    *,
    also_known: frozenset[str] = frozenset(),
) -> T:
    """Fill `settings` from `environ` (the process's own by default).

    `also_known` are names that other parts of Opseer read. Raises ConfigError.
    """
    source = os.environ if environ is None else environ
    known = set(names_of(settings)) | also_known
    unknown = sorted(n for n in source if n.startswith(_PREFIX) and n not in known)
    if unknown:
        raise ConfigError(
            f"unknown setting {', '.join(unknown)}: see docs/SETTINGS.md for the names"
        )
    values = {
        f.name: _value(f, source)
        for f in dataclasses.fields(settings)  # type: ignore[arg-type]
        if f.metadata["env"] in source
    }
    missing = [
        f.metadata["env"]
        for f in dataclasses.fields(settings)  # type: ignore[arg-type]
        if f.name not in values and f.default is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{', '.join(missing)} must be set")
    return settings(**values)


def _value(field: dataclasses.Field[Any], source: Mapping[str, str]) -> Any:
    """Read one field; the message of a failure never repeats the value."""
    name = field.metadata["env"]
    text = source[name].strip()
    if not text:
        raise ConfigError(f"{name} is empty")
    try:
        return field.metadata["read"](text)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None


def port(text: str) -> int:
    """Read a TCP port."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _MAX_PORT:
        raise ValueError("a port is a number from 1 to 65535")
    return int(text)


def rate(text: str) -> int:
    """Read a number of requests per second, from 1 to 500."""
    top = 500
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= top:
        raise ValueError(f"a rate is a whole number from 1 to {top}")
    return int(text)


def base_url(text: str) -> str:
    """Read an http(s) base without a trailing slash; a path in it is kept."""
    if not text.startswith(("http://", "https://")):
        raise ValueError("a base starts with http:// or https://")
    return text.rstrip("/")


def one_of(*words: str) -> Callable[[str], str]:
    """Read one of `words`."""

    def read_word(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return read_word


def comma_list(text: str) -> tuple[str, ...]:
    """Read words separated by commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def file_path(text: str) -> Path:
    """Read the path of a file that exists."""
    path = Path(text)
    if not path.is_file():
        raise ValueError("there is no such file")
    return path
