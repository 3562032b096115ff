"""Mail as bytes: header lines and MIME trees that are a pure function of what goes in (RFC 5322, 2045 to 2047, 6047).

The standard library's composer is not used for headers: up to Python 3.11.7 a text such as `=?utf-8?q?a=0d=0aBcc:_x?=`
becomes a header of its own there (CVE-2024-6923), and its boundaries are random. Here a header value is either plain
ASCII without anything that looks like an encoded-word, or encoded as a whole, so it always reads back as it was typed;
and nothing that has left this module is parsed and folded again. Parts are base64 or quoted-printable, in which a
boundary beginning with `=_` cannot occur.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from scheduler.core.errors import Fault, Invalid
from scheduler.core.words import clean_line, without_control

Headers = Sequence[tuple[str, str]]  # names and encoded values, in the order in which they are written

LINE_LIMIT = 78  # characters of a header line, without CRLF (RFC 5322 2.1.1)

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")
_ATOMS = re.compile(rf"{_ATOM}(?: {_ATOM})*")
_AS_IT_IS = bytes(byte for byte in range(128) if byte != ord("="))  # in quoted-printable


def address(text: str) -> str:
    """`text` if it is exactly one plain address of ASCII letters; raises Invalid for lists, groups and all else.

    A local part that looks like an encoded-word is refused too: readers disagree on what it means.
    """
    if not _ADDRESS.fullmatch(text) or len(text) > 254 or "=?" in text:
        raise Invalid(Fault("/people", "bad-email", {"email": clean_line(text)[:100]}))
    return text


def mailbox(name: str, email: str) -> str:
    """The value of a From or To header: one name, one address (RFC 5322 3.4)."""
    name = clean_line(name)
    spec = f"<{address(email)}>"
    if not name:
        return email
    if not _is_plain(name):
        phrase = _encoded_words(name)
    elif _ATOMS.fullmatch(name):
        phrase = name
    else:
        phrase = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return f"{phrase}\r\n {spec}" if len(phrase) + len(spec) > LINE_LIMIT - 8 else f"{phrase} {spec}"


def unstructured(name: str, text: str) -> str:
    """The value of a free text header `name`, such as Subject."""
    text = clean_line(text)
    return text if _is_plain(text) and len(name) + 2 + len(text) <= LINE_LIMIT else _encoded_words(text, name)


def message_ids(ids: Iterable[str]) -> str:
    """The value of Message-ID, In-Reply-To or References: one id a line, each in angle brackets."""
    found = [i if i.startswith("<") else f"<{i}>" for i in ids]
    if wrong := [i for i in found if not _MESSAGE_ID.fullmatch(i)]:
        raise ValueError(f"not a Message-ID: {wrong[0]!r}")
    return "\r\n ".join(found)


@lru_cache(maxsize=64)  # all mails of a decision are written at the same moment
def date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC))


def thread(first_id: str, last_id: str) -> list[tuple[str, str]]:
    """In-Reply-To and References, so that all mails about one thing stand together; nothing for the first mail."""
    if not last_id:
        return []
    chain = dict.fromkeys(i for i in (first_id, last_id) if i)
    return [("In-Reply-To", message_ids([last_id])), ("References", message_ids(chain))]


def automatic(own_address: str, language: str) -> list[tuple[str, str]]:
    """Headers that keep automatic answers away (RFC 3834) but let bounces come, and let us know our own mail again."""
    return [
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "OOF, DR, RN, NRN, AutoReply"),
        ("X-Scheduler", address(own_address).rpartition("@")[2]),
        ("Content-Language", language),
    ]


def letter(headers: Headers, plain: str, html: str, boundary: str) -> bytes:
    """A mail with the same text twice: multipart/alternative [plain, html]. Both are clean (see `words.clean_text`)."""
    return _root(headers, _alternative([_text_part("plain", plain), _text_part("html", html)], boundary))


def invitation(headers: Headers, plain: str, html: str, calendar: bytes, method: str, boundary: str) -> bytes:
    """A mail with a calendar: multipart/mixed [alternative [plain, html, calendar], the calendar as a file].

    The texts are clean. Only the alternative names the method, so that nobody processes the same object twice (RFC
    6047 2.4).
    """
    body = _base64(calendar)
    inline = _part([("Content-Type", f"text/calendar; method={method}; charset=UTF-8")], "base64", body)
    file = _part(
        [
            ("Content-Type", 'application/ics; name="invite.ics"'),
            ("Content-Disposition", 'attachment; filename="invite.ics"'),
        ],
        "base64",
        body,
    )
    readings = _alternative([_text_part("plain", plain), _text_part("html", html), inline], boundary)
    return _root(headers, _multipart("mixed", [readings, file], boundary))


def _root(headers: Headers, body: str) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in (*headers, ("MIME-Version", "1.0")))
    return (lines + body).encode("ascii")


def _alternative(parts: Sequence[str], boundary: str) -> str:
    return _multipart("alternative", parts, boundary)


def _multipart(kind: str, parts: Sequence[str], boundary: str) -> str:
    mark = "=_" + hashlib.sha256(f"{kind} {boundary}".encode()).hexdigest()[:32]
    inside = "".join(f"--{mark}\r\n{part}" for part in parts)
    return f'Content-Type: multipart/{kind};\r\n boundary="{mark}"\r\n\r\n{inside}--{mark}--\r\n'


def _part(headers: Headers, encoding: str, body: str) -> str:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{lines}Content-Transfer-Encoding: {encoding}\r\n\r\n{body}"


def _text_part(subtype: str, text: str) -> str:
    if "\r" in text:  # it is not clean; but no bare CR leaves, whoever calls
        text = without_control(text)
    data = (text + "\n").encode("utf-8", "ignore").replace(b"\n", b"\r\n")
    headers = [("Content-Type", f"text/{subtype}; charset=UTF-8")]
    if 7 * len(data.translate(None, _AS_IT_IS)) > len(data):  # three bytes each as =XX: base64 is shorter
        return _part(headers, "base64", _base64(data))
    return _part(headers, "quoted-printable", binascii.b2a_qp(data, istext=True).decode("ascii"))


def _base64(data: bytes) -> str:
    """In lines of 76 characters (RFC 2045 6.8)."""
    text = binascii.b2a_base64(data, newline=False)
    full, rest = divmod(len(text), 76)
    lines = struct.unpack(full * "76s" + (f"{rest}s" if rest else ""), text)  # a third of the time that slices take
    return b"\r\n".join([*lines, b""]).decode("ascii")


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and "=?" not in text


@lru_cache(maxsize=4096)  # the names of people and of the product come again and again
def _encoded_words(text: str, header_name: str = "From") -> str:
    """`text` as encoded-words (RFC 2047 2): one a line, each of whole characters, none longer than 75 characters."""
    data = text.encode("utf-8", "ignore")
    words, since, room = [], 0, LINE_LIMIT - 2 - len(f"{header_name}: ")
    while since < len(data):
        until = since + (min(room, 75) - len("=?utf-8?b??=")) // 4 * 3
        while until < len(data) and data[until] & 0xC0 == 0x80:  # within a character
            until -= 1
        words.append(f"=?utf-8?b?{binascii.b2a_base64(data[since:until], newline=False).decode('ascii')}?=")
        since, room = until, 75
    return "\r\n ".join(words)
