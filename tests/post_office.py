"""A real mail server for tests that answers as it is told, and remembers what arrived in which order."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from scheduler.config import Settings

LOST = "accept and hang up"  # the mail is kept, but whoever sent it never hears so


@dataclass(frozen=True)
class Arrival:
    message_id: str
    recipient: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass
class PostOffice:
    """`answer` says, by recipient, what is answered to a whole mail: a reply line, or LOST.

    `sender` is what is answered to MAIL FROM; {} stands for the address.
    """

    answer: Callable[[str], str] = lambda recipient: "250 OK"
    sender: str = "250 OK"
    arrived: list[Arrival] = field(default_factory=list)
    turned_away: list[Arrival] = field(default_factory=list)
    connections: int = 0  # open now
    port: int = 0

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.sender.startswith("2"):
            envelope.mail_from = address
        return self.sender.format(address)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        (recipient,) = envelope.rcpt_tos
        found = re.search(rb"^Message-ID:\s+(<[^>]+>)", content, re.MULTILINE | re.IGNORECASE)
        assert found
        arrival = Arrival(found[1].decode(), recipient, content)
        answer = self.answer(recipient)
        (self.arrived if answer == LOST or answer.startswith("2") else self.turned_away).append(arrival)
        if answer == LOST:
            assert server.transport
            server.transport.abort()
            return "250 OK"
        return answer

    def about(self, recipient: str) -> list[Arrival]:
        return [arrival for arrival in self.arrived if arrival.recipient == recipient]


@contextmanager
def opened(office: PostOffice) -> Iterator[PostOffice]:
    class Counted(SMTP):
        def connection_made(self, transport: object) -> None:
            office.connections += 1
            super().connection_made(transport)  # type: ignore[arg-type]

        def connection_lost(self, error: Exception | None) -> None:
            office.connections -= 1
            super().connection_lost(error)

    class Server(Controller):
        def factory(self) -> SMTP:
            return Counted(self.handler, **self.SMTP_kwargs)

    with socket.create_server(("127.0.0.1", 0)) as free:
        office.port = free.getsockname()[1]
    server = Server(office, hostname="127.0.0.1", port=office.port)
    server.start()
    try:
        yield office
    finally:
        server.stop()


def sending_to(settings: Settings, port: int) -> Settings:
    """The settings of an installation whose mail server is at `port` of this machine."""
    mail = settings.mail.model_copy(update={"smtp_url": f"smtp://127.0.0.1:{port}"})
    return settings.model_copy(update={"mail": mail})
