"""What a received mail says: from the bytes of RFC 5322 to values, without opinion on meetings.

Whoever calls decides; this module only reads, and must survive anything. A mail that cannot be read raises
`Malformed` or `TooLarge` and nothing else, so that one poisoned message is set aside and the next one is served.
Calendar parts are handed on as bytes; reading them is the work of `scheduler.ics`, in a child process.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.message import Message

from scheduler.mail import headers, parts
from scheduler.mail.parts import Malformed

__all__ = [
    "CalendarPart",
    "DeliveryReport",
    "InboundMail",
    "Malformed",
    "TooLarge",
    "claimed_sender",
    "read_mail",
    "token_in",
    "token_of",
]

_CALENDAR_TYPES = ("text/calendar", "application/ics")
_ENCRYPTED_TYPES = ("multipart/encrypted", "application/pgp-encrypted")
_SMIME_TYPES = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_MESSAGE_TYPES = ("message/rfc822", "message/global")
_TNEF_TYPES = ("application/ms-tnef", "application/vnd.ms-tnef")
_AUTOMATIC_HEADERS = (
    "X-Autoreply",
    "X-Auto-Reply",
    "X-Autorespond",
    "X-Autoresponder",
    "X-Auto-Response-Suppress",
)
_HEAD = 65_536
_FROM = re.compile(rb"^from:((?:.|\r?\n[ \t]){1,1000})", re.IGNORECASE | re.MULTILINE)
_AUTOMATIC_PRECEDENCE = ("bulk", "junk", "list", "auto_reply", "auto-reply")


class TooLarge(Exception):
    """The mail is larger than is accepted."""


@dataclass(frozen=True, slots=True)
class CalendarPart:
    """One calendar of the mail. `method` is the parameter of the MIME part in upper case, empty when missing."""

    content: bytes
    method: str
    content_type: str


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """A multipart/report (RFC 6522). Words are in lower case, addresses folded, and all is empty when missing.

    `kind` is delivery-status (RFC 3464), disposition-notification (RFC 8098) or whatever the report calls itself.
    `original_message_id` is from the returned headers; it is the sender's claim.
    """

    kind: str
    action: str = ""
    status: str = ""
    final_recipient: str = ""
    original_message_id: str = ""


@dataclass(frozen=True, slots=True)
class InboundMail:
    """A received mail. Every text is clean and bounded; addresses are folded (`headers.fold`)."""

    message_id: str  # with its angle brackets; empty when missing
    senders: tuple[str, ...]  # every address of every From header
    sender: str  # the one of them that may be believed to be meant, else ""; still unauthenticated
    recipients: tuple[str, ...]  # of Delivered-To, X-Original-To and To, in this order
    subject: str
    date: datetime | None  # UTC, as the sender claims
    received: datetime | None  # UTC, from the topmost Received header
    auto_submitted: bool  # RFC 3834 and what is older or odder; says nothing about calendar parts
    loop: bool  # our own mail came back
    null_return_path: bool
    report: DeliveryReport | None
    calendars: tuple[CalendarPart, ...]
    oversize: bool  # a calendar was left out because of its size
    tnef: bool
    encrypted: bool
    forwarded: bool  # another mail is attached, outside a report
    text: str  # what a person wrote, quoted history included
    authentication: str  # topmost Authentication-Results

    def dmarc_pass(self, authserv_id: str) -> bool:
        """Whether our own mail server `authserv_id` vouches for the domain of `sender`."""
        return headers.dmarc_pass(self.authentication, authserv_id, self.sender.rpartition("@")[2])


def read_mail(raw: bytes, *, max_bytes: int, loop_value: str, max_calendar_bytes: int = 512_000) -> InboundMail:
    """The mail `raw`, whose X-Scheduler header tells our own mail by `loop_value`. Raises Malformed, TooLarge."""
    if len(raw) > max_bytes:
        raise TooLarge(f"{len(raw)} bytes")
    try:
        return _mail(raw, loop_value, max_calendar_bytes)
    except Malformed:
        raise
    except Exception as error:  # the email package raises nearly anything on hostile input
        raise Malformed(f"unreadable ({type(error).__name__})") from error


def claimed_sender(raw: bytes) -> str:
    """The first address of the first From header: good for counting, never to be believed."""
    found = _FROM.search(raw[:_HEAD])
    return next(iter(headers.addresses(found[1].decode("utf-8", "replace"))), "") if found else ""


def token_of(recipients: tuple[str, ...], base: str) -> tuple[str, str] | None:
    """The address of ours that received the mail and its token, "" for the bare address; None when none is ours.

    The first address with a token counts, since many servers deliver to the mailbox's bare address and say so.
    """
    ours = [(address, token) for address in recipients if (token := token_in(address, base)) is not None]
    return next((found for found in ours if found[1]), ours[0] if ours else None)


def token_in(address: str, base: str) -> str | None:
    """TOKEN of `local+TOKEN@domain` when `base` is `local@domain`; "" for `base` itself, None for others' addresses."""
    local, _, domain = headers.fold(address).rpartition("@")
    name, _, token = local.partition("+")
    return token if headers.fold(base) == f"{name}@{domain}" else None


def _mail(raw: bytes, loop_value: str, max_calendar_bytes: int) -> InboundMail:
    root = parts.parsed(raw)
    leaves = list(parts.leaves(root))
    report = _report(root, leaves)
    everyone, believed = headers.senders(root, raw)
    calendars = list(_calendars(leaves))
    return InboundMail(
        message_id=_message_id(headers.first(root, "Message-ID")),
        senders=everyone,
        sender=believed,
        recipients=_recipients(root),
        subject=headers.line(headers.text_of(headers.first(root, "Subject")), 500),
        date=headers.instant(headers.first(root, "Date")),
        received=headers.instant(headers.first(root, "Received").rpartition(";")[2]),
        auto_submitted=_is_automatic(root) or report is not None,
        loop=bool(loop_value) and loop_value.lower() in map(str.lower, headers.values(root, "X-Scheduler")),
        null_return_path=re.sub(r"\s", "", headers.first(root, "Return-Path")) == "<>",
        report=report,
        calendars=_distinct(part for part in calendars if len(part.content) <= max_calendar_bytes),
        oversize=any(len(part.content) > max_calendar_bytes for part in calendars),
        tnef=any(parts.kind(leaf) in _TNEF_TYPES or parts.filename(leaf).endswith("winmail.dat") for leaf in leaves),
        encrypted=parts.kind(root) in _ENCRYPTED_TYPES or any(map(_is_encrypted, leaves)),
        forwarded=report is None and any(parts.kind(leaf) in _MESSAGE_TYPES for leaf in leaves),
        text=parts.text(leaves),
        authentication=headers.line(headers.first(root, "Authentication-Results"), 5_000),
    )


# Headers


def _message_id(value: str) -> str:
    found = re.search(r"<[^<>\s]{1,900}>", value)
    return headers.line(found.group(), 998) if found else ""


def _recipients(root: Message) -> tuple[str, ...]:
    named = [v for name in ("Delivered-To", "X-Original-To", "To") for v in headers.values(root, name)]
    return tuple(dict.fromkeys(a for value in named for a in headers.addresses(value) if a))


def _is_automatic(root: Message) -> bool:
    submitted = headers.first(root, "Auto-Submitted").partition(";")[0].partition("(")[0].strip().lower()
    precedence = headers.first(root, "Precedence").strip().lower()
    named = any(headers.first(root, name) for name in _AUTOMATIC_HEADERS)
    return submitted not in ("", "no") or named or precedence in _AUTOMATIC_PRECEDENCE


def _is_encrypted(part: Message) -> bool:
    if parts.kind(part) in _SMIME_TYPES:
        return parts.parameter(part, "smime-type") not in ("signed-data", "certs-only")
    return parts.kind(part) in _ENCRYPTED_TYPES


# Reports


def _report(root: Message, leaves: list[Message]) -> DeliveryReport | None:
    if parts.kind(root) != "multipart/report":
        return None
    original = next((_returned_headers(p) for p in leaves if _is_returned(p)), "")
    for part in leaves:
        blocks = _blocks(part)
        if parts.kind(part) in ("message/delivery-status", "message/global-delivery-status") and blocks:
            return _delivery_status(blocks, original)
        if parts.kind(part) == "message/disposition-notification":
            return DeliveryReport("disposition-notification", original_message_id=original)
    return DeliveryReport(parts.parameter(root, "report-type") or "unknown", original_message_id=original)


def _blocks(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [block for block in payload if isinstance(block, Message)] if isinstance(payload, list) else []


def _delivery_status(blocks: list[Message], original: str) -> DeliveryReport:
    """The first failed receiver, else the first: we send each mail to one person only."""
    receivers = [b for b in blocks if headers.first(b, "Action")] or blocks
    chosen = next((b for b in receivers if _word(b, "Action") == "failed"), receivers[0])
    address = headers.first(chosen, "Final-Recipient").rpartition(";")[2]
    recipient = next(iter(headers.addresses(address)), "")
    return DeliveryReport("delivery-status", _word(chosen, "Action"), _word(chosen, "Status"), recipient, original)


def _word(block: Message, name: str) -> str:
    words = headers.first(block, name).split()
    return headers.line(words[0], 40).lower() if words else ""


def _is_returned(part: Message) -> bool:
    return parts.kind(part) in (*_MESSAGE_TYPES, "text/rfc822-headers", "message/rfc822-headers")


def _returned_headers(part: Message) -> str:
    blocks = _blocks(part)
    if blocks and headers.first(blocks[0], "Message-ID"):
        return _message_id(headers.first(blocks[0], "Message-ID"))
    text = headers.decoded(parts.content(part), "utf-8")[:100_000]
    found = re.search(r"^Message-ID:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\s]{1,900}>)", text, re.IGNORECASE | re.MULTILINE)
    return _message_id(found.group(1)) if found else ""


# Content


def _calendars(leaves: list[Message]) -> Iterator[CalendarPart]:
    for leaf in leaves:
        kind = parts.kind(leaf)
        if kind in _CALENDAR_TYPES or (parts.filename(leaf).endswith(".ics") and not kind.startswith("message/")):
            yield CalendarPart(parts.content(leaf), parts.parameter(leaf, "method").upper(), kind)


def _distinct(found: Iterable[CalendarPart]) -> tuple[CalendarPart, ...]:
    """Each calendar once, however often it is attached; equal ones that name different methods stay apart."""
    kept: dict[tuple[str, str], CalendarPart] = {}
    named = sorted(found, key=lambda part: not part.method)  # a stable sort: those with a method first
    for part in named:
        digest = _digest(part.content)
        if part.method or not any(known == digest for known, _ in kept):
            kept.setdefault((digest, part.method), part)
    return tuple(kept.values())


def _digest(content: bytes) -> str:
    """SHA-256 of the content, whatever its line ends, which some transfer encodings change."""
    return hashlib.sha256(b"\n".join(content.split())).hexdigest()
