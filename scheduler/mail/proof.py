"""The proof, made at every start, that no text which people type becomes a header of our mail.

Not every Python keeps that promise (CVE-2024-6923 and its relatives), so it is not taken from the version number: the
composer is run on hostile texts, and its bytes are looked at as a mail server sees them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import parseaddr

from scheduler.core.errors import Invalid
from scheduler.core.words import clean_line
from scheduler.mail import mime

HOSTILE_TEXTS = (
    "a\r\nBcc: v@x.example",
    "a\nBcc: v@x.example\n\nbody",
    "a\u2028Bcc: v@x.example",
    "a\x85Bcc: v@x.example",
    "=?utf-8?q?hi=0d=0aBcc:_v@x.example?=",
    "=?utf-8?b?aGkNCkJjYzogdkB4LmV4YW1wbGU=?=",
    'a" <v@x.example>, "b',
    "회의 =?utf-8?q?=0aBcc:_v?= " * 9,
)
HOSTILE_ADDRESSES = (
    "a@x.example, c@z.example",
    "a@x.example>,<c@z.example",
    "friends: a@x.example;",
    "a@x.example\r\nBcc: c@z.example",
    "=?utf-8?q?a=0d=0aBcc:?=@x.example",
)
HEADER_NAMES = (
    *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted"),
    *("X-Auto-Response-Suppress", "X-Scheduler", "Content-Language", "MIME-Version", "Content-Type"),
)


def self_test() -> None:
    """Raises RuntimeError if a text becomes a header or does not read back as typed, or a recipient becomes two."""
    for text in HOSTILE_TEXTS:
        _prove(_hostile_letter(text), clean_line(text))
    for address in HOSTILE_ADDRESSES:
        if _is_taken(address):
            raise RuntimeError(f"the mail composer takes {address!r} as a recipient")


def _hostile_letter(text: str) -> bytes:
    headers = [
        ("From", mime.mailbox(text, "a+t@x.example")),
        ("To", mime.mailbox(text, "b@y.example")),
        ("Subject", mime.unstructured("Subject", text)),
        ("Date", mime.date(datetime(2026, 3, 2, 5, 30, tzinfo=UTC))),
        ("Message-ID", mime.message_ids(["<2@x.example>"])),
        *mime.thread("<0@x.example>", "<1@x.example>"),
        *mime.automatic("a@x.example", "en"),
    ]
    return mime.letter(headers, text, text, text)


def _prove(content: bytes, text: str) -> None:
    """The bytes first, as a mail server sees them; then what a mail program makes of the names and the subject."""
    lines = content.partition(b"\r\n\r\n")[0].decode("ascii").split("\r\n")
    names = tuple(line.partition(":")[0] for line in lines if not line.startswith(" "))
    if names != HEADER_NAMES or any("\r" in line or "\n" in line for line in lines):
        raise RuntimeError(f"the mail composer lets a text become a header: {names}")
    head = dict(line.split(": ", 1) for line in re.sub(r"\r\n(?= )", "", "\r\n".join(lines)).split("\r\n"))
    for name, address in (("From", "a+t@x.example"), ("To", "b@y.example")):
        shown, read = parseaddr(head[name])
        if (_decoded(shown), read) != (text, address):
            raise RuntimeError(f"the mail composer lets a name change the address in {name}")
    if _decoded(head["Subject"]) != text:
        raise RuntimeError("the mail composer writes a subject that does not read back as typed")


def _decoded(value: str) -> str:
    return str(make_header(decode_header(value)))


def _is_taken(address: str) -> bool:
    try:
        mime.mailbox("", address)
    except Invalid:
        return False
    return True
