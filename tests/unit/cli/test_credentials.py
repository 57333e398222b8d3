"""Credentials are made once."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest

from opseer_cli.credentials import Credentials, admin_seed_file, ensure_setup_code
from opseer_common import sealing


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    """Return credentials that were just made."""
    made = Credentials(tmp_path)
    made.ensure()
    return made


def test_nothing_is_made_twice(credentials: Credentials) -> None:
    """A second start keeps every file as it is."""
    before = {path: path.read_bytes() for path in credentials.folder.iterdir()}
    credentials.ensure()
    assert {path: path.read_bytes() for path in credentials.folder.iterdir()} == before


def test_every_file_is_read_only_for_its_owner(credentials: Credentials) -> None:
    """No secret can be read by another user or overwritten by mistake."""
    modes = {path.stat().st_mode & 0o777 for path in credentials.folder.iterdir()}
    assert modes == {0o400}


def test_the_two_sealing_files_fit(credentials: Credentials) -> None:
    """What is sealed with the gateway's file opens with the collector's."""
    place = sealing.SealedFor(UUID(int=1), "stripe", 1)
    record = sealing.read_public_key(credentials.sealing_public).seal(
        sealing.Secret("a key"), place
    )
    ring = sealing.read_key_ring(credentials.sealing_key)
    assert ring.open(record, place).reveal() == "a key"


def test_every_user_and_role_has_its_own(credentials: Credentials) -> None:
    """No two share a password or a key."""
    users = ["collector", "gateway", "mrr", "notifier", "provision"]
    keys = credentials.public_keys()
    assert sorted(keys) == users
    assert len(set(keys.values())) == 5
    passwords = credentials.passwords()
    assert sorted(passwords) == [f"opseer_{user}" for user in users[:4]]
    assert len(set(passwords.values())) == 4


def test_damaged_write_is_made_again(tmp_path: Path) -> None:
    """A file that a crash left half-written is not taken for a secret."""
    (tmp_path / "sealing-key.json.new").write_text("{")
    credentials = Credentials(tmp_path)
    credentials.ensure()
    assert sealing.read_key_ring(credentials.sealing_key).primary == 1


def test_login_in_the_url_needs_no_seed(credentials: Credentials) -> None:
    """Where NATS_URL holds the administrator's login, that is used."""
    assert admin_seed_file("nats://admin:password@bus:4222", credentials) is None
    seed = credentials.folder / "nats-provision.seed"
    assert admin_seed_file("nats://bus:4222", credentials) == seed


def test_setup_code_stays(tmp_path: Path) -> None:
    """The code is random, easy to read aloud, private, and the same at each start."""
    file = tmp_path / "setup-code"
    code = ensure_setup_code(file, None)
    assert re.fullmatch(r"[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}", code)
    assert ensure_setup_code(file, None) == code
    assert file.stat().st_mode & 0o777 == 0o600


def test_given_setup_code_wins(tmp_path: Path) -> None:
    """OPSEER_SETUP_CODE replaces a code that was made before."""
    file = tmp_path / "setup-code"
    ensure_setup_code(file, None)
    assert ensure_setup_code(file, "GIVE-N999") == "GIVE-N999"
    assert file.read_text() == "GIVE-N999"
