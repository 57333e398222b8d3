"""The vault that wraps the sealing keys, against a stand-in of its HTTP API."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typing_extensions import override

from opseer_common import sealing
from opseer_common.errors import ConfigError
from opseer_common.key_files import RingFile, read_ring, ring_document
from opseer_common.key_vault import VaultTransit

TOKEN = "hvs." + "A" * 24
RING = sealing.generate()


class Transit(BaseHTTPRequestHandler):
    """Wraps by reversing; whoever has another token is refused."""

    def do_POST(self) -> None:
        """Answer encrypt and decrypt of the key `opseer`."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        data = {
            "/v1/transit/encrypt/opseer": lambda: {
                "ciphertext": "vault:v1:" + body["plaintext"][::-1]
            },
            "/v1/transit/decrypt/opseer": lambda: {
                "plaintext": body["ciphertext"].removeprefix("vault:v1:")[::-1]
            },
        }.get(self.path)
        if self.path == "/v1/transit/decrypt/elsewhere":
            self.send_response(307)
            self.send_header("Location", "/v1/transit/decrypt/opseer")
            self.end_headers()
            return
        allowed = self.headers["X-Vault-Token"] == TOKEN and data is not None
        self.send_response(200 if allowed else 403)
        self.end_headers()
        if allowed and data is not None:
            self.wfile.write(json.dumps({"data": data()}).encode())

    @override
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """Return where the stand-in listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Transit) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """Return the file with the vault's token."""
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    return file


def test_wrapped_keys_open_through_the_vault(
    address: str, token_file: Path, tmp_path: Path
) -> None:
    """Rule: the file holds no private key, and the ring that comes back opens."""
    vault, file = VaultTransit(address, "opseer", token_file), tmp_path / "key"
    file.write_bytes(ring_document(RING, vault))
    raw = base64.b64encode(RING.keys[1].private_bytes_raw())
    assert raw not in file.read_bytes()
    read = RingFile(file, vault).ring
    assert [key.check_value for key in read.publics()] == [RING.public().check_value]


@pytest.mark.parametrize(
    ("key", "token", "words"),
    [
        ("opseer", "another", "the vault answered 403 to decrypt"),
        ("unknown", TOKEN, "the vault answered 403 to decrypt"),
        ("elsewhere", TOKEN, "the vault answered 307 to decrypt"),
    ],
)
def test_a_vault_that_refuses_is_one_clear_line(
    address: str, tmp_path: Path, key: str, token: str, words: str
) -> None:
    """Rule: refusals and redirects are a ConfigError without token or key in it."""
    file, token_file = tmp_path / "key", tmp_path / "token"
    file.write_text('{"wrapped": "vault:v1:x"}')
    token_file.write_text(token)
    with pytest.raises(ConfigError, match=words) as refused:
        read_ring(file, VaultTransit(address, key, token_file))
    assert token not in str(refused.value)


def test_a_vault_that_is_away_or_not_set(tmp_path: Path, token_file: Path) -> None:
    """Rule: without its vault a wrapped file is a ConfigError that says what to do."""
    file = tmp_path / "key"
    file.write_text('{"wrapped": "vault:v1:x"}')
    with pytest.raises(ConfigError, match="does not answer"):
        read_ring(file, VaultTransit("http://127.0.0.1:1", "opseer", token_file))
    with pytest.raises(ConfigError, match="set OPSEER_VAULT_ADDR"):
        read_ring(file, None)
