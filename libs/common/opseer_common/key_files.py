"""The files of the sealing keys, as running services read them.

A rotation (`opseer keys rotate`) replaces both files under running services. The
collector's file is replaced first, so a record names no key that it does not hold.
"""

from __future__ import annotations

import json
from pathlib import Path

from opseer_common.errors import ConfigError
from opseer_common.key_vault import Wrapper
from opseer_common.sealing import (
    KeyRing,
    PublicKey,
    SealedFor,
    Secret,
    UnknownSealingKeyError,
    key_ring,
    private_document,
    read_public_key,
)


def read_ring(path: Path, vault: Wrapper | None) -> KeyRing:
    """Read the file of the private keys, plain or wrapped by `vault`. ConfigError."""
    try:
        content = path.read_bytes()
        wrapped = json.loads(content).get("wrapped")
        if wrapped is None:
            return key_ring(content)
        if vault is None:
            raise ConfigError(f"{path} is wrapped by a vault: set OPSEER_VAULT_ADDR")
        return key_ring(vault.unwrap(str(wrapped)))
    except (OSError, ValueError, AttributeError):
        raise ConfigError(f"{path}: not a sealing key file") from None


def ring_document(ring: KeyRing, vault: Wrapper | None) -> bytes:
    """Return the content of the file of the private keys, as `vault` wraps it."""
    plain = private_document(ring)
    return (
        plain if vault is None else json.dumps({"wrapped": vault.wrap(plain)}).encode()
    )


class RingFile:
    """The collector's key file: read again when a record names a key it lacks."""

    def __init__(self, path: Path, vault: Wrapper | None = None) -> None:
        """Read the file. ConfigError when it is not one."""
        self._path = path
        self._vault = vault
        self._ring = read_ring(path, vault)

    @property
    def ring(self) -> KeyRing:
        """Return what was read last."""
        return self._ring

    def open(self, record: bytes, place: SealedFor) -> Secret:
        """Return the key in `record`. SealError for whatever does not fit."""
        try:
            return self._ring.open(record, place)
        except UnknownSealingKeyError:
            try:
                self._ring = read_ring(self._path, self._vault)
            except ConfigError as error:
                raise UnknownSealingKeyError(str(error)) from None
        return self._ring.open(record, place)


class PublicFile:
    """The gateway's key file: read for every key that is sealed, they are few."""

    def __init__(self, path: Path) -> None:
        """Read the file once. ConfigError when it is not one."""
        self._path = path
        self._last = read_public_key(path)

    @property
    def key(self) -> PublicKey:
        """Return the key that is sealed to now; the last one where none is there."""
        try:
            self._last = read_public_key(self._path)
        except ConfigError:
            return self._last
        return self._last

    def seal(self, secret: Secret, place: SealedFor) -> bytes:
        """Return the record of `secret` for `place`. ValueError over 255 bytes."""
        return self.key.seal(secret, place)
