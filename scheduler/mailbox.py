"""The demo mailbox: with a `mailbox:` address, mail is written to a folder, and this module is its only reader.

It plays the receiver. A mail can be listed, opened and answered as the receiver's mail program would answer it: with
an iMIP REPLY (RFC 6047) to the ORGANIZER address, which goes the way of every other inbound mail. Nothing here is a
short cut past the rules, so what the demonstration shows is what a real answer does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import SMTP, compat32
from email.utils import format_datetime, make_msgid, parsedate_to_datetime
from pathlib import Path

from scheduler import i18n, replies
from scheduler.answers import ANSWERS
from scheduler.core.errors import Conflict, Fault, Invalid, NotFound
from scheduler.core.itip import PARTSTAT_OF, InboundEvent
from scheduler.core.words import clean_line
from scheduler.desk import Desk
from scheduler.ics import read, write

NEWEST = 200  # mails in the list
_ID = re.compile(r"[0-9a-f]{64}")
_BODY = re.compile(r"<body[^>]*>(.*)</body>", re.DOTALL | re.IGNORECASE)
_SHOWN_HEADERS = ("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To")


@dataclass(frozen=True, slots=True)
class Delivered:
    """A mail of the folder, as a list of mails shows it. `date` is UTC."""

    id: str
    recipient: str
    subject: str
    date: datetime | None
    method: str = ""  # REQUEST or CANCEL; empty for a mail without a calendar


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail, opened. `html` is the inside of its <body>; `event` holds the facts of its calendar part."""

    delivered: Delivered
    language: str
    headers: tuple[tuple[str, str], ...]
    html: str
    plain: str
    calendar: bytes = b""
    event: InboundEvent | None = None

    @property
    def answerable(self) -> bool:
        return self.delivered.method == "REQUEST" and self.event is not None and bool(self.event.organizer)


def messages(desk: Desk) -> list[Delivered]:
    """The newest mails, newest first."""
    paths = [(path.stat().st_mtime_ns, path) for path in _folder(desk).glob("*.eml") if _ID.fullmatch(path.stem)]
    newest = [path for _, path in sorted(paths, reverse=True)[:NEWEST]]
    return [_delivered(path, BytesHeaderParser(policy=compat32).parsebytes(path.read_bytes())) for path in newest]


def message(desk: Desk, message_id: str) -> Letter:
    path = _path(desk, message_id)
    mail = BytesParser(policy=compat32).parsebytes(path.read_bytes())
    calendar = next((_content(part) for part in mail.walk() if part.get_content_type() == "text/calendar"), b"")
    method, event = _facts(calendar)
    return Letter(
        delivered=_delivered(path, mail, method),
        language=_language(mail),
        headers=tuple((name, value) for name in _SHOWN_HEADERS if (value := _header(mail, name))),
        html=_inside(_text(mail, "text/html")),
        plain=_text(mail, "text/plain"),
        calendar=calendar,
        event=event,
    )


def content(desk: Desk, message_id: str) -> bytes:
    """The mail as it would have been sent, byte for byte."""
    return _path(desk, message_id).read_bytes()


def answer(desk: Desk, message_id: str, status: str, comment: str) -> replies.Receipt:
    """What the receiver's mail program does when its button is pressed, up to our own reading of the answer."""
    if status not in ANSWERS:
        raise Invalid(Fault("/answer", "unknown-answer", {"answer": status[:50]}))
    letter = message(desk, message_id)
    if not letter.answerable:
        raise Conflict("not-answerable")
    return replies.receive(desk, reply_to(letter, status, comment, desk.now()))


def reply_to(letter: Letter, status: str, comment: str, now: datetime) -> bytes:
    """The REPLY mail of the receiver of `letter`, as raw bytes (RFC 5546 3.2.3, RFC 6047)."""
    assert letter.event is not None
    recipient = letter.delivered.recipient
    said = i18n.text(letter.language, f"pages.mailbox.reply.{status}")
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(addr_spec=recipient)
    mail["To"] = Address(addr_spec=letter.event.organizer)
    mail["Subject"] = said  # never the received subject: what came from outside becomes no header
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = make_msgid(domain=recipient.rpartition("@")[2])
    mail.set_content("\n\n".join([said, comment]) if comment else said)
    calendar = write.reply(letter.calendar, PARTSTAT_OF[status], comment, now)
    mail.add_alternative(calendar.decode(), subtype="calendar", cte="base64", params={"method": "REPLY"})
    return mail.as_bytes()


def _folder(desk: Desk) -> Path:
    folder = desk.settings.mail.mailbox
    if folder is None:
        raise NotFound
    return folder


def _path(desk: Desk, message_id: str) -> Path:
    path = _folder(desk) / f"{message_id}.eml"
    if not _ID.fullmatch(message_id) or not path.is_file():
        raise NotFound
    return path


def _delivered(path: Path, mail: Message, method: str = "") -> Delivered:
    return Delivered(path.stem, _recipient(path, mail), _header(mail, "Subject"), _date(mail), method)


def _recipient(path: Path, mail: Message) -> str:
    """The address of the envelope, which the sidecar file holds; of the header when it is missing."""
    sidecar = path.with_suffix(".json")
    if sidecar.is_file():
        return str(json.loads(sidecar.read_text("utf-8"))["recipient"])
    return _header(mail, "To")


def _header(mail: Message, name: str) -> str:
    """A header's text on one line, its encoded words decoded (RFC 2047); empty when that cannot be done."""
    try:
        return clean_line(str(make_header(decode_header(mail[name] or ""))))
    except (HeaderParseError, UnicodeError, LookupError, ValueError):
        return ""


def _date(mail: Message) -> datetime | None:
    try:
        return parsedate_to_datetime(_header(mail, "Date")).astimezone(UTC)
    except ValueError:
        return None


def _language(mail: Message) -> str:
    return i18n.negotiate(_header(mail, "Content-Language"))


def _text(mail: Message, kind: str) -> str:
    return next((_decoded(part) for part in _leaves(mail) if part.get_content_type() == kind), "")


def _leaves(mail: Message) -> Iterator[Message]:
    return (part for part in mail.walk() if not part.is_multipart())


def _decoded(part: Message) -> str:
    return _content(part).decode(part.get_content_charset("utf-8"), "replace")


def _content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _inside(html: str) -> str:
    found = _BODY.search(html)
    return found[1] if found else html


def _facts(calendar: bytes) -> tuple[str, InboundEvent | None]:
    if not calendar:
        return "", None
    try:
        parsed = read.parse(calendar)
    except read.Unreadable:
        return "", None
    return parsed.method, parsed.events[0] if parsed.events else None
