"""A whole city hall for tests: a real database with the example data, a clock to set, and a folder of mail."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

from scheduler import booking, replies, tokens
from scheduler.config import Settings
from scheduler.core.cities import Person
from scheduler.core.meeting import Draft, Invitation, Invitee, Meeting
from scheduler.core.words import Wording
from scheduler.db import directory, meetings
from scheduler.db import tables as t
from scheduler.db.engine import Store
from scheduler.desk import Desk, utc_now
from scheduler.ics import write

NOW = datetime(2027, 1, 11, 1, 0, tzinfo=UTC)  # a Monday, 10:00 in Seoul
START = datetime(2027, 2, 10, 6, 0, tzinfo=UTC)  # open in all three cities

BAT = Invitee("УБ Гадаад харилцааны хэлтэс", "foreign@ulaanbaatar.example", "ulaanbaatar", "mn")
AYLIN = Invitee("Ereğli Dış İlişkiler Birimi", "relations@eregli.example", "eregli", "tr", "optional")
KIM = Invitee("광진구 도시계획과", "planning@gwangjin.example", "gwangjin", "ko")
JOHN = Invitee("Interpreters' Desk", "interpreters@gwangjin.example", "gwangjin", "en", "interpreter")


@dataclass
class Clock:
    time: datetime = NOW

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **delta: float) -> None:
        self.time += timedelta(**delta)


@dataclass
class House:
    desk: Desk
    clock: Clock

    def person(self, city: str = "gwangjin", role: str = "coordinator") -> Person:
        with self.desk.store.read() as db:
            return next(p for p in directory.people(db, city) if p.role == role)

    def draft(self, **changes: Any) -> Draft:
        wanted: dict[str, Any] = {
            "title": Wording.of({"ko": "도시재생 화상회의", "en": "Urban regeneration"}),
            "field": "environment",
            "host": "gwangjin",
            "cities": ("gwangjin", "ulaanbaatar", "eregli"),
            "duration_minutes": 60,
            "people": (BAT, AYLIN, KIM),
            "start": START,
            "video_url": "https://video.example.org/room/1",
        }
        return Draft(**(wanted | changes))

    def book(self, **changes: Any) -> Meeting:
        return booking.create(self.desk, self.person(), self.draft(**changes)).meeting

    def meeting(self, meeting_id: int) -> Meeting:
        with self.desk.store.read() as db:
            found = meetings.load(db, meeting_id)
        assert found is not None
        return found

    def invitation(self, meeting: Meeting, who: Invitee) -> Invitation:
        return next(i for i in self.meeting(meeting.id).invitations if i.is_called(who.email))

    def outbox(self, **where: Any) -> list[Any]:
        """Rows of the outbox, oldest first."""
        query = t.outbox.select().order_by(t.outbox.c.id)
        for name, value in where.items():
            query = query.where(t.outbox.c[name] == value)
        with self.desk.store.read() as db:
            return list(db.execute(query))

    def mails(self, who: Invitee | str) -> list[EmailMessage]:
        """The mails made for a person, oldest first."""
        address = who if isinstance(who, str) else who.email
        return [parsed(row.content) for row in self.outbox(recipient=address)]

    def send_all(self) -> None:
        """Hands everything over, as the worker would."""
        from threading import Event

        from scheduler.worker import Worker

        assert Worker(self.desk, Event()).once()

    def reply(self, meeting: Meeting, who: Invitee, partstat: str, comment: str = "", **changes: Any) -> bytes:
        """The answer of the person's mail program to their newest mail. `changes`: see `answer_mail`."""
        return answer_mail(self.mails(who)[-1], partstat, comment, self.clock.time, **changes)

    def receive(self, raw: bytes) -> replies.Receipt:
        return replies.receive(self.desk, raw)


def desk_of(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Desk:
    """The desk of an installation whose database is ready; makes its key."""
    tokens.make_key(settings.server.secret_key_file)
    return Desk(settings, Store(settings.database.url), tokens.read_key(settings.server.secret_key_file), clock)


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def calendar_of(mail: EmailMessage) -> bytes:
    """The calendar that a mail program would process."""
    part = next(p for p in mail.walk() if p.get_content_type() == "text/calendar")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


_count = 0


def answer_mail(
    invitation: EmailMessage,
    partstat: str,
    comment: str = "",
    now: datetime = NOW,
    *,
    sender: str = "",
    to: str = "",
    calendar: bytes = b"",
    edit: tuple[tuple[bytes, bytes], ...] = (),
    headers: str = "",
    message_id: str = "",
) -> bytes:
    """A mail with METHOD:REPLY as a calendar program writes it. `edit` replaces bytes of the calendar."""
    global _count
    _count += 1
    calendar = calendar or write.reply(calendar_of(invitation), partstat, comment, now)
    if edit:
        calendar = calendar.replace(b"\r\n ", b"")
    for old, new in edit:
        assert old in calendar, old
        calendar = calendar.replace(old, new)
    to = to or invitation["From"].addresses[0].addr_spec
    sender = sender or invitation["To"].addresses[0].addr_spec
    ident = message_id or f"<answer-{_count}@mail.example.org>"
    head = (
        f"{headers}From: <{sender}>\r\nTo: <{to}>\r\nMessage-ID: {ident}\r\nDate: {now:%a, %d %b %Y %H:%M:%S} +0000\r\n"
        "Subject: answer\r\nMIME-Version: 1.0\r\nContent-Type: text/calendar; method=REPLY; charset=UTF-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n"
    )
    return head.encode() + calendar
