"""Clients on loopback that cost next to nothing: one thread, and requests that were written beforehand."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    milliseconds: float  # from before the connection, if there was none yet, to the last byte
    body: bytes


def posted(path: str, token: str, body: bytes) -> bytes:
    """A request of the API, to the last byte."""
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def ask(port: int, requests: Iterable[bytes], clients: int) -> list[Answer]:
    """The answers to `requests`, each of which is sent by the next of so many clients that is free."""
    waiting, answers = iter(requests), []
    with selectors.DefaultSelector() as selector:
        free = [_Client(port) for _ in range(clients)]
        while True:
            while free and (request := next(waiting, None)) is not None:
                client = free.pop()
                client.send(request)
                selector.register(client.connection, selectors.EVENT_READ, client)
            if not selector.get_map():
                break
            for key, _ in selector.select():
                answer = key.data.receive()
                if answer:
                    selector.unregister(key.fileobj)
                    answers.append(answer)
                    free.append(key.data.rested())
        for client in free:
            client.close()
    return answers


class _Client:
    """Keeps its connection as long as the server does."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._since = 0.0
        self._received = b""
        self._connection: socket.socket | None = None

    @property
    def connection(self) -> socket.socket:
        assert self._connection is not None
        return self._connection

    def send(self, request: bytes) -> None:
        self._since, self._received = time.perf_counter(), b""
        self._connection = self._connection or socket.create_connection((HOST, self._port))
        self._connection.sendall(request)

    def receive(self) -> Answer | None:
        """The answer, once all of it has come."""
        data = self.connection.recv(1 << 16)
        assert data, "the server closed the connection without an answer"
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < int(_field(head, b"content-length") or 0):
            return None
        return Answer(int(head.split(b" ", 2)[1]), 1000 * (time.perf_counter() - self._since), body)

    def rested(self) -> _Client:
        if _field(self._received.partition(b"\r\n\r\n")[0], b"connection").lower() == b"close":
            self.close()
        return self

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


def _field(head: bytes, name: bytes) -> bytes:
    found = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return next((value.strip() for key, _, value in found if key.lower() == name), b"")


def member(answer: Answer, name: str) -> object:
    return json.loads(answer.body)[name]
