"""Known answers: the published vectors that what our records stand on has to meet."""

from __future__ import annotations

import hmac
import importlib.resources
import json
from collections.abc import Iterator
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from opseer_common import sealing
from opseer_common.sealing import SealedFor, Secret

_VECTORS = importlib.resources.files("cryptography_vectors")


def gcm_vectors(name: str) -> Iterator[dict[str, str]]:
    """Yield NIST's CAVS 14.0 vectors with a full tag and an IV that we could use."""
    text = (_VECTORS / "ciphers" / "AES" / "GCM" / name).read_text()
    for block in text.replace("\r", "").split("\n\n"):
        lines = dict.fromkeys(("Key", "IV", "PT", "AAD", "CT", "Tag"), "")
        for line in block.splitlines():
            key, _, value = line.partition(" = ")
            if line == "FAIL":
                lines["FAIL"] = "yes"
            elif key in lines:
                lines[key] = value
        if lines["Key"] and len(lines["Tag"]) == 32 and len(lines["IV"]) == 24:
            yield lines


def test_aes_256_gcm_encrypts_as_nist_says() -> None:
    """Rule: the cipher gives NIST's text and tag (SP 800-38D, gcmEncryptExtIV256)."""
    checked = 0
    for v in gcm_vectors("gcmEncryptExtIV256.rsp"):
        cipher = AESGCM(bytes.fromhex(v["Key"]))
        made = cipher.encrypt(*(bytes.fromhex(v[name]) for name in ("IV", "PT", "AAD")))
        assert made.hex() == v["CT"] + v["Tag"]
        checked += 1
    assert checked >= 375


def test_aes_256_gcm_refuses_what_nist_forged() -> None:
    """Rule: each forged text of gcmDecrypt256 is refused, each true one opens."""
    opened = refused = 0
    for v in gcm_vectors("gcmDecrypt256.rsp"):
        cipher = AESGCM(bytes.fromhex(v["Key"]))
        parts = [bytes.fromhex(v[name]) for name in ("IV", "CT", "Tag", "AAD")]
        nonce, text, tag, aad = parts
        if "FAIL" in v:
            with pytest.raises(InvalidTag):
                cipher.decrypt(nonce, text + tag, aad)
            refused += 1
        else:
            assert cipher.decrypt(nonce, text + tag, aad).hex() == v["PT"]
            opened += 1
    assert opened > 100
    assert refused > 100


def opened_by_hand(
    record: bytes, private: bytes, info: bytes, aad: bytes = b""
) -> bytes:
    """Open HPKE's base mode, written down from RFC 9180 alone (sections 4 to 6).

    `record` is enc || ciphertext of X25519, HKDF-SHA256 and AES-256-GCM.
    """
    enc, text = record[:32], record[32:]
    key = X25519PrivateKey.from_private_bytes(private)
    kem, suite = b"KEM\0\x20", b"HPKE\0\x20\0\1\0\2"

    def extract(owner: bytes, label: bytes, given: bytes, salt: bytes = b"") -> bytes:
        labelled = b"HPKE-v1" + owner + label + given
        return hmac.digest(salt or bytes(32), labelled, "sha256")

    def expand(
        owner: bytes, secret: bytes, label: bytes, given: bytes, size: int
    ) -> bytes:
        labelled = size.to_bytes(2, "big") + b"HPKE-v1" + owner + label + given
        return hmac.digest(secret, labelled + b"\1", "sha256")[:size]

    shared = key.exchange(X25519PublicKey.from_public_bytes(enc))
    context = enc + key.public_key().public_bytes_raw()
    eae = extract(kem, b"eae_prk", shared)
    secret = expand(kem, eae, b"shared_secret", context, 32)
    hashes = extract(suite, b"psk_id_hash", b"") + extract(suite, b"info_hash", info)
    schedule = extract(suite, b"secret", b"", secret)
    cipher = AESGCM(expand(suite, schedule, b"key", b"\0" + hashes, 32))
    nonce = expand(suite, schedule, b"base_nonce", b"\0" + hashes, 12)
    return cipher.decrypt(nonce, text, aad)


def test_the_hand_written_way_meets_the_standards_vector() -> None:
    """Rule: what judges our records opens the vector of RFC 9180 itself."""
    vectors = json.loads((_VECTORS / "HPKE" / "test-vectors.json").read_text())
    (vector,) = (
        v
        for v in vectors
        if (v["mode"], v["kem_id"], v["kdf_id"], v["aead_id"]) == (0, 32, 1, 2)
    )
    first = vector["encryptions"][0]
    opened = opened_by_hand(
        *(
            bytes.fromhex(text)
            for text in (
                vector["enc"] + first["ct"],
                vector["skRm"],
                vector["info"],
                first["aad"],
            )
        )
    )
    assert opened.hex() == first["pt"]


def test_our_record_is_hpke_of_the_standard() -> None:
    """Rule: any implementation of RFC 9180 opens a record: head, then enc and text."""
    ring, place = sealing.generate(), SealedFor(UUID(int=5), "polar", 9)
    text = "polar_" + "oat_" + "x" * 40
    record = ring.public().seal(Secret(text), place)
    head, info = record[:5], b"opseer.key.v1\0" + record[:5] + UUID(int=5).bytes
    info += b"\0\5polar" + (9).to_bytes(8, "big")
    assert head == b"\1\0\0\0\1"
    opened = opened_by_hand(record[5:], ring.keys[1].private_bytes_raw(), info)
    assert opened == bytes((len(text),)) + text.encode() + bytes(256 - len(text))
