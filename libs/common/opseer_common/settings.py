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
    name: str,
    read: Callable[[str], Any] = str,
    *,
    default: Any = dataclasses.MISSING,
    file: str | None = None,
) -> Any:
    """Declare a field that is read from `name` by `read`; required without default.

    `file` is the name of a variable that may stand in its place: the path of a file
    with the value, so that a password shows in no listing of an environment.
    """
    return dataclasses.field(
        default=default,
        metadata={"env": name, "read": read, "file": file},
        kw_only=True,
    )


def names_of(settings: type) -> tuple[str, ...]:
    """Return the environment names that a settings class reads."""
    return tuple(
        name for f in dataclasses.fields(settings) for name in _names_of_field(f)
    )


def _names_of_field(field: dataclasses.Field[Any]) -> tuple[str, ...]:
    """Return the one or two names of a field."""
    name, file = field.metadata["env"], field.metadata["file"]
    return (name,) if file is None else (name, file)


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
        if any(name in source for name in _names_of_field(f))
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
    name, file = field.metadata["env"], field.metadata["file"]
    if file is None or file not in source:
        text = source[name].strip()
    elif name in source:
        raise ConfigError(f"{name} and {file} are both set: set one")
    else:
        name, text = file, _content(file, source[file].strip())
    if not text:
        raise ConfigError(f"{name} is empty")
    try:
        return field.metadata["read"](text)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None


def _content(name: str, path: str) -> str:
    """Return what the file at `path` holds. ConfigError where it can't be read."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{name}: there is no file that can be read") from None


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


def flag(text: str) -> bool:
    """Read 1 or 0."""
    if text not in {"0", "1"}:
        raise ValueError("must be 1 or 0")
    return text == "1"


def comma_list(text: str) -> tuple[str, ...]:
    """Read words separated by commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def file_path(text: str) -> Path:
    """Read the path of a file that exists."""
    path = Path(text)
    if not path.is_file():
        raise ValueError("there is no such file")
    return path
