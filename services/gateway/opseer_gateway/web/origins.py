"""Who may talk to us: hosts we answer for, pages that may write, proxies we believe."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from aiohttp import HttpVersion10, web

from opseer_common.errors import ConfigError, RefusedError
from opseer_gateway.web.problems import Handler

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})
_HOST: Final = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
"""A Host header: links of ours begin with it, so it is nothing but a host."""
_PROXIED: Final = (
    *("Forwarded", "Via", "X-Real-IP"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
)
FORM_TYPE: Final = "application/x-www-form-urlencoded"


class Origins:
    """Checks the host and the origin of each request."""

    def __init__(
        self, public_url: str | None, trusted_proxies: tuple[str, ...]
    ) -> None:
        """Answer for `public_url`, for localhost and for plain addresses.

        A name that somebody points at our address (DNS rebinding) is not among
        them. ConfigError for a proxy that is no address or network.
        """
        self._public = urlsplit(public_url) if public_url else None
        try:
            self._proxies = [
                ipaddress.ip_network(proxy, strict=False) for proxy in trusted_proxies
            ]
        except ValueError:
            raise ConfigError(
                "OPSEER_TRUSTED_PROXIES: addresses or networks, separated by commas"
            ) from None

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Refuse with MISDIRECTED_REQUEST (421) or FORBIDDEN_ORIGIN (403).

        HTTP before 1.0 has no hosts and is BAD_REQUEST.
        """
        if request.version < HttpVersion10:
            raise RefusedError("BAD_REQUEST", "This is not HTTP as it is spoken here.")
        hosts = [request.host]
        if request.rel_url.absolute:
            hosts.append(request.rel_url.authority)
        if not all(self._is_ours(host) for host in hosts):
            raise RefusedError("MISDIRECTED_REQUEST", "This host is not served here.")
        if request.method not in _SAFE and "Authorization" not in request.headers:
            self._check_origin(request)
        return await handler(request)

    def client_ip(self, request: web.Request) -> str:
        """Return the visitor's address; a proxy's word counts only where trusted."""
        peer = request.remote or ""
        if not self._is_trusted(peer):
            return peer
        # Some proxies add a line of their own instead of going on with the visitor's.
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
        for part in reversed(forwarded.split(",")):
            hop = part.strip()
            if _address(hop) is None:
                hop = _name(hop)  # some write the port, too
            if _address(hop) is None:
                break
            if not self._is_trusted(hop):
                return hop
        return peer

    def address(self, request: web.Request) -> str:
        """Return the address that links of ours begin with, without a last slash."""
        if self._public is not None:
            return self._public.geturl()
        return f"http://{request.host}"

    def is_shared(self, address: str) -> bool:
        """Return whether many visitors come from an address: a proxy, or this machine.

        A proxy on this machine may not be among the trusted ones.
        """
        return self._is_trusted(address) or _is_loopback(address)

    def is_this_machine(self, request: web.Request) -> bool:
        """Return whether a request was made here and came through no proxy.

        A proxy on this machine says so in a header, or asks by the public name.
        """
        if any(name in request.headers for name in _PROXIED):
            return False
        return _is_loopback(request.remote or "") and _is_loopback(_name(request.host))

    def _is_ours(self, host: str) -> bool:
        """Return whether a Host header names us."""
        name = _name(host)
        if self._public is not None and name == self._public.hostname:
            return True
        return name == "localhost" or _address(name) is not None

    def _check_origin(self, request: web.Request) -> None:
        """Refuse a write that another site's page sent with our cookies.

        A form of our own pages sends the origin "null", since they send no referrer:
        its CSRF token is what counts then.
        """
        origin = request.headers.get("Origin")
        site = request.headers.get("Sec-Fetch-Site")
        is_form = request.content_type == FORM_TYPE
        if origin == "null" and is_form and site in (None, "same-origin"):
            return
        if origin is not None and not self._is_own(origin, request.host):
            raise _forbidden()
        if origin is None and site is not None and site not in _OWN_SITES:
            raise _forbidden()

    def _is_own(self, origin: str, host: str) -> bool:
        """Return whether `origin` is the site that was asked, or the public one."""
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        if parts.scheme not in ("http", "https"):
            return False
        public = self._public
        return parts.netloc == host or (
            public is not None
            and (parts.scheme, parts.netloc) == (public.scheme, public.netloc)
        )

    def _is_trusted(self, address: str) -> bool:
        """Return whether an address is a proxy of ours."""
        parsed = _address(address)
        return parsed is not None and any(parsed in one for one in self._proxies)


def _name(host: str) -> str:
    """Return the name or address in a Host header, "" where it is more than a host."""
    found = _HOST.fullmatch(host)
    return found[1].strip("[]").lower() if found else ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an IP address, or None for a name."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_loopback(name: str) -> bool:
    """Return whether a name or an address is that of the machine itself."""
    address = _address(name)
    return name == "localhost" if address is None else address.is_loopback


def _forbidden() -> RefusedError:
    return RefusedError(
        "FORBIDDEN_ORIGIN", "A page of another site may not do this here."
    )
