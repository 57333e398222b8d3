"""The files that browsers load beside a page."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer

from opseer_gateway.pages.assets import BUILD, STATIC, Assets
from opseer_gateway.web.routes import definitions

MOST_BYTES = 200_000
"""All scripts of all pages together, compressed."""


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return a folder with style sheets, and an empty one for a build."""
    for name in ("a.css", "opseer.css"):
        (tmp_path / name).write_text(f"/* {name} */")
    build = tmp_path / "build"
    build.mkdir()
    return tmp_path, build


def test_without_a_build(folders: tuple[Path, Path]) -> None:
    """Pages without scripts are whole pages: the one sheet comes before the others."""
    assets = Assets(*folders)
    assert assets.script("charts.js") is None
    assert [sheet.partition("?")[0] for sheet in assets.sheets] == [
        "/static/opseer.css",
        "/static/a.css",
    ]


async def test_built_scripts_are_kept_for_ever(folders: tuple[Path, Path]) -> None:
    """A built script is found by its entry and never asked for again by a browser."""
    static, build = folders
    (build / "charts-ABC.js").write_text("draw()")
    (build / "manifest.json").write_text('{"charts.js": "charts-ABC.js"}')
    assets = Assets(static, build)
    assert assets.script("charts.js") == "/static/build/charts-ABC.js"
    app = web.Application()
    app.add_routes(definitions(assets.routes()))
    async with TestClient(TestServer(app)) as client:
        answer = await client.get("/static/build/charts-ABC.js")
        assert await answer.text() == "draw()"
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert "immutable" in answer.headers["Cache-Control"]
        async with ClientSession(auto_decompress=False) as raw:
            url = client.make_url("/static/build/charts-ABC.js")
            packed = await raw.get(url, headers={"Accept-Encoding": "gzip"})
            assert gzip.decompress(await packed.read()) == b"draw()"


def test_scripts_are_small() -> None:
    """All scripts are at most 200 kB compressed, as browsers get them."""
    scripts = [*BUILD.glob("*.js"), *STATIC.glob("*.js")]
    if not list(BUILD.glob("*.js")):
        pytest.skip("the scripts are not built: make install")
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in scripts}
    assert sum(sizes.values()) <= MOST_BYTES, sizes
