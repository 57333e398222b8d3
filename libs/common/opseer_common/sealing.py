"""Sealing provider keys: anyone with the public half seals, only the collector opens.

HPKE base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

Record, 310 bytes: version 1 | key id u32 | enc 32 || ciphertext 257+16. The plain
text is a length byte and the key (a key of over 255 bytes alone), zero-padded to 257
bytes, so the size tells nothing. Account, source and key version go into HPKE's
`info` together with the record's head, so a record that is moved to another row does
not open. Records of destinations are alike, of version 2 and 1,080 bytes, sealed to
the notifier.
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
_HEAD = struct.Struct(">BI")


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of record: `most` bytes of text, its length in `prefix` bytes before it.

    Text of up to `alone` bytes takes the room of its length as well: what stands there
    then is a letter, and never the length of what follows. Records of one form all
    have the same `size`.
    """

    version: int
    label: bytes
    prefix: int
    most: int
    alone: int = 0

    @property
    def size(self) -> int:
        """The bytes of a record."""
        return _HEAD.size + 32 + self.prefix + self.most + 1 + 16

    def pad(self, text: bytes) -> bytes:
        """Return what is encrypted. ValueError for no text or too much of it."""
        most = max(self.most, self.alone)
        if not 0 < len(text) <= most:
            raise ValueError(f"{most} bytes can be sealed at most, one at least")
        if len(text) <= self.most:
            text = len(text).to_bytes(self.prefix, "big") + text
        return text.ljust(self.prefix + self.most + 1, b"\0")

    def unpad(self, plain: bytes) -> bytes | None:
        """Return the text again; None for what `pad` does not make."""
        end = self.prefix + int.from_bytes(plain[: self.prefix], "big")
        if self.prefix < end < len(plain) and not any(plain[end:]):
            return plain[self.prefix : end]
        text = plain.rstrip(b"\0")
        return text if self.most < len(text) <= self.alone else None


KEY: Final = Form(1, b"opseer.key.v1\0", 1, 255, alone=257)
"""A provider's key, sealed to the collector. Polar's have up to 257 bytes."""
DESTINATION: Final = Form(2, b"opseer.destination.v1\0", 2, 1024)
"""The address and secrets of a destination, sealed to the notifier."""
RECORD_SIZE: Final = KEY.size


class SealError(OpseerError):
    """A record that does not open: damaged, moved, or sealed to another key."""


class UnknownSealingKeyError(SealError):
    """A record that is sealed to a key which is not in the ring: nothing is damaged."""


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
    form: Form = KEY

    def info(self, head: bytes) -> bytes:
        """Return HPKE's `info`: a label, the record's head, and this place."""
        name = self.source.encode()
        return b"".join(
            (
                self.form.label,
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
        """Return the record of `secret` for `place`.

        ValueError for more than the place's form takes.
        """
        plain = place.form.pad(secret.reveal().encode())
        head = _HEAD.pack(place.form.version, self.key_id)
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

    def rotated(self) -> KeyRing:
        """Return the ring with a fresh primary key; the others still open."""
        fresh = generate(max(self.keys) + 1)
        return KeyRing(fresh.primary, {**self.keys, **fresh.keys})

    def without(self, key_id: int) -> KeyRing:
        """Return the ring without a key. ValueError for the primary one."""
        if key_id == self.primary:
            raise ValueError("the primary key is in use")
        left = {other: key for other, key in self.keys.items() if other != key_id}
        return KeyRing(self.primary, left)

    def open(self, record: bytes, place: SealedFor) -> Secret:
        """Return the key in `record`.

        SealError for whatever does not fit, UnknownSealingKeyError among them.
        """
        form = place.form
        if len(record) != form.size or record[0] != form.version:
            raise SealError("not a sealed key")
        head = record[: _HEAD.size]
        key = self.keys.get(_HEAD.unpack(head)[1])
        if key is None:
            raise UnknownSealingKeyError("sealed to a key that is not in the key file")
        try:
            plain = _SUITE.decrypt(record[_HEAD.size :], key, info=place.info(head))
        except (InvalidTag, ValueError):
            raise SealError("the sealed key does not open") from None
        text = form.unpad(plain)
        if text is None:
            raise SealError("the sealed key does not open")
        return Secret(text.decode())


def key_id_of(record: bytes) -> int:
    """Return the id of the key that a record is sealed to; no key opens it."""
    found: int = _HEAD.unpack(record[: _HEAD.size])[1]
    return found


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


def key_ring(document: bytes) -> KeyRing:
    """Return the ring of a key file's content. ValueError when it is none."""
    try:
        content = json.loads(document)
        keys = {
            int(key_id): X25519PrivateKey.from_private_bytes(base64.b64decode(raw))
            for key_id, raw in content["keys"].items()
        }
        ring = KeyRing(int(content["primary"]), keys)
        ring.public()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError("not a sealing key file") from None
    return ring


def read_key_ring(path: Path) -> KeyRing:
    """Read the collector's key file. ConfigError when it is not one."""
    try:
        return key_ring(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a sealing key file") from error


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
