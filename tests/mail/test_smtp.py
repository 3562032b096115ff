"""Handing mail over, tried against real servers on the loopback interface."""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.config import Mail
from scheduler.mail.smtp import TransportError, open_transport

# aiosmtpd warns of exactly what is tried here: a server that wants a password although nothing is encrypted.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

CONTENT = b"From: meet@office.example\r\nSubject: Hello\r\n\r\nGood morning.\r\n"
OFFICE = "bounce+abc@office.example"
DESK = "desk@konya.example"


class Sink:
    """Keeps what arrives. `rcpt` and `data` are the server's answers; "drop" hangs up instead."""

    def __init__(self, rcpt: str = "250 OK", data: str = "250 OK") -> None:
        self.rcpt, self.data = rcpt, data
        self.arrived: list[tuple[str | None, list[str], bytes]] = []
        self.options: list[str] = []
        self.connections: set[object] = set()

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.connections.add(session.peer)
        self.options += options
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        if self.data == "drop":
            assert server.transport
            server.transport.abort()
        elif self.data.startswith("250"):
            self.arrived.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 OK" if self.data == "drop" else self.data


@contextmanager
def smtp_server(sink: Sink, **options: object) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(sink, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def mail(port: int, scheme: str = "smtp", login: str = "") -> Mail:
    return Mail(smtp_url=f"{scheme}://{login}127.0.0.1:{port}", from_address="meet@office.example")


def failure_of(config: Mail, recipient: str = DESK, content: bytes = CONTENT, timeout: float = 10) -> TransportError:
    with open_transport(config, timeout=timeout) as transport, pytest.raises(TransportError) as failed:
        transport.send(OFFICE, recipient, content)
    return failed.value


def test_a_mail_arrives_as_it_is_at_its_only_recipient() -> None:
    sink = Sink(data="250 2.0.0 queued as 4711")
    with smtp_server(sink) as port, open_transport(mail(port)) as transport:
        assert transport.send(OFFICE, DESK, CONTENT) == "250 2.0.0 queued as 4711"
    assert sink.arrived == [(OFFICE, [DESK], CONTENT)]
    assert sink.options == []


def test_a_notice_has_the_null_return_path() -> None:
    sink = Sink()
    with smtp_server(sink) as port, open_transport(mail(port)) as transport:
        transport.send("", DESK, CONTENT)
    assert sink.arrived == [("<>", [DESK], CONTENT)]


@pytest.mark.parametrize(
    "body",
    [b".\r\n", b"\r\n.\r\n", b"..\r\n.a\r\n...\r\n", b"a\r\n.\r\nMAIL FROM:<x@evil.example>\r\n", b"x" * 900 + b"\r\n"],
)
def test_lines_of_dots_arrive_as_they_are(body: bytes) -> None:
    sink = Sink()
    with smtp_server(sink) as port, open_transport(mail(port)) as transport:
        transport.send(OFFICE, DESK, CONTENT + body)
    assert [content for _, _, content in sink.arrived] == [CONTENT + body]


def test_any_lines_arrive_as_they_are() -> None:
    sink = Sink()
    with smtp_server(sink) as port, open_transport(mail(port)) as transport:

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(st.text(st.sampled_from(". ab\t=-"), max_size=6)))
        def arrives(lines: list[str]) -> None:
            content = CONTENT + "".join(f"{line}\r\n" for line in lines).encode()
            transport.send(OFFICE, DESK, content)
            assert sink.arrived[-1][2] == content

        arrives()
    assert len(sink.connections) == 1


@pytest.mark.parametrize("bare", [b"a\nb\r\n", b"a\rb\r\n", b"\n.\n\r\n", b"\r\n.\r", b"\n"])
def test_bare_line_ends_never_leave(bare: bytes) -> None:
    sink = Sink()
    with smtp_server(sink) as port:
        failed = failure_of(mail(port), content=CONTENT + bare)
    assert (failed.permanent, failed.scope) == (True, "recipient")
    assert not sink.connections


@pytest.mark.parametrize(
    "recipient",
    [
        "a@b.example, c@d.example",
        "a@b.example>,<c@d.example",
        "a@b.example\r\nRCPT TO:<c@d.example>",
        "group: a@b.example;",
        "Name <a@b.example>",
        "a@b.example> SIZE=1",
        "<a@b.example>",
        "@c.example:a@b.example",
        "a@b@c.example",
        "",
        "nobody",
    ],
)
def test_what_is_not_one_plain_address_is_refused_before_any_connection(recipient: str, tmp_path: Path) -> None:
    sink = Sink()
    with smtp_server(sink) as port:
        failed = failure_of(mail(port), recipient)
    assert (failed.permanent, failed.scope) == (True, "recipient")
    assert not sink.connections
    assert failure_of(Mail(smtp_url=f"mailbox:{tmp_path}"), recipient).permanent


def test_a_connection_serves_several_mails() -> None:
    sink = Sink()
    with smtp_server(sink) as port, open_transport(mail(port)) as transport:
        for number in range(3):
            transport.send(OFFICE, f"desk{number}@konya.example", CONTENT)
    assert [recipients for _, recipients, _ in sink.arrived] == [[f"desk{n}@konya.example"] for n in range(3)]
    assert len(sink.connections) == 1


@pytest.mark.parametrize(
    ("rcpt", "data", "permanent", "scope", "code"),
    [
        ("451 4.7.1 Greylisted", "250 OK", False, "recipient", 451),
        ("450 4.2.1 Try later", "250 OK", False, "recipient", 450),
        ("550 5.1.1 No such user", "250 OK", True, "recipient", 550),
        ("250 OK", "552 5.3.4 Too big", True, "recipient", 552),
        ("250 OK", "452 4.3.1 No space", False, "recipient", 452),
        ("421 4.3.2 Closing down", "250 OK", False, "server", 421),
        ("530 5.7.0 Sign in first", "250 OK", False, "account", 530),
    ],
)
def test_a_refusal_says_whom_it_concerns_and_whether_for_good(
    rcpt: str, data: str, permanent: bool, scope: str, code: int
) -> None:
    sink = Sink(rcpt, data)
    with smtp_server(sink) as port:
        failed = failure_of(mail(port))
    assert (failed.permanent, failed.scope, failed.code) == (permanent, scope, code)
    assert str(code) in failed.text
    assert not sink.arrived


@pytest.mark.parametrize(("rcpt", "data"), [("550 No", "250 OK"), ("250 OK", "554 No"), ("421 No", "250 OK")])
def test_one_refused_mail_does_not_harm_the_next(rcpt: str, data: str) -> None:
    sink = Sink(rcpt, data)
    with smtp_server(sink) as port, open_transport(mail(port)) as transport:
        with pytest.raises(TransportError):
            transport.send(OFFICE, "gone@konya.example", CONTENT)
        sink.rcpt = sink.data = "250 OK"
        transport.send(OFFICE, DESK, CONTENT)
    assert sink.arrived == [(OFFICE, [DESK], CONTENT)]


def test_a_connection_lost_after_the_mail_was_given_counts_as_not_sent_and_is_opened_again() -> None:
    sink = Sink(data="drop")
    with smtp_server(sink) as port, open_transport(mail(port)) as transport:
        with pytest.raises(TransportError) as failed:
            transport.send(OFFICE, DESK, CONTENT)
        assert (failed.value.permanent, failed.value.scope) == (False, "server")
        sink.data = "250 OK"
        transport.send(OFFICE, DESK, CONTENT)
    assert len(sink.arrived) == 1
    assert len(sink.connections) == 2


def authenticator(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    return AuthResult(success=getattr(data, "password", b"") == b"right", handled=False)


AUTH = {"auth_required": True, "auth_require_tls": False, "authenticator": authenticator}


def test_a_refused_password_concerns_the_server_and_is_said() -> None:
    sink = Sink()
    with smtp_server(sink, **AUTH) as port:
        failed = failure_of(mail(port, login="office:wrong@"))
    assert (failed.permanent, failed.scope, failed.code) == (False, "account", 535)
    assert "535" in failed.text
    assert "wrong" not in failed.text
    assert not sink.arrived


def test_the_right_password_opens_the_server() -> None:
    sink = Sink()
    with smtp_server(sink, **AUTH) as port, open_transport(mail(port, login="office:right@")) as transport:
        transport.send(OFFICE, DESK, CONTENT)
    assert len(sink.arrived) == 1


def test_a_password_that_smtp_cannot_carry_is_a_clear_failure() -> None:
    with smtp_server(Sink(), **AUTH) as port:
        failed = failure_of(mail(port, login="office:%EB%B9%84%EB%B0%80@"))
    assert (failed.permanent, failed.scope) == (False, "account")
    assert "비" not in failed.text


def test_a_login_without_the_server_offering_one_is_a_clear_failure() -> None:
    with smtp_server(Sink()) as port:
        failed = failure_of(mail(port, login="office:right@"))
    assert (failed.permanent, failed.scope) == (False, "server")


# Encryption


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, crt = folder / "key.pem", folder / "crt.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(crt)]
    subprocess.run(command, check=True, capture_output=True)
    return crt, key


def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture(params=["smtps", "smtp+starttls"])
def encrypted(request: pytest.FixtureRequest, certificate: tuple[Path, Path]) -> Iterator[tuple[str, int, Sink]]:
    scheme, sink = request.param, Sink()
    option = "ssl_context" if scheme == "smtps" else "tls_context"
    with smtp_server(sink, **{option: server_context(certificate)}) as port:
        yield scheme, port, sink


def test_a_certificate_that_nobody_vouches_for_is_refused(encrypted: tuple[str, int, Sink]) -> None:
    scheme, port, sink = encrypted
    failed = failure_of(mail(port, scheme))
    assert (failed.permanent, failed.scope) == (False, "server")
    assert "certificate" in failed.text.lower()
    assert not sink.connections


def test_a_trusted_certificate_of_another_host_is_refused(
    encrypted: tuple[str, int, Sink], certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme, port, sink = encrypted
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    failed = failure_of(Mail(smtp_url=f"{scheme}://localhost:{port}", from_address="meet@office.example"))
    assert failed.scope == "server"
    assert not sink.connections


def test_a_trusted_certificate_is_accepted(
    encrypted: tuple[str, int, Sink], certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme, port, sink = encrypted
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with open_transport(mail(port, scheme)) as transport:
        transport.send(OFFICE, DESK, CONTENT)
    assert sink.arrived == [(OFFICE, [DESK], CONTENT)]


def test_nothing_is_sent_in_clear_text_when_starttls_is_not_offered() -> None:
    sink = Sink()
    with smtp_server(sink) as port:
        failed = failure_of(mail(port, "smtp+starttls", "office:secret@"))
    assert (failed.permanent, failed.scope) == (False, "server")
    assert "STARTTLS" in failed.text
    assert not sink.connections


# Odd servers


class Odd(socketserver.ThreadingTCPServer):
    """Says `banner`, then to each verb (END: the final dot) what `answers` has for it, else yes; None hangs up."""

    daemon_threads = False
    allow_reuse_address = True

    def __init__(self, banner: bytes, answers: dict[str, bytes | None]) -> None:
        self.banner, self.answers, self.heard = banner, answers, list[str]()
        super().__init__(("127.0.0.1", 0), OddConversation)


class OddConversation(socketserver.StreamRequestHandler):
    server: Odd

    def handle(self) -> None:
        self.wfile.write(self.server.banner)
        for line in self.rfile:
            self.server.heard.append(line.decode().strip())
            verb = line.decode().split()[0].upper()
            if not self.say(verb) or (verb == "DATA" and not self.take_mail()):
                return

    def say(self, verb: str) -> bool:
        answer = self.server.answers.get(verb, b"354 go on\r\n" if verb == "DATA" else b"250 OK\r\n")
        self.wfile.write(answer or b"")
        return answer is not None

    def take_mail(self) -> bool:
        for line in self.rfile:
            if line == b".\r\n":
                return self.say("END")
        return False


@contextmanager
def odd_server(banner: bytes = b"220 odd\r\n", **answers: bytes | None) -> Iterator[tuple[int, list[str]]]:
    with Odd(banner, answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1], server.heard
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("banner", "answers"),
    [
        (b"554 5.3.2 Not today\r\n", {}),
        (b"421 4.3.2 Busy\r\n", {}),
        (b"HTTP/1.1 200 OK\r\n", {}),
        (b"220 half a line", {"EHLO": None}),
        (b"220 odd\r\n", {"EHLO": b"550 No\r\n", "HELO": b"550 No\r\n"}),
        (b"220 odd\r\n", {"EHLO": None}),
        (b"220 odd\r\n", {"MAIL": None}),
        (b"220 odd\r\n", {"RCPT": None}),
        (b"220 odd\r\n", {"RCPT": b"what?\r\n"}),
        (b"220 odd\r\n", {"DATA": None}),
        (b"220 odd\r\n", {"END": None}),
        (b"220 odd\r\n", {"RCPT": b"250-" + b"x" * 9000 + b"\r\n"}),
    ],
)
def test_a_server_that_fails_at_any_step_is_tried_again_later(banner: bytes, answers: dict[str, bytes | None]) -> None:
    with odd_server(banner, **answers) as (port, _):
        failed = failure_of(mail(port), timeout=0.3)
    assert (failed.permanent, failed.scope) == (False, "server")
    assert "\n" not in failed.text
    assert len(failed.text) <= 300


def test_a_refused_sender_waits_and_holds_up_no_other() -> None:
    with odd_server(MAIL=b"550 5.7.1 Not your domain\r\n") as (port, _):
        failed = failure_of(mail(port))
    assert (failed.permanent, failed.scope, failed.perhaps_left) == (False, "recipient", False)


def test_only_a_connection_that_breaks_within_the_mail_leaves_its_arrival_open() -> None:
    for answers, perhaps in (({"RCPT": None}, False), ({"END": None}, True)):
        with odd_server(**answers) as (port, _):
            assert failure_of(mail(port)).perhaps_left is perhaps


def test_a_server_that_says_nothing_is_left_after_the_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        failed = failure_of(mail(silent.getsockname()[1]), timeout=0.1)
    assert (failed.permanent, failed.scope) == (False, "server")


def test_no_server_at_all_is_a_failure_of_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert failure_of(mail(port)).scope == "server"


def test_an_idle_connection_that_the_server_closed_is_opened_again() -> None:
    answers: dict[str, bytes | None] = {
        "DATA": b"354 go on\r\n",
        "RSET": None,
        "GOOD": b"",
        "FROM:": b"",
        "SUBJECT:": b"",
    }
    with odd_server(**answers) as (port, heard), open_transport(mail(port)) as transport:
        for _ in range(2):
            transport.send(OFFICE, DESK, CONTENT)
    assert len([line for line in heard if line.startswith("MAIL")]) == 2


def test_an_address_beyond_ascii_needs_smtputf8() -> None:
    sink = Sink()
    with smtp_server(sink, enable_SMTPUTF8=True) as port, open_transport(mail(port)) as transport:
        transport.send(OFFICE, "민원@gwangjin.example", CONTENT)
        transport.send(OFFICE, DESK, CONTENT)
    assert [recipients for _, recipients, _ in sink.arrived] == [["민원@gwangjin.example"], [DESK]]
    assert sink.options == ["SMTPUTF8"]
    with smtp_server(Sink(), enable_SMTPUTF8=False) as port:
        failed = failure_of(mail(port), "민원@gwangjin.example")
    assert (failed.permanent, failed.scope) == (True, "recipient")
    assert "SMTPUTF8" in failed.text


def test_an_international_domain_needs_nothing() -> None:
    sink = Sink()
    with smtp_server(sink) as port, open_transport(mail(port)) as transport:
        transport.send(OFFICE, "desk@광진.example", CONTENT)
    assert sink.arrived[0][1] == ["desk@xn--hc0b775c.example"]


def test_8_bit_mail_is_said_to_be_so_or_refused() -> None:
    sink, content = Sink(), CONTENT + "Günaydın\r\n".encode()
    with smtp_server(sink) as port, open_transport(mail(port)) as transport:
        transport.send(OFFICE, DESK, content)
    assert sink.options == ["BODY=8BITMIME"]
    assert sink.arrived[0][2] == content
    with odd_server() as (port, heard):
        failed = failure_of(mail(port), content=content)
    assert (failed.permanent, failed.scope) == (True, "recipient")
    assert not [line for line in heard if line.startswith("MAIL")]


# The folder


def test_a_folder_keeps_exactly_the_mail_and_its_envelope_once(tmp_path: Path) -> None:
    folder = tmp_path / "demo" / "mail"
    with open_transport(Mail(smtp_url=f"mailbox:{folder}")) as transport:
        for _ in range(2):
            transport.send(OFFICE, DESK, CONTENT)
        transport.send("", DESK, CONTENT)
    kept = sorted(folder.glob("*.eml"))
    assert [file.read_bytes() for file in kept] == [CONTENT, CONTENT]
    envelopes = [json.loads(file.with_suffix(".json").read_text("utf-8")) for file in kept]
    assert sorted(e["envelope_from"] for e in envelopes) == ["", OFFICE]
    assert {e["recipient"] for e in envelopes} == {DESK}
    assert len(list(folder.iterdir())) == 4


def test_the_same_mail_again_leaves_the_file_alone(tmp_path: Path) -> None:
    def kept() -> list[tuple[str, int]]:
        return [(file.name, file.stat().st_mtime_ns) for file in sorted(tmp_path.iterdir())]

    with open_transport(Mail(smtp_url=f"mailbox:{tmp_path}")) as transport:
        transport.send(OFFICE, DESK, CONTENT)
        before = kept()
        transport.send(OFFICE, DESK, CONTENT)
    assert kept() == before


@pytest.mark.parametrize("fault", ["replace", "fsync"])
def test_a_folder_that_cannot_be_written_has_no_half_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def full(*_: object) -> Callable[..., None]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"scheduler.mail.smtp.os.{fault}", full)
    failed = failure_of(Mail(smtp_url=f"mailbox:{tmp_path}"))
    assert (failed.permanent, failed.scope) == (False, "server")
    assert "No space left" in failed.text
    assert not list(tmp_path.iterdir())
