"""Which addresses are of the public internet."""

from __future__ import annotations

import pytest

from opseer_common.addresses import is_address, is_public


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111"])
def test_public(address: str) -> None:
    """What anyone may reach."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1"),  # noqa: S104
        *("192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "240.0.0.1"),
        *("255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1%eth0"),
        *("fc00::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
        *("64:ff9b::a9fe:a9fe", "2002:7f00:1::1", "2001:db8::1", "fd00:ec2::254", "x"),
        *("::127.0.0.1", "::7f00:1", "192.0.0.8", "192.0.0.170", "4000::1"),
    ],
)
def test_not_public(address: str) -> None:
    """Private, loopback, link-local, metadata, reserved, and each inside of IPv6."""
    assert not is_public(address)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("[::1]", True),
        ("127.1", True),
        ("0x7f000001", True),
        ("2130706433", True),
        ("0177.0.0.1", True),
        ("example.com", False),
        ("1.example.com", False),
    ],
)
def test_addresses_in_disguise(host: str, *, expected: bool) -> None:
    """What some resolvers take for an address is one."""
    assert is_address(host) is expected
