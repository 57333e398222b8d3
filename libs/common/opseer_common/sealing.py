"""Sealing provider keys: anyone with the public half seals, only the collector opens.

HPKE base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

Record, 310 bytes: version 1 | key id u32 | enc 32 || ciphertext 257+16. The plain
text is a length byte and the key, zero-padded to 257 bytes, so the size tells
nothing. Account, source and key version go into HPKE's `info` together with the
record's head, so a record that is moved to another row does not open.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from typing_extensions import override

from opseer_common.errors import ConfigError, OpseerError

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_VERSION = 1
_HEAD = struct.Struct(">BI")
_PLAIN = 257
_MAX_KEY = 255
RECORD_SIZE: Final = _HEAD.size + 32 + _PLAIN + 16


class SealError(OpseerError):
    """A record that does not open: damaged, moved, or sealed to another key."""


class Secret:
    """A key in memory that no log, repr, format or pickle shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Hold `value`."""
        self._value = value

    def reveal(self) -> str:
        """Return the key itself: for the Authorization header alone."""
        return self._value

    @override
    def __repr__(self) -> str:
        """Hide the key."""
        return "Secret(…)"

    __str__ = __repr__

    @override
    def __reduce__(self) -> tuple[object, ...]:
        """Refuse to be pickled or copied."""
        raise TypeError("a Secret is not pickled")


@dataclass(frozen=True, slots=True)
class SealedFor:
    """Where a record belongs: it opens nowhere else."""

    account_id: UUID
    source: str
    key_version: int

    def info(self, head: bytes) -> bytes:
        """Return HPKE's `info`: a label, the record's head, and this place."""
        name = self.source.encode()
        return b"".join(
            (
                b"opseer.key.v1\0",
                head,
                self.account_id.bytes,
                struct.pack(">H", len(name)),
                name,
                struct.pack(">Q", self.key_version),
            )
        )


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half that seals. The gateway holds this and nothing else."""

    key_id: int
    raw: bytes

    @property
    def check_value(self) -> str:
        """What tells this key from another of the same id; hex, no secret."""
        return hashlib.sha256(b"opseer.sealing-key.v1\0" + self.raw).hexdigest()

    def seal(self, secret: Secret, place: SealedFor) -> bytes:
        """Return the record of `secret` for `place`. ValueError over 255 bytes."""
        text = secret.reveal().encode()
        if not 0 < len(text) <= _MAX_KEY:
            raise ValueError("a key has 1 to 255 bytes")
        head = _HEAD.pack(_VERSION, self.key_id)
        plain = bytes((len(text),)) + text + bytes(_PLAIN - 1 - len(text))
        key = X25519PublicKey.from_public_bytes(self.raw)
        return head + _SUITE.encrypt(plain, key, info=place.info(head))


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The private halves by key id: the collector's alone."""

    primary: int
    keys: Mapping[int, X25519PrivateKey] = field(repr=False)

    def public(self) -> PublicKey:
        """Return the half that new records are sealed to."""
        return self._public(self.primary)

    def publics(self) -> list[PublicKey]:
        """Return the half that seals of every key."""
        return [self._public(key_id) for key_id in self.keys]

    def _public(self, key_id: int) -> PublicKey:
        raw = self.keys[key_id].public_key().public_bytes_raw()
        return PublicKey(key_id, raw)

    def open(self, record: bytes, place: SealedFor) -> Secret:
        """Return the key in `record`. SealError for whatever does not fit."""
        if len(record) != RECORD_SIZE or record[0] != _VERSION:
            raise SealError("not a sealed key")
        head = record[: _HEAD.size]
        key = self.keys.get(_HEAD.unpack(head)[1])
        if key is None:
            raise SealError("sealed to a key that is not in the key file")
        try:
            plain = _SUITE.decrypt(record[_HEAD.size :], key, info=place.info(head))
        except (InvalidTag, ValueError):
            raise SealError("the sealed key does not open") from None
        size = plain[0]
        if size == 0 or any(plain[1 + size :]):
            raise SealError("the sealed key does not open")
        return Secret(plain[1 : 1 + size].decode())


def generate(key_id: int = 1) -> KeyRing:
    """Return a fresh key ring with one key."""
    return KeyRing(key_id, {key_id: X25519PrivateKey.generate()})


def private_document(ring: KeyRing) -> bytes:
    """Return the key file's content: JSON, for a file of mode 0400."""
    keys = {
        str(key_id): base64.b64encode(key.private_bytes_raw()).decode()
        for key_id, key in ring.keys.items()
    }
    return json.dumps({"primary": ring.primary, "keys": keys}).encode()


def public_document(key: PublicKey) -> bytes:
    """Return the content of the gateway's file: JSON."""
    raw = base64.b64encode(key.raw).decode()
    return json.dumps({"key_id": key.key_id, "public_key": raw}).encode()


def read_key_ring(path: Path) -> KeyRing:
    """Read the collector's key file. ConfigError when it is not one."""
    try:
        document = json.loads(path.read_bytes())
        keys = {
            int(key_id): X25519PrivateKey.from_private_bytes(base64.b64decode(raw))
            for key_id, raw in document["keys"].items()
        }
        ring = KeyRing(int(document["primary"]), keys)
        ring.public()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not a sealing key file") from error
    return ring


def read_public_key(path: Path) -> PublicKey:
    """Read the gateway's file. ConfigError when it is not one."""
    try:
        document = json.loads(path.read_bytes())
        key = PublicKey(
            int(document["key_id"]), base64.b64decode(document["public_key"])
        )
        X25519PublicKey.from_public_bytes(key.raw)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a public sealing key file") from error
    return key
