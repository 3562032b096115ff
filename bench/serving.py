"""An application served by waitress in a process of its own, and a client on loopback that costs next to nothing."""

from __future__ import annotations

import json
import multiprocessing
import socket
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import waitress
from flask import Flask
from waitress.channel import HTTPChannel

from scheduler import running

_HOST = "127.0.0.1"
_TIMES = "/-/times"


@dataclass(frozen=True)
class Timing:
    """Medians in milliseconds: on the server from the arrival of the request until the system has taken the last byte
    of the answer, and the client's whole round trip with its connection."""

    server: float
    client: float


@dataclass
class Client:
    """Opens a connection for each request, as calendar programs do that come by once an hour."""

    port: int
    _taken: list[float] = field(default_factory=list)
    _buffer: bytearray = field(default_factory=lambda: bytearray(1 << 20))

    def ask(self, path: str, status: int, headers: str = "") -> int:
        """One request; says how many bytes the body has."""
        since = time.perf_counter()
        head, length, _ = self._answer(path, headers)
        self._taken.append(time.perf_counter() - since)
        assert head.startswith(b"HTTP/1.1 %d " % status), head
        return length

    def timing(self) -> Timing:
        """Of what was asked since the last time, but for the first, which warms up."""
        time.sleep(0.1)  # the client has its last byte before the server has written down the time
        _, _, told = self._answer(_TIMES, "")
        on_server, on_client, self._taken = json.loads(told), self._taken, []
        assert len(on_server) == len(on_client)
        return Timing(*(1000 * statistics.median(times[1:]) for times in (on_server, on_client)))

    def _answer(self, path: str, headers: str) -> tuple[bytes, int, bytes]:
        """Head, length of the body, and as much of the body as came with the head or fits the buffer."""
        with socket.create_connection((_HOST, self.port)) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {_HOST}\r\n{headers}\r\n".encode())
            head = connection.recv(65536)
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            head, _, body = head.partition(b"\r\n\r\n")
            length, begun = _length(head), len(body)
            received = begun
            while received < length:
                count = connection.recv_into(self._buffer)
                assert count, "the server closed the connection"
                if received - begun + count <= 65536:
                    body += self._buffer[:count]
                received += count
            return head, length, body


def _length(head: bytes) -> int:
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    return int(fields.get(b"content-length", 0))


@contextmanager
def served(app: Flask) -> Iterator[Client]:
    """A client of `app`, which runs in a fork: what was loaded before is there."""
    listening = socket.socket()
    listening.bind((_HOST, 0))
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(app, listening), daemon=True)
    listening.listen()
    process.start()
    client = Client(listening.getsockname()[1])
    try:
        yield client
    finally:
        process.terminate()
        process.join()
        listening.close()


def _serve(app: Flask, listening: socket.socket) -> None:
    times: list[float] = []
    server: Any = waitress.create_server(_telling(app, times), sockets=[listening], **running.SERVER)
    server.channel_class = type("Clocked", (_Clocked,), {"times": times})
    server.run()


def _telling(app: Flask, times: list[float]) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """The application, which at one address tells the times that were taken since it was last asked."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != _TIMES:
            return app(environ, start_response)
        told = json.dumps(times).encode()
        times.clear()
        start_response("200 OK", [("Content-Length", str(len(told)))])
        return [told]

    return answer


class _Clocked(HTTPChannel):  # type: ignore[misc]
    """Takes the time from the arrival of a request until the system has taken the last byte of its answer."""

    times: list[float]
    _since: float | None = None
    _answered = False

    def received(self, data: bytes) -> bool:
        self._since = time.perf_counter()
        return bool(super().received(data))

    def service(self) -> None:
        path = self.requests[0].path
        super().service()
        self._answered = path != _TIMES
        self._done()

    def _flush_some(self, do_close: bool = True) -> bool:
        flushed = super()._flush_some(do_close)
        self._done()
        return bool(flushed)

    def _done(self) -> None:
        if self._answered and self._since is not None and not self.total_outbufs_len:
            self.times.append(time.perf_counter() - self._since)
            self._since = None
