"""Logging in to a mailbox: nothing in clear text, no certificate unverified, no name that is a command."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from scheduler.config import Account
from scheduler.mail import imap
from scheduler.mail.imap import MailboxError, open_mailbox
from tests import shaky_imap
from tests.house import NOW
from tests.letter_box import PASSWORD, USER, Server
from tests.shaky_imap import Shaky


def account(port: int, *, tls: bool = False, host: str = "127.0.0.1", **changes: str) -> Account:
    wanted = {"user": USER, "password": PASSWORD, "folder": "INBOX"} | changes
    return Account(host=host, port=port, tls=tls, **wanted)


def failure_of(wanted: Account) -> MailboxError:
    with pytest.raises(MailboxError) as caught, open_mailbox(wanted, 100_000):
        pass
    return caught.value


def test_messages_are_read_as_they_are(imap_server: Server) -> None:
    box = imap_server.box()
    raw = b"Subject: one\r\n\r\nText \xff\x80\r\n"
    box.put(raw, at=NOW)
    with open_mailbox(account(imap_server.port, folder=box.folder), 100_000) as mailbox:
        ((uid,),) = mailbox.batches_above(0)
        assert mailbox.envelopes([uid, uid + 1]) == {uid: imap.Envelope(len(raw), NOW)}
        assert mailbox.raw(uid) == raw
        assert mailbox.raw(uid, 7) == raw[:7]
        assert mailbox.raw(uid + 1) is None
        assert (mailbox.has(uid), mailbox.has(uid + 1)) == (True, False)
        assert list(mailbox.batches_above(uid)) == []
        assert mailbox.with_subject("one") == [uid]
    assert box.seen() == []


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"user": "nobody"}, {"user": 'x" y'}, {"user": "회의"}])
def test_a_login_that_is_refused_is_told(imap_server: Server, changes: dict[str, str]) -> None:
    failed = failure_of(account(imap_server.port, **changes))
    assert failed.word == "login refused"
    assert PASSWORD not in failed.text


def test_a_user_is_never_a_command() -> None:
    """F17: a name with spaces and quotes is one quoted string."""
    lines: list[bytes] = []
    with _listening(lines) as port:
        failure_of(account(port, user='a b" LOGOUT "', password='c" d\\'))
    assert lines[1].endswith(rb'LOGIN "a b\" LOGOUT \"" "c\" d\\"' + b"\r\n")


def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert failure_of(account(port)).word == "no connection"


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_the_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "timed out" in failure_of(account(silent.getsockname()[1])).text


def test_an_enormous_literal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    shaky = Shaky(fault=shaky_imap.at("BODY", "enormous"))
    shaky.put(b"Subject: x\r\n\r\n")
    told = pytest.raises(MailboxError, match="literal of 4294967295")
    with shaky_imap.opened(shaky), told, open_mailbox(account(shaky.port), 100_000) as mailbox:
        mailbox.raw(1)


# Encryption


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, crt = folder / "key.pem", folder / "crt.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(crt)]
    subprocess.run(command, check=True, capture_output=True)
    return crt, key


@contextmanager
def _listening(lines: list[bytes], certificate: tuple[Path, Path] | None = None) -> Iterator[int]:
    """A server that greets one client, with TLS if there is a certificate, keeps its first words, and hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate:
        context.load_cert_chain(*certificate)

    def serve() -> None:
        connection, _ = server.accept()
        connection.settimeout(10)
        with suppress(OSError):
            wrapped = context.wrap_socket(connection, server_side=True) if certificate else connection
            with wrapped as speaking:
                speaking.sendall(b"* OK hello\r\n")
                lines.append(speaking.recv(4_000))
                speaking.sendall(b"* CAPABILITY IMAP4rev1\r\n" + lines[0].split()[0] + b" OK done\r\n")
                lines.append(speaking.recv(4_000))
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: tuple[Path, Path]) -> None:
    """J01."""
    said: list[bytes] = []
    with _listening(said, certificate) as port:
        failed = failure_of(account(port, tls=True))
    assert failed.word == "no trusted TLS connection"
    assert "certificate" in failed.text.lower()
    assert said == []


def test_a_trusted_certificate_of_another_host_is_refused(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    said: list[bytes] = []
    with _listening(said, certificate) as port:
        assert failure_of(account(port, tls=True, host="localhost")).word == "no trusted TLS connection"
    assert said == []


def test_a_trusted_certificate_is_accepted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    said: list[bytes] = []
    with _listening(said, certificate) as port:
        failure_of(account(port, tls=True))
    assert b"LOGIN" in said[1]


def test_nothing_is_said_in_clear_text_to_a_server_without_tls() -> None:
    said: list[bytes] = []
    with _listening(said) as port:
        assert failure_of(account(port, tls=True)).word == "no trusted TLS connection"
    assert all(b"LOGIN" not in line for line in said)
