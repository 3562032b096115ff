"""Tokens: random, for one purpose, kept as a hash.

An invitee's address token and link token must be written again in every later mail, though only their hashes are
stored. So each is derived from the invitation's random seed and the server's key, which lies outside the database:
who reads the database alone can make none of them. The key can be replaced: the first line of its file makes what is
new, further lines hold the keys of before, and the stored hash tells which of them made a token.

Everything else (sign-in links, sessions, API tokens) is drawn from `secrets` and never seen again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from scheduler.core.meeting import Invitation

REPLY = "reply"  # local part of the address that answers come to
LINK = "link"  # the personal page
MINIMUM_KEY_BYTES = 32


class WeakKey(Exception):
    """The secret key file is missing, too short, or readable by others."""


def make_key(path: Path) -> None:
    """Writes a new key, readable by its owner only; an existing file is left alone."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(secrets.token_hex(MINIMUM_KEY_BYTES) + "\n", "ascii")


def read_key(path: Path) -> bytes:
    """The key that new things are made with."""
    return read_keys(path)[0]


def read_keys(path: Path) -> tuple[bytes, ...]:
    """The key of the first line, and those of further lines, with which older things were made. Raises WeakKey."""
    try:
        mode = path.stat().st_mode
        keys = tuple(line.strip() for line in path.read_bytes().splitlines() if line.strip())
    except OSError as error:
        raise WeakKey(f"{path}: {error.strerror}; `scheduler init` makes the key") from None
    if not keys or any(len(key) < MINIMUM_KEY_BYTES or len(set(key)) < 8 for key in keys):
        raise WeakKey(f"{path}: the key is too short or too simple; remove it and run `scheduler init`")
    if mode & 0o077:
        raise WeakKey(f"{path}: others can read the key; run `chmod 600 {path}`")
    return keys


def key_of_link(keys: Iterable[bytes], invitation: Invitation, link_hash: str) -> bytes | None:
    """Which of the keys made the invitation's link."""
    return next((k for k in keys if hmac.compare_digest(hashed(derived(k, LINK, invitation)), link_hash)), None)


def new_token() -> str:
    """260 random bits in lower-case base32, which survives mail servers that fold case."""
    return _base32(secrets.token_bytes(33))


def new_seed() -> bytes:
    return secrets.token_bytes(16)


def derived(key: bytes, purpose: str, invitation: Invitation) -> str:
    """The invitation's token for `purpose`: 130 bits, 26 lower-case letters and digits."""
    return _derived(key, b"\0".join([purpose.encode(), invitation.id.encode(), invitation.seed]))


@lru_cache(maxsize=64)  # a new one is asked for twice: for its mail and for its hash
def _derived(key: bytes, message: bytes) -> str:
    return _base32(hmac.digest(key, message, "sha256")[:20])[:26]


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()
