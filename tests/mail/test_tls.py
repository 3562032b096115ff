"""J01: no certificate that is wrong, out of date or of nobody, no stripped STARTTLS, and never a word in clear text."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from scheduler.mail import tls

from .test_imap import _listening, account
from .test_imap import failure_of as imap_failure
from .test_smtp import Sink, mail, odd_server, server_context, smtp_server
from .test_smtp import failure_of as smtp_failure

CONFIGURATION = """
[ca]
default_ca = own
[own]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = IP:127.0.0.1
"""
SECRETS = ("AUTH", "MAIL", "c2VjcmV0", "secret")


@pytest.fixture(scope="module")
def out_of_date(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate with the right name that ended in 2020, and its key."""
    folder = tmp_path_factory.mktemp("old")
    (folder / "own.cnf").write_text(CONFIGURATION)
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01\n")
    ask = "openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout key.pem -out asked.csr"
    dates = "-startdate 20200101000000Z -enddate 20200201000000Z"
    sign = f"openssl ca -batch -config own.cnf -selfsign -keyfile key.pem -in asked.csr {dates} -out crt.pem -notext"
    for command in (ask, sign):
        subprocess.run(command.split(), check=True, capture_output=True, cwd=folder)
    return folder / "crt.pem", folder / "key.pem"


@pytest.fixture
def trusting(out_of_date: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The one who signed it is trusted; only its time is over."""
    monkeypatch.setenv("SSL_CERT_FILE", str(out_of_date[0]))
    return out_of_date


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_no_mail_leaves_under_a_certificate_whose_time_is_over(scheme: str, trusting: tuple[Path, Path]) -> None:
    sink, option = Sink(), "ssl_context" if scheme == "smtps" else "tls_context"
    with smtp_server(sink, **{option: server_context(trusting)}) as port:
        failed = smtp_failure(mail(port, scheme, "office:secret@"))
    assert (failed.permanent, failed.scope) == (False, "server")
    assert "expired" in failed.text
    assert not sink.connections


def test_no_mailbox_is_opened_under_a_certificate_whose_time_is_over(trusting: tuple[Path, Path]) -> None:
    said: list[bytes] = []
    with _listening(said, trusting) as port:
        failed = imap_failure(account(port, tls=True))
    assert failed.word == "no trusted TLS connection"
    assert "expired" in failed.text
    assert said == []


@pytest.mark.parametrize(
    "answers",
    [
        {},  # the offer was stripped
        {"EHLO": b"250-odd\r\n250 STARTTLS\r\n", "STARTTLS": b"454 4.7.0 Not now\r\n"},
        {"EHLO": b"250-odd\r\n250 STARTTLS\r\n", "STARTTLS": b"220 go on\r\n250 OK\r\n"},  # and no TLS
        {"EHLO": b"250-odd\r\n250-AUTH PLAIN LOGIN\r\n250 OK\r\n"},
    ],
)
def test_without_starttls_nothing_is_said_in_clear_text(answers: dict[str, bytes | None]) -> None:
    with odd_server(**answers) as (port, heard):
        failed = smtp_failure(mail(port, "smtp+starttls", "office:secret@"), timeout=0.3)
    assert (failed.permanent, failed.scope) == (False, "server")
    assert not [line for line in heard if any(secret in line for secret in SECRETS)]


def test_the_oldest_protocols_are_not_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    lax = ssl.create_default_context()
    lax.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED  # as builds have it that leave it to OpenSSL
    monkeypatch.setattr(ssl, "create_default_context", lambda: lax)
    assert tls.trusted().minimum_version >= ssl.TLSVersion.TLSv1_2
