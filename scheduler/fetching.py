"""Fetching a calendar from an address that somebody typed, without becoming their way into our network.

Only https on its own port, with a verified certificate and without a password in the address. Every name is resolved
once, the address that it gives must be one of the public internet, and the connection goes to that very address
(requests-hardened), which is looked at again as it is dialled. Redirects are followed by hand, three at most, each
under the same rules; their bodies are not read. All of it ends after 20 seconds, whatever the other side or its name
servers do, and with 5 MB of unpacked bytes.

What went wrong is told in one word for the log, without the address: to the person who typed it, all of it is one and
the same, so that nobody can look around our network from outside. The libraries below write addresses to the log, and
these are secret; so they write nothing.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urljoin

import requests
from requests_hardened import Config, HTTPSession
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from scheduler.ics.busy import MAX_BYTES
from scheduler.web_addresses import PORT, BadAddress, checked

TOTAL_SECONDS = 20.0
CONNECT_SECONDS, READ_SECONDS = 8.0, 10.0
REDIRECTS = 3
_PIECE = 1 << 16
_USER_AGENT = "scheduler (reads published calendars)"
# What Python's tables call global, and what leads to IPv4 addresses, to our site, or nowhere.
_NOT_PUBLIC = [ipaddress.ip_network(net) for net in ("::/96", "64:ff9b::/96", "2002::/16", "2001::/32", "fec0::/10")]

for _library in ("urllib3", "requests_hardened"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)


class Unreachable(Exception):
    """Nothing was to be had. `word` is for the log: it tells no address."""

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(word)


class TooLarge(Exception):
    """More than 5 MB."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`content` None: it has not changed. The other two are what the server wants to be asked with next time."""

    content: bytes | None
    etag: str = ""
    last_modified: str = ""


def dial(address: tuple[str, int], timeout: float) -> socket.socket:
    return socket.create_connection(address, timeout)


@dataclass(frozen=True, slots=True)
class Network:
    """How connections are made, and whose certificates are believed (a file; None: those of the public web)."""

    dial: Callable[[tuple[str, int], float], socket.socket] = dial
    authorities: str | None = None
    seconds: float = TOTAL_SECONDS


INTERNET = Network()


def is_public(address: str) -> bool:
    """Whether an IP address is one that everybody in the world could reach."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return is_public(str(ip.ipv4_mapped))
        if any(ip in net for net in _NOT_PUBLIC):
            return False
    return ip.is_global and not ip.is_multicast


def fetch(address: str, etag: str = "", last_modified: str = "", network: Network = INTERNET) -> Fetched:
    """What stands at the address now. Raises Unreachable, TooLarge; never anything else.

    Nothing can interrupt the search for a name's address, so a thread does all of it, and is left alone in time.
    """
    asked = {"If-None-Match": etag} if etag else {"If-Modified-Since": last_modified} if last_modified else {}
    line = _Line(network, time.monotonic() + network.seconds)
    outcomes = SimpleQueue[Fetched | Exception]()
    threading.Thread(target=lambda: outcomes.put(_outcome(line, address, asked)), daemon=True).start()
    try:
        outcome = outcomes.get(timeout=network.seconds)
    except Empty:
        line.cut()
        raise Unreachable("too slow") from None
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _outcome(line: _Line, address: str, asked: dict[str, str]) -> Fetched | Exception:
    try:
        with line, _session(line) as session:
            return _follow(session, line, address, asked)
    except BadAddress:
        return Unreachable("redirect")
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        return Unreachable(type(error).__name__)  # without the error, which quotes the address
    except Exception as error:  # told, or of ours
        return error


def _follow(session: HTTPSession, line: _Line, address: str, asked: dict[str, str]) -> Fetched:
    for _ in range(REDIRECTS + 1):
        line.must_go_on()
        address = checked(address)
        response = session.get(address, headers={**asked}, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS))
        with response:
            if response.status_code not in (301, 302, 303, 307, 308):
                return _fetched(response, line, bool(asked))
            address = urljoin(address, response.headers.get("Location", ""))
    raise Unreachable("too many redirects")


def _fetched(response: Any, line: _Line, may_be_unchanged: bool) -> Fetched:
    marks = (_kept(response.headers.get(name, "")) for name in ("ETag", "Last-Modified"))
    if response.status_code == 304 and may_be_unchanged:
        return Fetched(None)
    if response.status_code != 200:
        raise Unreachable(f"status {response.status_code}")
    return Fetched(_body(response, line), *marks)


def _body(response: Any, line: _Line) -> bytes:
    content = bytearray()
    while piece := response.raw.read(_PIECE, decode_content=True):
        content += piece
        if len(content) > MAX_BYTES:
            raise TooLarge
        line.must_go_on()
    line.must_go_on()  # cut off is not finished
    return bytes(content)


def _kept(value: str) -> str:
    return value if len(value) <= 200 and value.isascii() and value.isprintable() else ""


# --- connections


@dataclass(slots=True)
class _Line:
    """The connections of one fetch. When its time is over they are cut off, also while something waits for them."""

    network: Network
    end: float
    _open: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._open:
            connection.close()

    def connect(self, host: str, port: int) -> socket.socket:
        if port != PORT or not is_public(host):
            raise Unreachable("not public")
        self.must_go_on()
        connected = self.network.dial((host, port), min(CONNECT_SECONDS, self.end - time.monotonic()))
        self._open.append(connected.dup())  # TLS takes the first one over
        try:
            self.must_go_on()  # who cut the others off did not see this one
        except Unreachable:
            connected.close()
            raise
        return connected

    def must_go_on(self) -> None:
        if time.monotonic() >= self.end:
            raise Unreachable("too slow")

    def cut(self) -> None:
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _session(line: _Line) -> HTTPSession:
    session = _Session(
        Config(
            ip_filter_enable=True,
            ip_filter_allow_loopback_ips=False,
            never_redirect=True,
            default_timeout=(CONNECT_SECONDS, READ_SECONDS),
            user_agent_override=_USER_AGENT,
        )
    )
    session.trust_env = False  # neither proxies nor passwords of this machine
    session.verify = line.network.authorities or True
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.adapters.clear()
    session.mount("https://", _Adapter(line))
    return session


class _Session(HTTPSession):  # type: ignore[misc]
    def get_redirect_target(self, resp: Any) -> None:
        """Else requests would read the body of a redirect, whole and unpacked, even if it is not followed."""


class _Adapter(IPFilterAdapter):  # type: ignore[misc]
    def __init__(self, line: _Line) -> None:
        self._line = line
        super().__init__(is_https_proto=True)

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        super().init_poolmanager(*args, **named)
        line = self._line

        class Connection(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return line.connect(self.host.strip("[]"), self.port or PORT)

        class Pool(HTTPSConnectionPool):
            ConnectionCls = Connection

        self.poolmanager.pool_classes_by_scheme = {"https": Pool}
