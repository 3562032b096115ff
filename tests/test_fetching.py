"""H01 to H07, J01: what is fetched for others is fetched from the public web alone, and never for long.

The server is a real one on this machine. Tests resolve its names to an address of the public internet, and dial this
machine instead when that address is dialled; nothing else is ever dialled.
"""

from __future__ import annotations

import gzip
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from scheduler import fetching
from scheduler.fetching import Fetched, Network, TooLarge, Unreachable, fetch, is_public
from scheduler.web_addresses import BadAddress, checked

PUBLIC = "93.184.215.14"
CALENDAR = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
ADDRESS = "https://calendar.example/secret-token.ics"

Answer = Callable[[ssl.SSLSocket, str], None]


def said(status: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    lines += [] if "Content_Length" in headers else [f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, crt = folder / "key.pem", folder / "crt.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=calendar.example", "-addext", "subjectAltName=DNS:calendar.example"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(crt)], check=True, capture_output=True)
    return crt, key


@dataclass
class Web:
    """A server under a public name. `answer` writes what it says to a request; `dialled` is where we went."""

    certificate: tuple[Path, Path]
    names: dict[str, list[str]] = field(default_factory=lambda: {"calendar.example": [PUBLIC]})
    answer: Answer = lambda connection, _: connection.sendall(said("200 OK", CALENDAR))
    requests: list[str] = field(default_factory=list)
    dialled: list[tuple[str, int]] = field(default_factory=list)
    port: int = 0

    def resolve(self, host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        """As socket.getaddrinfo; several addresses of a name are given one after the other, as by a lying server."""
        found = self.names.get(host)
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        address = found.pop(0) if len(found) > 1 else found[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    def dial(self, address: tuple[str, int], timeout: float) -> socket.socket:
        self.dialled.append(address)
        connected = socket.socket()
        connected.settimeout(timeout)
        connected.connect(("127.0.0.1", self.port))
        return connected

    def network(self, seconds: float = 5.0) -> Network:
        return Network(self.dial, str(self.certificate[0]), seconds)

    def fetch(self, address: str = ADDRESS, *, seconds: float = 5.0, **marks: str) -> Fetched:
        return fetch(address, network=self.network(seconds), **marks)

    def says(self, *answers: bytes) -> None:
        waiting = list(answers)
        self.answer = lambda connection, _: connection.sendall(waiting.pop(0) if len(waiting) > 1 else waiting[0])

    def serve(self, server: socket.socket, context: ssl.SSLContext) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.settimeout(5)
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as speaking:
                request = b""
                while b"\r\n\r\n" not in request and (piece := speaking.recv(9000)):
                    request += piece
                if request:
                    self.requests.append(request.decode())
                self.answer(speaking, request.decode())
            connection.close()


@pytest.fixture
def web(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    web, context = Web(certificate), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    monkeypatch.setattr(socket, "getaddrinfo", web.resolve)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    with socket.create_server(("127.0.0.1", 0)) as server:
        web.port = server.getsockname()[1]
        thread = threading.Thread(target=web.serve, args=(server, context), daemon=True)
        thread.start()
        yield web
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


# --- what is fetched


def test_a_calendar_is_fetched_with_its_marks_and_not_again_while_it_is_the_same(web: Web) -> None:
    web.says(
        said("200 OK", CALENDAR, ETag='"7"', Last_Modified="Mon, 01 Mar 2027 00:00:00 GMT"), said("304 Not Modified")
    )
    assert web.fetch() == Fetched(CALENDAR, '"7"', "Mon, 01 Mar 2027 00:00:00 GMT")
    assert web.fetch(etag='"7"', last_modified="Mon, 01 Mar 2027 00:00:00 GMT") == Fetched(None)
    assert web.dialled == [(PUBLIC, 443)] * 2
    first, second = web.requests
    assert first.startswith("GET /secret-token.ics HTTP/1.1\r\n")
    assert "\r\nHost: calendar.example\r\n" in first
    assert "If-" not in first
    assert '\r\nIf-None-Match: "7"\r\n' in second
    assert "If-Modified" not in second
    assert "cookie" not in (first + second).lower()


def test_a_packed_calendar_is_unpacked(web: Web) -> None:
    web.says(said("200 OK", gzip.compress(CALENDAR * 100), Content_Encoding="gzip"))
    assert web.fetch().content == CALENDAR * 100


def test_marks_that_could_break_a_request_are_not_kept(web: Web) -> None:
    web.says(said("200 OK", CALENDAR, ETag='"' + "x" * 300 + '"', Last_Modified="x\x01y"))
    assert web.fetch() == Fetched(CALENDAR)


# --- H01, H04: where to


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("webcal://Calendar.Example/a.ics", "https://calendar.example/a.ics"),
        (" https://calendar.example:443/a.ics?key=1&b=%20#top ", "https://calendar.example/a.ics?key=1&b=%20"),
        ("https://calendar.example", "https://calendar.example/"),
        ("https://달력.example/", "https://xn--bk1b22h.example/"),
        ("https://calendar.example./x", "https://calendar.example/x"),
    ],
)
def test_what_is_meant_by_an_address(typed: str, meant: str) -> None:
    assert checked(typed) == meant
    assert checked(meant) == meant


LITERALS = """
https://127.0.0.1/ https://127.1/ https://2130706433/ https://0x7f000001/ https://0x7f.0.0.1/ https://0177.0.0.1/
https://017700000001/ https://0/ https://[::1]/ https://[::]/ https://[::ffff:127.0.0.1]/ https://[::ffff:7f00:1]/
https://[64:ff9b::7f00:1]/ https://[fe80::1%25eth0]/ https://10.0.0.1/ https://192.168.1.1/ https://172.16.0.1/
https://169.254.169.254/latest/meta-data https://100.64.0.1/ https://localhost/ https://localhost./ https://db/
https://１２７.０.０.１/ https://8.8.8.8/ https://93.184.215.14/ http://calendar.example/ ftp://calendar.example/
file:///etc/passwd gopher://calendar.example/ javascript:alert(1) data:text/calendar,x //calendar.example/
calendar.example https://calendar.example:22/ https://calendar.example:25/ https://calendar.example:80/ https://calendar.example:6379/
https://calendar.example:0/ https://calendar.example:99999/ https://calendar.example:x/ https://user@calendar.example/
https://user:password@calendar.example/ https://@calendar.example/ https://calendar.example\\@10.0.0.1/ https:// https:///x
https://calendar..example/ https://-x.example/ https://calendar.exa%6dple/ https://[x/
""".split()  # noqa: SIM905


def test_no_other_address_is_taken_at_all() -> None:
    """H01, H04."""
    taken = []
    long = [
        "https://calendar.example/" + "x" * 2000,
        "https://" + "a." * 150 + "example/",
        "https://" + "a." * 123 + "examples/",
    ]
    for text in [*LITERALS, "https://calendar.example/a b", "", *long]:
        with suppress(BadAddress):
            taken.append(checked(text))
    assert taken == []
    assert len(LITERALS) > 45


def test_an_address_without_end_costs_nothing() -> None:
    """A long one would keep the processor for half a minute, and its memory for ever."""
    began, kept = time.process_time(), urlsplit.cache_info().currsize  # type: ignore[attr-defined]
    for text in (
        "https://" + "ä." * 3_000_000 + "com/",
        *(f"https://{n}.example/" + "x" * 9_000_000 for n in range(3)),
    ):
        with pytest.raises(BadAddress):
            checked(text)
    assert urlsplit.cache_info().currsize == kept  # type: ignore[attr-defined]
    assert time.process_time() - began < 1


INTERNAL = """
127.0.0.1 127.8.8.8 0.0.0.0 10.1.2.3 172.16.0.1 172.31.255.255 192.168.0.1 169.254.169.254 100.64.0.1 100.127.255.255
192.0.0.1 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 ::1 ::
::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: 2001:0:7f00:1::
fe80::1 fec0::1 fc00::1 fd12:3456::1 ff02::1 100::1 2001:db8::1 192.88.99.1
""".split()  # noqa: SIM905


def test_a_name_of_something_internal_is_never_dialled(web: Web) -> None:
    """H01: whatever it resolves to."""
    for address in INTERNAL:
        web.names["calendar.example"] = [address]
        with pytest.raises(Unreachable):
            web.fetch()
        assert web.dialled == [], address
    assert not any(is_public(address) for address in INTERNAL if address != "192.88.99.1")
    assert all(is_public(address) for address in (PUBLIC, "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"))


def test_a_public_address_of_the_new_kind_is_dialled(web: Web) -> None:
    web.names["calendar.example"] = ["2606:4700:4700::1111"]
    assert web.fetch().content == CALENDAR
    assert web.dialled == [("2606:4700:4700::1111", 443)]


def test_a_name_that_changes_its_mind_is_asked_once(web: Web) -> None:
    """H02: what was looked at is what is dialled."""
    web.names["calendar.example"] = [PUBLIC, "127.0.0.1", "127.0.0.1"]
    assert web.fetch().content == CALENDAR
    assert web.dialled == [(PUBLIC, 443)]
    with pytest.raises(Unreachable):
        web.fetch()
    assert web.dialled == [(PUBLIC, 443)]


# --- H03: redirects


def redirect(to: str, body: bytes = b"", **headers: str) -> bytes:
    return said("302 Found", body, Location=to, **headers)


def test_a_few_redirects_are_followed(web: Web) -> None:
    web.names["other.calendar.example"] = [PUBLIC]
    web.says(
        redirect("/b?x=1"),
        redirect("webcal://calendar.example/c"),
        redirect("//calendar.example/d"),
        said("200 OK", CALENDAR),
    )
    assert web.fetch().content == CALENDAR
    assert [request.split()[1] for request in web.requests] == ["/secret-token.ics", "/b?x=1", "/c", "/d"]


@pytest.mark.parametrize(
    "target",
    ["http://calendar.example/", "file:///etc/passwd", "https://127.0.0.1/", "https://internal.example/",
     "https://calendar.example:22/", "https://user:password@calendar.example/", "https://[::1]/", "", "/again"],
)  # fmt: skip
def test_other_redirects_are_not(web: Web, target: str) -> None:
    web.names["internal.example"] = ["10.0.0.1"]
    web.says(redirect(target))
    with pytest.raises(Unreachable):
        web.fetch()
    assert len(web.dialled) <= 4
    assert set(web.dialled) == {(PUBLIC, 443)}


# --- H05: what is told


def test_nobody_learns_what_went_wrong(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    """H05, H10: the error holds a word for the log, and never the address."""
    words = set()
    for names, answer in (
        ({}, b""), ({"calendar.example": ["10.0.0.1"]}, b""), (None, b"nonsense"), (None, said("404 Not Found")),
        (None, said("500 Oops", b"secret-token")), (None, b""), (None, said("304 Not Modified")),
        (None, said("200 OK", b"xyz" * 9, Content_Encoding="gzip")), (None, said("200 OK", b"x", Content_Length="9")),
    ):  # fmt: skip
        web.names = {"calendar.example": [PUBLIC]} if names is None else names
        web.says(answer)
        with pytest.raises(Unreachable) as failed:
            pytest.fail(f"{answer!r} gave {web.fetch()}")
        words.add(failed.value.word)
        assert failed.value.__cause__ is None
    assert "secret" not in " ".join(words) + caplog.text
    assert not any("example" in word or "10." in word for word in words)


def test_the_libraries_tell_the_log_nothing(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    """H10: urllib3 warns of a header that it cannot read, and quotes the address."""
    web.says(
        said("200 OK", CALENDAR, Content_Length=str(len(CALENDAR))).replace(b"Connection", b"no header\r\nConnection")
    )
    with suppress(Unreachable):
        web.fetch()
    assert len(web.requests) == 1
    assert "secret" not in caplog.text


# --- H06, H07: how long and how much


def drip(head: bytes, piece: bytes) -> Answer:
    def answer(connection: ssl.SSLSocket, _: str) -> None:
        connection.sendall(head)
        with suppress(OSError):
            while piece or connection.recv(1):
                connection.sendall(piece)
                time.sleep(0.05)

    return answer


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"", b""),  # says nothing
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    ],
    ids=["nothing", "headers", "chunks", "body"],
)
def test_whoever_is_slow_is_cut_off(web: Web, head: bytes, piece: bytes) -> None:
    """H06: here after half a second, in truth after 20."""
    web.answer = drip(head, piece)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        web.fetch(seconds=0.5)
    assert time.monotonic() - began < 3
    assert fetching.INTERNET.seconds == fetching.TOTAL_SECONDS == 20


@pytest.mark.parametrize("slow", ["name server", "connection"])
def test_what_cannot_be_interrupted_is_left_alone_and_goes_no_further(
    web: Web, slow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H06: neither the search for a name nor a connection that comes about too late."""
    released = threading.Event()

    def wait(answer: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given, **named: (released.wait(10), answer(*given, **named))[1]

    if slow == "connection":
        monkeypatch.setattr(web, "dial", wait(web.dial))
    else:
        monkeypatch.setattr(socket, "getaddrinfo", wait(web.resolve))
    others, began = set(threading.enumerate()), time.monotonic()
    with pytest.raises(Unreachable, match="too slow"):
        web.fetch(seconds=0.3)
    assert time.monotonic() - began < 3
    released.set()
    for thread in set(threading.enumerate()) - others:
        thread.join(10)
    assert web.requests == []
    assert web.dialled == [(PUBLIC, 443)] * (slow == "connection")


BOMB = gzip.compress(bytes(100_000_000), 9)


@pytest.mark.parametrize("head", ["200 OK", "302 Found"])
def test_a_small_answer_does_not_become_a_large_one(web: Web, head: str) -> None:
    """H07, P19: neither in a redirect, whose body nobody reads."""
    web.says(said(head, BOMB, Content_Encoding="gzip", Location="/next"), said("200 OK", CALENDAR))
    began = time.process_time()
    if head.startswith("200"):
        with pytest.raises(TooLarge):
            web.fetch()
    else:
        assert web.fetch().content == CALENDAR
    assert time.process_time() - began < 1


def test_an_endless_answer_ends(web: Web) -> None:
    """H06."""

    def answer(connection: ssl.SSLSocket, _: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError):
            while True:
                connection.sendall(b"x" * 100_000)

    web.answer = answer
    with pytest.raises(TooLarge):
        web.fetch()


# --- J01


def test_a_certificate_that_nobody_vouches_for_or_of_another_name_is_refused(web: Web) -> None:
    with pytest.raises(Unreachable, match="SSLError"):
        fetch(ADDRESS, network=Network(web.dial, None, 5.0))
    web.names["other.example"] = [PUBLIC]
    with pytest.raises(Unreachable, match="SSLError"):
        web.fetch("https://other.example/")
    assert web.requests == []
