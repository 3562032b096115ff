"""Reading the headers of mail that strangers wrote.

Python's own header access is convenient and unsafe: a name that decodes to a line end raises, one parser reports the
address in the display name as the sender, and a second From header goes unseen. Here every header is read as raw
text, bounded in length, decoded under guard, and never copied into a mail of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email import policy
from email.header import decode_header
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar

import authres

from scheduler.core.words import clean_line, clean_text

T = TypeVar("T")

_MAX_VALUE = 20_000  # characters of one header that are looked at
_MAX_ADDRESS_HEADER = 4_000  # the address parser takes quadratic time
_MAX_SENDER_HEADERS = 10
_CHARACTER_IN_SEVERAL_BYTES = ("iso-2022", "hz", "utf-7", "utf7", "utf-16", "utf16", "utf-32", "utf32")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,128}@[A-Za-z0-9.-]{1,253}")
_HEADER_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_FROM_LINE = re.compile(rb"(?:\A|[\r\n])from[ \t]*:", re.IGNORECASE)
_QUOTED = re.compile(r'\\.|"(?:[^"\\]|\\.)*+(?P<end>"?)')
_COMMENT = re.compile(r"\([^()]*+\)")


def values(part: Message, name: str) -> list[str]:
    """Every value of the header `name`, topmost first, unfolded, not decoded; raw UTF-8 is understood."""
    wanted = name.lower()
    found = [str(value)[:_MAX_VALUE] for key, value in part.raw_items() if key.lower() == wanted]
    return [_without_surrogates(re.sub(r"[\r\n]+", "", value)).strip() for value in found]


def first(part: Message, name: str) -> str:
    return next(iter(values(part, name)), "")


def line(text: str, limit: int) -> str:
    """`text` as it may leave this package: one line, nothing deceiving, at most `limit` characters."""
    return clean_line(_without_surrogates(text[: limit * 4]))[:limit].strip()


def lines(text: str, limit: int) -> str:
    """The same for text of several lines."""
    return clean_text(_without_surrogates(text))[:limit].strip()


def text_of(value: str) -> str:
    """An unstructured header (RFC 5322 2.2.1) with its encoded-words decoded (RFC 2047); not cleaned."""
    if "=?" not in value:
        return value
    pieces: list[Any] = guarded(lambda: list(decode_header(value)), [])
    return "".join(_piece(data, charset) for data, charset in pieces) or value


def _piece(data: bytes | str, charset: str | None) -> str:
    if isinstance(data, str):
        return data
    return decoded(data, charset) if charset else data.decode("raw-unicode-escape", "replace")


def decoded(data: bytes, charset: str) -> str:
    """`data` as text: UTF-8 when it is that, whatever the label says, then as labelled, then as Korean or Turkish."""
    label = charset.lower()
    tries = [label, "utf-8"] if label.startswith(_CHARACTER_IN_SEVERAL_BYTES) else ["utf-8", label]
    for name in (*tries, "cp949", "cp1254"):
        if (text := guarded(partial(data.decode, name), None)) is not None:
            return text
    return data.decode("utf-8", "replace")


def instant(value: str) -> datetime | None:
    """The UTC instant of a date (RFC 5322 3.3); None when it is none. A date of unknown zone is taken as UTC."""
    moment = guarded(lambda: parsedate_to_datetime(value[:200]), None)
    if moment is None or moment.tzinfo is None:
        return moment and moment.replace(tzinfo=UTC)
    return guarded(lambda: moment.astimezone(UTC), None)


def addresses(value: str) -> list[str]:
    """The plain addresses in a header that names receivers. Names and comments are not searched."""
    return [fold(address) for address in _ADDRESS.findall(_bare(value))]


def fold(address: str) -> str:
    """The form in which addresses are compared: letters A-Z in lower case, an international domain as A-label.

    Letters beyond ASCII are left alone in the local part: folding them makes two different mailboxes equal.
    """
    local, _, domain = address.strip().rpartition("@")
    ascii_domain = guarded(lambda: domain.encode("idna").decode("ascii"), domain)
    folded = "".join(c.lower() if c.isascii() else c for c in f"{local}@{ascii_domain}") if local else ""
    return folded if len(folded) <= 320 else ""


def senders(part: Message, raw: bytes) -> tuple[tuple[str, ...], str]:
    """Every address of every From header of `part`, and the one address that may be believed, else "".

    Believed is only a single From header with a single plain address that the parser has no doubt about.
    """
    headers = values(part, "From")[:_MAX_SENDER_HEADERS]
    read = [_from_header(value) for value in headers]
    everyone = tuple(dict.fromkeys(address for found, _ in read for address in found if address))
    sure = len(read) == 1 and read[0][1] and _ADDRESS.fullmatch(everyone[0]) is not None
    return everyone, everyone[0] if sure and _has_one_sender(raw) else ""


def _has_one_sender(raw: bytes) -> bool:
    """Counts From headers as others may see them: `From : x`, at which Python's parser stops, is one too."""
    end = _HEADER_END.search(raw)
    return len(_FROM_LINE.findall(raw, 0, end.start() if end else len(raw))) == 1


def _from_header(value: str) -> tuple[list[str], bool]:
    if len(value) > _MAX_ADDRESS_HEADER:
        return [], False
    parsed: Any = guarded(lambda: policy.default.header_factory("From", value), None)
    if parsed is None:
        return [], False
    found = [line(fold(address.addr_spec), 320) for address in parsed.addresses]
    ungrouped = all(group.display_name is None for group in parsed.groups)
    return found, ungrouped and not parsed.defects and len(found) == 1 and _is_plain(value)


def _is_plain(value: str) -> bool:
    """Whether no quote or comment is left open, since the parser swallows what follows, and no comment hides an @."""
    return not set('()"') & set(_bare(value)) and _QUOTED.sub(" ", value).count("@") == 1


def _bare(value: str) -> str:
    """`value` without quoted strings and comments (RFC 5322 3.2); of an open one its first character stays."""
    unquoted = _QUOTED.sub(lambda found: '"' if found["end"] == "" else " ", value)
    return _COMMENT.sub(" ", unquoted)


def dmarc_pass(result: str, authserv_id: str, domain: str) -> bool:
    """Whether `result`, the topmost Authentication-Results (RFC 8601), is our own server's word that `domain` passed.

    Anything unclear is a no: another server's name, an unreadable header, two DMARC results, another From domain.
    """
    if not authserv_id or not domain or len(result) > _MAX_ADDRESS_HEADER:
        return False
    header = guarded(lambda: authres.AuthenticationResultsHeader.parse_value(result), None)
    if header is None or header.authserv_id != authserv_id.lower():
        return False
    found = [r for r in header.results if (r.method or "").lower() == "dmarc"]
    return len(found) == 1 and found[0].result.lower() == "pass" and _is_about(found[0], domain)


def _is_about(result: Any, domain: str) -> bool:
    named = [p.value for p in result.properties if (p.type.lower(), p.name.lower()) == ("header", "from")]
    return all(fold(f"x@{name.rpartition('@')[2]}") == f"x@{domain}" for name in named)


def guarded(read: Callable[[], T], otherwise: T) -> T:
    """What `read` returns, or `otherwise` when hostile input makes it raise; the libraries raise nearly anything."""
    try:
        return read()
    except Exception:
        return otherwise


def _without_surrogates(text: str) -> str:
    """The parser keeps bytes beyond ASCII as lone surrogates, which no database or terminal takes."""
    return text.encode("utf-8", "surrogateescape" if _only_bytes(text) else "replace").decode("utf-8", "replace")


def _only_bytes(text: str) -> bool:
    return all(not "\ud800" <= c <= "\udfff" or "\udc80" <= c <= "\udcff" for c in text)
