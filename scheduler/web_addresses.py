"""Addresses of calendars on the public web, as people type them. Nothing is looked up here; see `fetching` for that."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

PORT = 443
ADDRESS_LENGTH = 2_000
HOST_LENGTH = 253  # RFC 1035 3.1, as a text
_SCHEMES = ("https", "webcal", "webcals")
# A name with a dot whose last part begins with a letter: no number in whatever notation, no machine of our own network.
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


class BadAddress(Exception):
    """No address of a calendar on the public web."""


def checked(text: str) -> str:
    """The https address that is meant. Raises BadAddress; nothing is looked up."""
    text = text.strip()
    if len(text) > ADDRESS_LENGTH:  # first of all: taking it apart would be work, and urlsplit keeps what it was given
        raise BadAddress
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna").decode("ascii").removesuffix(".").lower()
        port = parts.port
    except ValueError:  # UnicodeError included
        raise BadAddress from None
    if parts.scheme not in _SCHEMES or "@" in parts.netloc or port not in (None, PORT) or not _is_host(host):
        raise BadAddress
    address = f"https://{host}{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    if len(address) > ADDRESS_LENGTH or not re.fullmatch(r"[^\s\x00-\x20\x7f\\]+", address):
        raise BadAddress
    return address


def _is_host(name: str) -> bool:
    return len(name) <= HOST_LENGTH and _HOST.fullmatch(name) is not None


def host_of(address: str) -> str:
    return urlsplit(address).hostname or ""
