"""Mails read back as a mail program reads them, by the standard library's parser."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.policy import default

from scheduler.mail.compose import Mail


def parsed(mail: Mail) -> EmailMessage:
    read = message_from_bytes(mail.content, policy=default)
    assert isinstance(read, EmailMessage)
    assert not [part.defects for part in read.walk() if part.defects]
    return read


def part(mail: Mail, content_type: str) -> EmailMessage:
    (found,) = [p for p in parsed(mail).walk() if p.get_content_type() == content_type]
    return found


def plain(mail: Mail) -> str:
    return str(part(mail, "text/plain").get_content()).replace("\r\n", "\n")


def html(mail: Mail) -> str:
    return str(part(mail, "text/html").get_content())


def calendar(mail: Mail) -> bytes:
    data = part(mail, "text/calendar").get_payload(decode=True)
    assert isinstance(data, bytes)
    return data


def calendar_lines(mail: Mail) -> list[str]:
    return calendar(mail).decode().replace("\r\n ", "").split("\r\n")


def tree(message: Message) -> object:
    """The MIME structure: a type, or a type with its parts."""
    kind = message.get_content_type()
    payload = message.get_payload()
    return (kind, [tree(p) for p in payload]) if isinstance(payload, list) else kind  # type: ignore[arg-type]


def header_lines(mail: Mail) -> list[str]:
    """The unfolded lines of the head, found without any parser."""
    head = mail.content.partition(b"\r\n\r\n")[0].decode("ascii")
    return re.sub(r"\r\n(?=[ \t])", "", head).split("\r\n")


def header_names(mail: Mail) -> list[str]:
    return [line.partition(":")[0] for line in header_lines(mail)]


def decoded(value: str) -> str:
    return str(make_header(decode_header(value)))
