"""Finds the client's address; `X-Forwarded-For` counts only from trusted proxies."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection

Connection = ASGIConnection[Any, Any, Any, Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS = {"http": 80, "https": 443}
_IPV6_PREFIX = 64
_UNKNOWN = "unknown"


class ClientAddresses:
    """Reads `X-Forwarded-For` from the right, past the proxies that are ours."""

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._trusted: tuple[Network, ...] = tuple(ipaddress.ip_network(network) for network in trusted_proxies)

    def of(self, connection: Connection) -> str:
        """The address, or the /64 of an IPv6 one, which is what one person has."""
        peer = _parsed(connection.client.host if connection.client else "")
        forwarded = connection.headers.getall("x-forwarded-for", [])
        hops = [hop for line in forwarded for hop in line.split(",")]
        while peer is not None and hops and self._is_trusted(peer):
            peer = _parsed(hops.pop()) or peer
        if peer is None:
            return _UNKNOWN
        if isinstance(peer, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((peer, _IPV6_PREFIX), strict=False))
        return str(peer)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _parsed(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def origin_of(url: str) -> str:
    """The origin of a URL as browsers write it in `Origin`: no path, and no default port."""
    parts = urlsplit(url.lower())
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in {None, _PORTS.get(parts.scheme)} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def method_of(connection: Connection) -> str:
    """The HTTP method; the framework's type leaves it out of web sockets' scopes."""
    return str(_scope(connection).get("method", ""))


def endpoint(connection: Connection) -> str:
    """Method and route template, for logs: no ids in it."""
    return f"{method_of(connection)} {_scope(connection).get('path_template')}"


def _scope(connection: Connection) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", connection.scope)
