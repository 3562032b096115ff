"""Texts that must be read again and that the database alone must not give away, such as secret addresses of others.

They are encrypted and authenticated (Fernet) with a key derived from the server's, which lies outside the database. As
with tokens, what an older key of the server sealed can still be opened.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


def sealed(keys: Iterable[bytes], text: str) -> str:
    """With the first key."""
    return _box(keys).encrypt(text.encode()).decode("ascii")


def opened(keys: Iterable[bytes], seal: str) -> str | None:
    """None when its key is there no more, or when it was tampered with."""
    try:
        return _box(keys).decrypt(seal.encode()).decode()
    except InvalidToken:
        return None


def _box(keys: Iterable[bytes]) -> MultiFernet:
    derived = (hmac.digest(key, b"sealed\0", "sha256") for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])
