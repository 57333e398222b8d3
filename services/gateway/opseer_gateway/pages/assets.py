"""What browsers load beside a page: style sheets of ours, and the built scripts.

The scripts come from frontend/ and are made at set-up; where they were not, the pages
go on without them. Everything is read once, named after its content, and kept packed.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec
from aiohttp import web

from opseer_gateway.domain.refusals import not_found
from opseer_gateway.web.routes import Route

STATIC: Final = Path(__file__).parent / "static"
BUILD: Final = STATIC / "build"
_MANIFEST: Final = "manifest.json"
_FIRST_SHEET: Final = "opseer.css"
_FOREVER: Final = "public, max-age=31536000, immutable"
_TYPES: Mapping[str, str] = MappingProxyType(
    {".css": "text/css", ".js": "text/javascript", ".txt": "text/plain"}
)


@dataclass(frozen=True, slots=True)
class _File:
    """One file as it is sent."""

    plain: bytes
    packed: bytes
    type: str


class Assets:
    """The files, by the path they are served at."""

    def __init__(self, static: Path = STATIC, build: Path = BUILD) -> None:
        """Read every file of the two folders."""
        sheets = sorted(static.glob("*.css"), key=_sheet_order)
        files = {f"/static/{sheet.name}": _read(sheet) for sheet in sheets}
        self.sheets = tuple(
            f"{path}?v={_version(file.plain)}" for path, file in files.items()
        )
        """The style sheets' addresses; the one that all others build on is first."""
        names = _manifest(build)
        files |= {
            f"/static/build/{name}": _read(build / name) for name in names.values()
        }
        self._scripts = {
            entry: f"/static/build/{name}" for entry, name in names.items()
        }
        # Small ones of ours need no build.
        for script in static.glob("*.js"):
            path, file = f"/static/{script.name}", _read(script)
            files[path] = file
            self._scripts[script.name] = f"{path}?v={_version(file.plain)}"
        self._files = files

    def script(self, entry: str) -> str | None:
        """Return the address of a script, or None where none was built."""
        return self._scripts.get(entry)

    def routes(self) -> list[Route]:
        """Return the routes of the files."""
        return [
            Route(
                "GET", "/static/{name}", self._show, "A file of the pages", public=True
            ),
            Route(
                "GET", "/static/build/{name}", self._show, "A built script", public=True
            ),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        found = self._files.get(request.path)
        if found is None:
            raise not_found()
        headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
        body = found.plain
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = found.packed
        return web.Response(
            body=body, content_type=found.type, charset="utf-8", headers=headers
        )


def _sheet_order(path: Path) -> tuple[bool, str]:
    return path.name != _FIRST_SHEET, path.name


def _read(path: Path) -> _File:
    plain = path.read_bytes()
    return _File(plain, gzip.compress(plain, 9, mtime=0), _TYPES[path.suffix])


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _manifest(build: Path) -> dict[str, str]:
    """Return which file each entry was built into; none without a build."""
    try:
        text = (build / _MANIFEST).read_bytes()
    except FileNotFoundError:
        return {}
    return msgspec.json.decode(text, type=dict[str, str])
