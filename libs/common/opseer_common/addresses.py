"""Which network addresses a URL that somebody typed may lead to.

Private, loopback, link-local and reserved ones are inside: what answers there trusts
whoever asks, a cloud's metadata service among them (OWASP, SSRF prevention).
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address
from typing import Final

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_PROTOCOLS: Final = ipaddress.IPv4Network("192.0.0.0/24")
"""For protocols of the IETF: Python calls a few of them global."""
_CARRIED: Final = 0xFFFFFFFF


def is_public(address: str) -> bool:
    """Return whether an IP address, as text, belongs to the public internet.

    An address of IPv6 that carries one of IPv4 (mapped, 6to4, NAT64) is judged by it.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return _is_public(parsed)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (carried := _carried(address)):
        return _is_public(carried)
    if address in _PROTOCOLS:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _carried(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address inside one of IPv6."""
    if address in _NAT64:
        return IPv4Address(int(address) & _CARRIED)
    return address.ipv4_mapped or address.sixtofour


def is_address(host: str) -> bool:
    """Return whether a host is written as an address, in any form that is taken."""
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        # 127.1, 0x7f000001 and 2130706433 are addresses for some resolvers.
        return all(_is_number(part) for part in host.rstrip(".").split("."))
    return True


def _is_number(text: str) -> bool:
    try:
        int(text, 0)
    except ValueError:
        return text.isdigit()
    return True
