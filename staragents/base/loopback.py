"""Whether an address is on this machine: no proxy may come between us and it."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether requests to `host` stay on this machine."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def is_on_loopback(url: str) -> bool:
    """As `is_loopback`, of the host of a URL."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
