"""Reading a mailbox on an IMAP server (RFC 3501), message by message, raw.

A message is known by its UID, which the server gives once and never again while UIDVALIDITY stays the same. Nothing
here depends on what is marked as seen or on the order of the list: other programs may read, move and delete in the
same mailbox. Whatever the server says or fails to say comes out as `MailboxError`; no certificate goes unverified, and
no password is sent in clear text to another machine.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imapclient import SEEN, IMAPClient, exceptions

from scheduler.config import Account
from scheduler.core.words import clean_line
from scheduler.mail import tls

TIMEOUT = 30.0  # seconds of silence, at each step
BATCH = 100  # messages whose sizes are asked for at once
FEW = 20_000  # messages that one answer of the server may list; imaplib takes a line of a million bytes
WINDOW, WIDEST = 5_000, 50_000  # of UIDs that are asked for in a mailbox of more
HIGHEST_UID = 2**32 - 1


class MailboxError(Exception):
    """The server did not do what it was asked. `text` is one line for the operator.

    `word` says the same in words of ours, without any of the server's, which may repeat names and addresses.
    `broken`: the connection is of no use any more; else only this request was refused.
    """

    def __init__(self, word: str, text: str = "", *, broken: bool = True) -> None:
        self.word = word
        self.text = clean_line(f"{word}: {text}" if text else word)[:300]
        self.broken = broken
        super().__init__(self.text)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the server says of a message before it is fetched; `arrived` is its INTERNALDATE."""

    size: int = 0
    arrived: datetime | None = None


@contextmanager
def open_mailbox(account: Account, largest: int) -> Iterator[Mailbox]:
    """The selected folder of the account. Of what the server sends in one piece, at most about `largest` is read."""
    with _telling("no connection"):
        client = _connected(account, largest)
    try:
        with _telling("login refused"):
            _log_in(client, account)
        with _telling("the folder cannot be opened"):
            selected = client.select_folder(account.folder)
        yield Mailbox(client, selected)
    except MailboxError as error:
        if not error.broken:
            _leave(client)
        raise
    else:
        _leave(client)
    finally:
        with suppress(Exception):
            client.shutdown()


def _connected(account: Account, largest: int) -> IMAPClient:
    context = tls.trusted() if account.tls else None
    client = _Bounded(account.host, account.port, ssl=account.tls, ssl_context=context, timeout=TIMEOUT)
    client.largest = largest + 65_536
    client.normalise_times = False  # else INTERNALDATE loses its zone
    return client


def _log_in(client: IMAPClient, account: Account) -> None:
    if (account.user + account.password).isascii() and b"LOGINDISABLED" not in client.capabilities():
        # imaplib quotes the password but not the user (RFC 3501 9, `quoted`).
        user = account.user.replace("\\", "\\\\").replace('"', '\\"')
        client.login(f'"{user}"', account.password)
    else:
        client.plain_login(account.user, account.password)


def _leave(client: IMAPClient) -> None:
    with suppress(Exception):
        client.logout()


class Mailbox:
    """A selected folder."""

    def __init__(self, client: IMAPClient, selected: dict[bytes, Any]) -> None:
        self._client = client
        self.uidvalidity = _number(selected, b"UIDVALIDITY")
        self.count = _number(selected, b"EXISTS")
        self._next = _number(selected, b"UIDNEXT")
        if not self.uidvalidity:
            raise MailboxError("the server gives no UIDVALIDITY", broken=False)

    def batches_above(self, uid: int) -> Iterator[list[int]]:
        """The UIDs above `uid`, ascending, in lists of at most BATCH."""
        if self.count <= FEW:
            yield from _batches(self._search(f"UID {uid + 1}:*"), uid)
            return
        end, width = self._next or max(self._search("UID *"), default=0) + 1, WINDOW
        while uid + 1 < end:
            upper = min(uid + width, HIGHEST_UID)
            found = self._search(f"UID {uid + 1}:{upper}")
            yield from _batches(found, uid)
            uid, width = upper, WINDOW if found else min(width * 2, WIDEST)

    def has(self, uid: int) -> bool:
        return uid in self._search(f"UID {uid}")

    def with_subject(self, word: str) -> list[int]:
        """The UIDs of the messages, those just arrived included, with this word in the subject."""
        with _telling("the search failed"):
            self._client.noop()
            return sorted(int(uid) for uid in self._client.search(["SUBJECT", word]))

    def envelopes(self, uids: Sequence[int]) -> dict[int, Envelope]:
        """Size and date of the messages; those that are not there any more are left out."""
        with _telling("sizes cannot be read"):
            found = self._client.fetch(list(uids), ["RFC822.SIZE", "INTERNALDATE"])
        return {uid: _envelope(data) for uid, data in found.items() if b"RFC822.SIZE" in data}

    def raw(self, uid: int, at_most: int | None = None) -> bytes | None:
        """The message as it is, or its first `at_most` bytes; None when the server has nothing to give."""
        part = "" if at_most is None else f"<0.{at_most}>"
        with _telling("a message cannot be read"):
            data = self._client.fetch([uid], [f"BODY.PEEK[]{part}"]).get(uid, {})
        content = data.get(b"BODY[]" if at_most is None else b"BODY[]<0>")
        return content if isinstance(content, bytes) else None

    def mark_seen(self, uids: Sequence[int]) -> None:
        with _telling("messages cannot be marked as seen"):
            self._client.add_flags(list(uids), [SEEN], silent=True)

    def _search(self, criteria: str) -> list[int]:
        with _telling("the search failed"):
            return sorted({int(uid) for uid in self._client.search(criteria)})


class _Bounded(IMAPClient):  # type: ignore[misc]
    """Reads no literal beyond `largest` bytes, whatever the server announces."""

    largest = 65_536

    def _create_IMAP4(self) -> Any:
        connection = super()._create_IMAP4()
        read = connection.read

        def bounded(size: int) -> Any:
            if size > self.largest:
                raise exceptions.IMAPClientAbortError(f"a literal of {size} bytes")
            return read(size)

        connection.read = bounded
        return connection


@contextmanager
def _telling(word: str) -> Iterator[None]:
    """Whatever goes wrong inside as a MailboxError that begins with `word`."""
    try:
        yield
    except MailboxError:
        raise
    except exceptions.LoginError as error:
        raise MailboxError(word, str(error)) from error
    except exceptions.IMAPClientAbortError as error:
        raise MailboxError(word, str(error)) from error
    except exceptions.ProtocolError as error:
        raise MailboxError(word, f"the server's answer is not IMAP ({error})") from error
    except exceptions.IMAPClientError as error:  # NO or BAD
        raise MailboxError(word, str(error), broken=False) from error
    except ssl.SSLError as error:
        raise MailboxError("no trusted TLS connection", str(error)) from error
    except OSError as error:
        raise MailboxError(word, str(error) or type(error).__name__) from error
    except Exception as error:  # what the libraries make of an answer that is none; their text may hold a piece of it
        raise MailboxError(word, f"the server's answer is not IMAP ({type(error).__name__})") from error


def _batches(uids: list[int], above: int) -> Iterator[list[int]]:
    """`n:*` always names the last message too, even if it is below n (RFC 3501 6.4.8)."""
    wanted = [uid for uid in uids if uid > above]
    for start in range(0, len(wanted), BATCH):
        yield wanted[start : start + BATCH]


def _envelope(data: dict[bytes, Any]) -> Envelope:
    arrived = data.get(b"INTERNALDATE")
    known = isinstance(arrived, datetime) and arrived.tzinfo is not None
    return Envelope(_number(data, b"RFC822.SIZE"), arrived if known else None)


def _number(data: dict[bytes, Any], name: bytes) -> int:
    value = data.get(name)
    return value if isinstance(value, int) else 0
