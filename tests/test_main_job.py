"""The main job over the API: mail in three languages over SMTP, answers by mail, a move, a cancellation."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import icalendar
import pytest
from aiosmtpd.controller import Controller

from scheduler import replies
from scheduler.desk import Desk
from scheduler.ics import write
from scheduler.worker import Worker
from tests.databases import Databases
from tests.web.api_client import NOW, Api, api_of, make_desk, meeting_body

URBAN = {city: f"urban@{city}.example" for city in ("gwangjin", "ulaanbaatar", "eregli")}
CHAIR = "international@gwangjin.example"


@dataclass
class Sink:
    """A mail server that keeps what it gets, by recipient."""

    mails: dict[str, list[EmailMessage]] = field(default_factory=dict)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)
        for recipient in envelope.rcpt_tos:
            self.mails.setdefault(recipient, []).append(mail)  # type: ignore[arg-type]
        return "250 kept"

    def newest(self, recipient: str) -> EmailMessage:
        return self.mails[recipient][-1]

    def taken(self) -> dict[str, int]:
        """How many mails each recipient got since the last time."""
        counts = {recipient: len(mails) for recipient, mails in self.mails.items()}
        self.mails.clear()
        return counts


@pytest.fixture
def sink() -> Iterator[tuple[Sink, int]]:
    kept = Sink()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(kept, hostname="127.0.0.1", port=port)
    controller.start()
    yield kept, port
    controller.stop()


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Office:
    """Everything of one test: the desk under a clock that moves, its API, its mail server."""

    desk: Desk
    api: Api
    sink: Sink
    clock: Clock

    def send_all(self) -> None:
        assert Worker(self.desk, threading.Event()).once()

    def answer(self, invite: EmailMessage, partstat: str) -> replies.Receipt:
        """What the receiver's mail program sends back; our own server's name stands on top, as after delivery."""
        self.clock.now += timedelta(minutes=1)
        mail = EmailMessage(policy=policy.SMTP)
        mail["From"], mail["To"], mail["Subject"] = str(invite["To"]), str(invite["From"]), "Re"
        mail["Date"] = self.clock.now
        mail.set_content("Answer")
        calendar = write.reply(calendar_bytes(invite), partstat, "", self.clock.now)
        mail.add_alternative(calendar.decode(), subtype="calendar", params={"method": "REPLY"})
        return replies.receive(self.desk, mail.as_bytes())

    def statuses(self, meeting_id: int) -> dict[str, str]:
        shown = self.api.get(f"/meetings/{meeting_id}").json
        return {i["city"]: i["status"] for i in shown["invitations"]}


@pytest.fixture
def office(tmp_path: Path, databases: Databases, sink: tuple[Sink, int]) -> Office:
    kept, port = sink
    clock = Clock()
    desk = replace(make_desk(tmp_path, databases.example(tmp_path), f"smtp://127.0.0.1:{port}"), clock=clock)
    return Office(desk, api_of(desk), kept, clock)


def calendar_bytes(mail: EmailMessage) -> bytes:
    part = next(p for p in mail.walk() if p.get_content_type() == "text/calendar")
    return bytes(part.get_payload(decode=True))  # type: ignore[arg-type]


def event(mail: EmailMessage) -> tuple[str, icalendar.Event]:
    calendar = icalendar.Calendar.from_ical(calendar_bytes(mail))
    (found,) = calendar.walk("VEVENT")
    return str(calendar["METHOD"]), found


def test_three_cities_meet(office: Office) -> None:
    meeting = office.api.post("/meetings", meeting_body()).json
    office.send_all()

    mails = {city: office.sink.newest(address) for city, address in URBAN.items()}
    assert {city: mail["Content-Language"] for city, mail in mails.items()} == {
        "gwangjin": "ko",
        "ulaanbaatar": "mn",
        "eregli": "tr",
    }
    for city, mail in mails.items():
        method, found = event(mail)
        assert (method, str(found["UID"]), found["SEQUENCE"]) == ("REQUEST", meeting["uid"], 0)
        assert found["DTSTART"].dt.astimezone(UTC) == datetime(2027, 3, 9, 6, tzinfo=UTC)
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert [clock in text for clock in ("15:00", "14:00", "09:00")] == [True] * 3
        assert not any(other in mail.as_string() for other in URBAN.values() if other != URBAN[city])
    assert office.sink.taken() == dict.fromkeys([*URBAN.values(), CHAIR], 1)

    assert office.answer(mails["ulaanbaatar"], "ACCEPTED").outcome == "accepted"
    assert office.answer(mails["eregli"], "DECLINED").outcome == "declined"
    assert office.statuses(meeting["id"]) == {"gwangjin": "waiting", "ulaanbaatar": "accepted", "eregli": "declined"}
    office.send_all()
    assert office.sink.taken() == {CHAIR: 2}  # word of both answers

    office.api.patch(f"/meetings/{meeting['id']}", {"start": "2027-03-15T06:00:00Z"})
    office.send_all()
    assert set(office.statuses(meeting["id"]).values()) == {"waiting"}
    moved = {city: office.sink.newest(address) for city, address in URBAN.items()}
    assert {event(mail)[1]["SEQUENCE"] for mail in moved.values()} == {1}
    assert office.sink.taken() == dict.fromkeys([*URBAN.values(), CHAIR], 1)

    assert office.answer(mails["gwangjin"], "ACCEPTED").outcome == "ignored-stale"
    assert set(office.statuses(meeting["id"]).values()) == {"waiting"}
    assert office.answer(moved["eregli"], "TENTATIVE").outcome == "tentative"
    assert office.statuses(meeting["id"])["eregli"] == "tentative"
    office.send_all()
    office.sink.taken()

    office.api.post(f"/meetings/{meeting['id']}/cancellation", {"reason": "Flood"})
    office.send_all()
    cancelled = [event(office.sink.newest(address)) for address in URBAN.values()]
    assert {(m, e["SEQUENCE"], str(e["STATUS"]), str(e["UID"])) for m, e in cancelled} == {
        ("CANCEL", 2, "CANCELLED", meeting["uid"])
    }
    assert office.sink.taken() == dict.fromkeys([*URBAN.values(), CHAIR], 1)
    deliveries = {i["delivery"] for i in office.api.get(f"/meetings/{meeting['id']}").json["invitations"]}
    assert deliveries == {"handed-over"}
