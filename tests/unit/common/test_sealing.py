"""Sealed keys: open in their own place only, and whole or not at all."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opseer_common import sealing
from opseer_common.errors import ConfigError
from opseer_common.sealing import RECORD_SIZE, SealedFor, SealError, Secret

RING = sealing.generate()
PLACE = SealedFor(UUID(int=1), "stripe", 3)
KEY = "rk_" + "test_" + "A" * 99


@given(st.text(min_size=1, max_size=60))
def test_what_is_sealed_opens(text: str) -> None:
    """Rule: the private half gives back exactly what was sealed."""
    record = RING.public().seal(Secret(text), PLACE)
    assert RING.open(record, PLACE).reveal() == text


@given(st.integers(1, 257))
def test_every_record_has_one_size(length: int) -> None:
    """Rule: the size tells nothing about the key, and the table checks it."""
    record = RING.public().seal(Secret("a" * length), PLACE)
    assert len(record) == RECORD_SIZE == 310


@pytest.mark.parametrize("length", [1, 16, 254, 255, 256, 257])
def test_every_length_of_a_key_opens(length: int) -> None:
    """Rule: Polar's longest key, `polar_oat_` and 247 characters, has its room."""
    for first in "rsap":
        key = first + "~" * (length - 1)
        assert RING.open(RING.public().seal(Secret(key), PLACE), PLACE).reveal() == key
    with pytest.raises(ValueError, match="257 bytes"):
        RING.public().seal(Secret("p" * 258), PLACE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, account_id=UUID(int=2)),
        replace(PLACE, source="polar"),
        replace(PLACE, key_version=2),
    ],
)
def test_a_moved_record_does_not_open(elsewhere: SealedFor) -> None:
    """Rule: a record is bound to account, source and key version."""
    record = RING.public().seal(Secret(KEY), PLACE)
    with pytest.raises(SealError):
        RING.open(record, elsewhere)


def test_no_flipped_bit_opens() -> None:
    """Rule: every bit of the record is under the seal."""
    record = RING.public().seal(Secret(KEY), PLACE)
    opened = 0
    for position in range(len(record)):
        for bit in range(8):
            flipped = bytearray(record)
            flipped[position] ^= 1 << bit
            try:
                RING.open(bytes(flipped), PLACE)
            except SealError:
                continue
            opened += 1
    assert opened == 0


def test_no_cut_record_opens() -> None:
    """Rule: a truncated record is refused at every length."""
    record = RING.public().seal(Secret(KEY), PLACE)
    for length in range(len(record)):
        with pytest.raises(SealError):
            RING.open(record[:length], PLACE)


def test_another_ring_does_not_open() -> None:
    """Rule: only the private half that belongs to the public one opens."""
    record = RING.public().seal(Secret(KEY), PLACE)
    with pytest.raises(SealError):
        sealing.generate().open(record, PLACE)


def test_a_secret_does_not_show_itself() -> None:
    """Rule: repr, str, format and pickle do not carry a key."""
    secret = Secret(KEY)
    assert KEY not in f"{secret} {secret!r} {[secret]}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_the_key_files_come_back(tmp_path: Path) -> None:
    """Rule: what is written to the two files reads back as the same halves."""
    private, public = tmp_path / "private", tmp_path / "public"
    private.write_bytes(sealing.private_document(RING))
    public.write_bytes(sealing.public_document(RING.public()))
    record = sealing.read_public_key(public).seal(Secret(KEY), PLACE)
    assert sealing.read_key_ring(private).open(record, PLACE).reveal() == KEY


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"primary":1,"keys":{}}'])
def test_a_wrong_key_file_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    """Rule: a key file that is none is a ConfigError that names the file."""
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="not a sealing key file"):
        sealing.read_key_ring(path)


def test_check_value_tells_keys_apart() -> None:
    """Rule: two keys of one id differ, both halves of one agree; nothing is secret."""
    one, other = sealing.generate(1), sealing.generate(1)
    both = sealing.KeyRing(2, {1: one.keys[1], 2: other.keys[1]})
    assert one.public().check_value != other.public().check_value
    assert [key.key_id for key in both.publics()] == [1, 2]
    assert [key.check_value for key in both.publics()] == [
        one.public().check_value,
        other.public().check_value,
    ]


def test_a_destination_is_a_record_of_its_own_kind() -> None:
    """1,080 bytes whatever is in it, opened in its own place and as its own kind."""
    ring = sealing.generate()
    place = sealing.SealedFor(UUID(int=1), "d", 1, sealing.DESTINATION)
    short, long = (
        ring.public().seal(sealing.Secret(text), place) for text in ("x", "é" * 512)
    )
    assert {len(short), len(long)} == {sealing.DESTINATION.size} == {1_080}
    assert ring.open(long, place).reveal() == "é" * 512
    for other in (
        sealing.SealedFor(UUID(int=2), "d", 1, sealing.DESTINATION),
        sealing.SealedFor(UUID(int=1), "e", 1, sealing.DESTINATION),
        sealing.SealedFor(UUID(int=1), "d", 1),
    ):
        with pytest.raises(sealing.SealError):
            ring.open(long, other)
    with pytest.raises(ValueError, match="1024 bytes"):
        ring.public().seal(sealing.Secret("x" * 1_025), place)
