"""Passwords: which are good enough, and how they are kept.

A password is kept as an Argon2id hash (RFC 9106), which costs a guesser memory and time for each guess. It costs us the
same, so a process computes only a few at once; whoever waits too long is told to come back.

There are no rules on capitals and digits. A password is refused when it is short, when a list of common passwords,
words and keyboard patterns finds it soon, or when it holds a word that everybody knows of its owner.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from scheduler.core.errors import Busy

LEAST, MOST = 12, 1000  # characters
_JUDGED = 72  # characters that are looked at; longer ones are good if these are
_GOOD = 3  # of 4: 10^8 guesses do not find it
_AT_ONCE, _WAIT_SECONDS = 2, 10.0

_hasher = PasswordHasher(time_cost=2, memory_cost=65536, parallelism=1)  # 64 MiB each
# Made by it, of words that nobody knows; compared with where there is no password, so that it takes as long.
_NOBODYS = "$argon2id$v=19$m=65536,t=2,p=1$XwWFoGbcB1slpTDusiKqVQ$R2I4Gb5c0sBcLDTDvCNglmzck0wSZsC6+Zy2C6lW9Z0"
_places = threading.BoundedSemaphore(_AT_ONCE)


def fault(password: str, known_words: Iterable[str]) -> str:
    """The key of what is wrong with a new password; empty when it is good. `known_words`: see `words`."""
    from zxcvbn import zxcvbn  # its lists take longer to load than most commands need

    password = _composed(password)
    if len(password) < LEAST:
        return "password-short"
    if len(password) > MOST:
        return "password-long"
    folded = password.casefold()
    if any(word in folded for word in known_words):
        return "password-known-word"
    if zxcvbn(password[:_JUDGED])["score"] < _GOOD:
        return "password-common"
    return ""


def words(texts: Iterable[str]) -> set[str]:
    """The words of names and addresses that a password must not hold; short ones would hit too much by chance."""
    found = {word for text in texts for word in re.split(r"[\W\d_]+", text.casefold())}
    return {word for word in found if len(word) >= (4 if word.isascii() else 2)}


def hashed(password: str) -> str:
    with _place():
        return _hasher.hash(_bytes(password))


def is_right(password: str, password_hash: str) -> bool:
    """Takes the same time when there is no hash to compare with."""
    with _place():
        try:
            return _hasher.verify(password_hash or _NOBODYS, _bytes(password)) and bool(password_hash)
        except (VerifyMismatchError, InvalidHashError):
            return False


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with other costs than we ask for now."""
    return _hasher.check_needs_rehash(password_hash)


def _bytes(password: str) -> bytes:
    return _composed(password).encode("utf-8", "surrogatepass")


def _composed(password: str) -> str:
    """One form for letters that keyboards write in several, such as Hangul (RFC 8265, 4.2.1). More than is allowed
    is cut: it can be no password, and needs no work."""
    return unicodedata.normalize("NFC", password[: 4 * MOST])


@contextmanager
def _place() -> Iterator[None]:
    if not _places.acquire(timeout=_WAIT_SECONDS):
        raise Busy("too-many-at-once")
    try:
        yield
    finally:
        _places.release()
