"""Whence somebody comes, as limits count it."""

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request


def counted(host: str | None) -> str:
    """An address of IPv4, or the network of one of IPv6, since who has one of its addresses has them all.

    "" for this machine, and where nothing is known.
    """
    try:
        found = ip_address((host or "").partition("%")[0])
    except ValueError:
        return ""
    if found.version == 6:
        found = found.ipv4_mapped or found
    if found.is_loopback:
        return ""
    return str(found if found.version == 4 else ip_network((found, 64), strict=False))


def of(request: "Request") -> str:
    """Whence a request comes, counted."""
    return counted(request.client.host if request.client else None)
