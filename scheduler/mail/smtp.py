"""Handing a finished mail over: to an SMTP server, or to a folder that stands for one.

The transport says of each failure whether it is permanent and whether it concerns this one recipient or the whole
server, so that the worker knows what to do with the row and with the rows behind it. A connection serves many mails;
it is opened when first needed and again after a failure. Nothing is sent in clear text to another machine, no
certificate goes unverified, and there is no second, weaker try.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import smtplib
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import urlsplit

from scheduler.config import Mail
from scheduler.core.words import clean_line
from scheduler.mail import tls

TIMEOUT = 30.0  # seconds of silence, at each step
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
# One mailbox and nothing that could be read as a second one, a parameter or a command (RFC 5321 4.1.2).
_MAILBOX = re.compile(r"[^\s\x00-\x20\x7f<>()\[\]\\,;:@\"]{1,128}@[^\s\x00-\x20\x7f<>()\[\]\\,;:@\"]{1,253}")
_BARE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_CLOSING = 421
_OF_THE_ACCOUNT = (530, 534, 535, 538)  # it does not let us in (RFC 4954 6)


Scope = Literal["recipient", "server", "account"]


class TransportError(Exception):
    """The mail was not handed over, or nobody knows whether it was. `text` is one line for the operator.

    `permanent`: trying again is useless. `scope`: "recipient" when only this mail is concerned, "server" when the
    next one will fare no better now, "account" when the server does not let us in, so that none will leave until the
    operator mends it. `code` is the SMTP reply code, if there was a reply. `perhaps_left`: the
    connection broke when the mail was on its way, so that nobody knows whether the server has it.
    """

    def __init__(
        self,
        text: str,
        *,
        permanent: bool,
        scope: Scope,
        code: int | None = None,
        perhaps_left: bool = False,
    ) -> None:
        self.text = clean_line(text)[:300]
        self.permanent = permanent
        self.scope = scope
        self.code = code
        self.perhaps_left = perhaps_left
        super().__init__(self.text)


class Transport(Protocol):
    def send(self, envelope_from: str, recipient: str, content: bytes) -> str:
        """Hands `content` over for one recipient and returns the receiver's word for it. Raises TransportError.

        An empty `envelope_from` is the null return path. `content` is a whole message with CRLF line ends.
        """

    def greet(self) -> str:
        """Gets as far as a first mail would, sends none, and says where that was. Raises TransportError."""


@contextmanager
def open_transport(mail: Mail, *, timeout: float | None = None) -> Iterator[Transport]:
    """The transport of the configuration. Nothing is connected before the first mail. `timeout`: else TIMEOUT."""
    if mail.mailbox:
        yield _Folder(mail.mailbox)
        return
    server = _Server(mail, TIMEOUT if timeout is None else timeout)
    try:
        yield server
    finally:
        server.close()


class _Server:
    """An SMTP server (RFC 5321), by plain connection, STARTTLS (RFC 3207) or TLS from the start (RFC 8314)."""

    def __init__(self, mail: Mail, timeout: float) -> None:
        self._url = urlsplit(mail.smtp_url)
        self._login = mail.smtp_login
        self._name = mail.domain  # said in EHLO; asking the resolver for our own name can take long
        self._timeout = timeout
        self._connection: smtplib.SMTP | None = None

    def send(self, envelope_from: str, recipient: str, content: bytes) -> str:
        mailbox = _sendable(envelope_from, recipient, content)
        with self._telling():
            return _transaction(self._ready(), envelope_from, mailbox, content)

    def greet(self) -> str:
        with self._telling():
            self._ready()
        host, port = self._address
        return f"{host}:{port}" + (f", signed in as {self._login[0]}" if self._login else "")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Whatever goes wrong is a TransportError, and nobody goes on with a connection of which that is not known."""
        try:
            yield
        except TransportError as error:
            if error.scope != "recipient":
                self._drop()
            raise
        except smtplib.SMTPResponseException as error:
            self._drop()
            raise _server_error(f"{error.smtp_code} {_text(error.smtp_error)}", error.smtp_code) from error
        except ssl.SSLError as error:
            self._drop()
            raise _server_error(f"no trusted TLS connection: {error}") from error
        except OSError as error:  # time-outs, disconnects, and smtplib's other errors
            self._drop()
            raise _server_error(str(error) or type(error).__name__) from error
        except ValueError:  # its text may hold a piece of the password
            self._drop()
            text = "user or password have characters that SMTP cannot carry"
            raise TransportError(f"mail server: {text}", permanent=False, scope="account") from None

    def close(self) -> None:
        if self._connection:
            with suppress(OSError):
                self._connection.quit()
        self._drop()

    def _ready(self) -> smtplib.SMTP:
        """A connection on which nothing is pending: the one in use after RSET, else a new one."""
        if self._connection:
            with suppress(OSError):
                if self._connection.rset()[0] == 250:
                    return self._connection
            self._drop()
        self._connection = self._connected()
        if self._url.scheme == "smtp+starttls":  # fails where the server's offer is missing or was stripped
            self._connection.starttls(context=tls.trusted())
        self._connection.ehlo_or_helo_if_needed()
        if self._login:
            self._connection.login(*self._login)
        return self._connection

    @property
    def _address(self) -> tuple[str, int]:
        return self._url.hostname or "", self._url.port or _PORTS[self._url.scheme]

    def _connected(self) -> smtplib.SMTP:
        host, port = self._address
        if self._url.scheme != "smtps":
            return smtplib.SMTP(host, port, local_hostname=self._name, timeout=self._timeout)
        context = tls.trusted()
        return smtplib.SMTP_SSL(host, port, local_hostname=self._name, timeout=self._timeout, context=context)

    def _drop(self) -> None:
        if self._connection:
            with suppress(OSError):
                self._connection.close()
        self._connection = None


def _transaction(server: smtplib.SMTP, envelope_from: str, mailbox: str, content: bytes) -> str:
    """MAIL, RCPT, DATA, said by hand: smtplib's own way reads addresses with a parser that can be fooled."""
    options = _options(server, envelope_from + mailbox, content)
    _accepted(server.docmd("MAIL", f"FROM:<{envelope_from}>{options}"), may_be_permanent=False)
    _accepted(server.docmd("RCPT", f"TO:<{mailbox}>"))
    try:
        return _accepted(server.data(content))  # adds and removes nothing but dots (RFC 5321 4.5.2)
    except smtplib.SMTPDataError as error:
        return _accepted((error.smtp_code, error.smtp_error))
    except OSError as error:
        text = f"mail server: {str(error) or type(error).__name__}"
        raise TransportError(text, permanent=False, scope="server", perhaps_left=True) from error


def _options(server: smtplib.SMTP, addresses: str, content: bytes) -> str:
    """What must be said with MAIL; nothing for our own mail, which is 7-bit."""
    international = not addresses.isascii()
    if international and not server.has_extn("smtputf8"):
        raise _refusal("the mail server takes only plain Latin letters before the @ (it does not offer SMTPUTF8)")
    if not content.isascii() and not server.has_extn("8bitmime"):
        raise _refusal("the mail server does not take 8-bit mail")
    server.command_encoding = "utf-8" if international else "ascii"
    return ("" if content.isascii() else " BODY=8BITMIME") + (" SMTPUTF8" if international else "")


def _accepted(answer: tuple[int, bytes | str], *, may_be_permanent: bool = True) -> str:
    """The server's answer as one line. Raises TransportError unless it is a yes.

    A refused sender is a matter of set-up: this mail waits until it is mended, and holds up no other.
    """
    code, reply = answer
    line = clean_line(f"{code} {_text(reply)}")[:300]
    if 200 <= code < 300:
        return line
    if code == _CLOSING or code in _OF_THE_ACCOUNT or not 400 <= code < 600:
        raise _server_error(line, code)
    raise TransportError(line, permanent=may_be_permanent and code >= 500, scope="recipient", code=code)


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply


def _server_error(text: str, code: int | None = None) -> TransportError:
    scope: Scope = "account" if code in _OF_THE_ACCOUNT else "server"
    return TransportError(f"mail server: {text}", permanent=False, scope=scope, code=code)


def _refusal(text: str) -> TransportError:
    return TransportError(text, permanent=True, scope="recipient")


def _sendable(envelope_from: str, recipient: str, content: bytes) -> str:
    """`recipient` with its domain as A-label (RFC 5890). Raises TransportError for what no server may ever see."""
    if not _MAILBOX.fullmatch(recipient) or (envelope_from and not _MAILBOX.fullmatch(envelope_from)):
        raise _refusal("this is not one plain address")
    if _BARE_LINE_END.search(content):
        raise _refusal("the mail has bare CR or LF")
    local, _, domain = recipient.rpartition("@")
    try:
        return f"{local}@{domain if domain.isascii() else domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        raise _refusal("the domain of the address cannot exist") from None


class _Folder:
    """Keeps mail in a folder instead of sending it: NAME.eml with exactly the content, NAME.json with the envelope.

    NAME is the digest of both, so the same mail handed over twice is one file, as a receiver would drop a repeat.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, envelope_from: str, recipient: str, content: bytes) -> str:
        mailbox = _sendable(envelope_from, recipient, content)
        name = hashlib.sha256(b"\0".join([envelope_from.encode(), mailbox.encode(), content])).hexdigest()
        envelope = json.dumps({"envelope_from": envelope_from, "recipient": mailbox}, ensure_ascii=False)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (self._folder / f"{name}.eml").exists():
                self._keep(f"{name}.json", envelope.encode())
                self._keep(f"{name}.eml", content)  # last: whoever sees it finds its envelope
        except OSError as error:
            raise TransportError(f"mail folder: {error}", permanent=False, scope="server") from error
        return f"250 kept as {name}.eml"

    def greet(self) -> str:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self._folder).close()
        except OSError as error:
            raise TransportError(f"mail folder: {error}", permanent=False, scope="server") from error
        return str(self._folder)

    def _keep(self, name: str, content: bytes) -> None:
        """Writes a file that is there whole or not at all, also after a power cut."""
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._folder / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(self._folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
