"""Where prompts and keys may be sent: https anywhere, plain http to private hosts alone.

What this module does not know: what a name resolves to. It looks at the text of an address only, so
that building an adapter asks no name server.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Final
from urllib.parse import urlsplit

from spex_api.errors import UsageError

__all__ = ["checked_address", "is_loopback"]

_METADATA: Final = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data"}
)
_METADATA_ADDRESSES: Final = frozenset(
    ipaddress.ip_address(text) for text in ("100.100.100.200", "168.63.129.16", "fd00:ec2::254")
)
_PRIVATE_NAMES: Final = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
_NUMERIC = re.compile(r"[0-9a-fx.]+")


def checked_address(url: str, *, variable: str) -> str:
    """The address normalised: host in lower case, no default port, no slash at the end.

    Args:
        url: the address as the user gave it.
        variable: the environment variable that sets it, for the sentence.

    Raises:
        UsageError: it holds a name and password, a query, or leads where no prompt should go.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    flaw = ""
    if parts.scheme not in {"http", "https"} or not host or re.search(r"[\s\\%]", host):
        flaw = "it is no http or https address"
    elif "@" in parts.netloc or parts.query or parts.fragment:
        flaw = "it holds more than host and path, which may be a secret"
    elif _is_metadata(host):
        flaw = "that is a cloud's metadata service"
    elif parts.scheme == "http" and not _is_private(host):
        flaw = f"prompts and key would go to {host} unencrypted; plain http is for private hosts"
    if flaw:
        raise UsageError(
            f"The address of the API ({variable}) cannot be used: {flaw}.",
            advice="Give an address such as https://host/v1.",
        )
    shown = f"[{host}]" if ":" in host else host
    standing = {"http": 80, "https": 443}[parts.scheme]
    place = shown if port in {None, standing} else f"{shown}:{port}"
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a host is, also in the odd spellings that resolvers take."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if not _NUMERIC.fullmatch(host):
            return None
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_metadata(host: str) -> bool:
    address = _address(host)
    if address is None:
        return host in _METADATA or host.startswith("instance-data.")
    return address.is_link_local or address in _METADATA_ADDRESSES


def _is_private(host: str) -> bool:
    """Whether a host is this machine or near it; a name without a dot is, a public name is not."""
    address = _address(host)
    if address is None:
        return "." not in host or host.endswith(_PRIVATE_NAMES)
    return address.is_private


def is_loopback(url: str) -> bool:
    """Whether an address leads to this machine and nowhere else."""
    host = urlsplit(url).hostname or ""
    address = _address(host)
    return address.is_loopback if address else ("." + host).endswith(".localhost")
