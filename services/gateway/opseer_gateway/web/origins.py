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
        forwarded = request.headers.get("X-Forwarded-For", "")
        for hop in reversed([part.strip() for part in forwarded.split(",")]):
            if hop and not self._is_trusted(hop):
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
        if self._is_trusted(address):
            return True
        try:
            return ipaddress.ip_address(address).is_loopback
        except ValueError:
            return False

    def is_this_machine(self, request: web.Request) -> bool:
        """Return whether a request was made here and came through no proxy."""
        if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
            return False
        try:
            return ipaddress.ip_address(request.remote or "").is_loopback
        except ValueError:
            return False

    def _is_ours(self, host: str) -> bool:
        """Return whether a Host header names us."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1].strip("[]").lower()
        if self._public is not None and name == self._public.hostname:
            return True
        return name == "localhost" or _is_address(name)

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
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)


def _is_address(name: str) -> bool:
    """Return whether a host is written as an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _forbidden() -> RefusedError:
    return RefusedError(
        "FORBIDDEN_ORIGIN", "A page of another site may not do this here."
    )
