"""The parts of a received mail, taken apart within limits and read under guard.

The limits hold while the parser works, not after: a mail of ten megabytes can otherwise become millions of parts, and
minutes of work.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from email.feedparser import BytesFeedParser
from email.message import Message
from email.policy import Policy, compat32
from html import unescape
from typing import Any

from scheduler.mail import headers

_MAX_PARTS = 200
_MAX_CONTAINERS = 50  # multiparts and attached messages: each costs the parser a step for every line it holds
_MAX_DEPTH = 20
_MAX_LINES = 400_000
_MAX_HEADERS = 1_000  # of one part
_MAX_HEADER_BYTES = 1_000_000  # of the whole mail
_MAX_CONTENT_HEADER = 8_192
_MAX_PARAMETERS = 100  # of a Content- header; the parser takes quadratic time for them

_TAG_AND_WORDS = re.compile(r"<([!/]?\w*)[^<>]*>?([^<]*)")
_SILENT = ("script", "style", "head", "title", "template")
_BLOCKS = ("p", "div", "br", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "blockquote", "pre", "hr")
_TEXT_LENGTH = 2_000
_BODY_LENGTH = 100_000


class Malformed(Exception):
    """The mail cannot be read; `reason` is a short phrase for the log and the review page."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def parsed(raw: bytes) -> Message:
    """The tree of parts. Raises Malformed, and whatever the parser raises on hostile input."""
    if max(raw.count(b"\n"), raw.count(b"\r")) > _MAX_LINES:
        raise Malformed("too many lines")
    parser: BytesFeedParser[Message] = BytesFeedParser(_Limits().part, policy=compat32)
    parser.feed(raw)
    root = parser.close()
    if not len(root):
        raise Malformed("no headers")
    return root


def leaves(part: Message, depth: int = 0) -> Iterator[Message]:
    """The parts that hold something, in order. What is inside an attached message is not part of this one."""
    if depth > _MAX_DEPTH:
        raise Malformed("too deeply nested")
    if part.get_content_maintype() != "multipart":
        yield part
        return
    children = part.get_payload()
    if not isinstance(children, list):
        raise Malformed("a multipart without parts")
    for child in children:
        if isinstance(child, Message):
            yield from leaves(child, depth + 1)


def kind(part: Message) -> str:
    """The content type, in lower case."""
    return headers.line(part.get_content_type(), 100)


def parameter(part: Message, name: str) -> str:
    """A parameter of Content-Type, in lower case."""
    value: Any = headers.guarded(lambda: part.get_param(name, ""), None) or ""
    return headers.line(str(value[2] if isinstance(value, tuple) else value), 100).lower()


def filename(part: Message) -> str:
    """The name of an attachment, in lower case."""
    name = headers.guarded(lambda: part.get_filename(""), None) or ""
    return headers.line(headers.text_of(name), 500).lower()


def content(part: Message) -> bytes:
    """The decoded bytes; none when they cannot be decoded."""
    payload: Any = headers.guarded(lambda: part.get_payload(decode=True), None)
    return payload if isinstance(payload, bytes) else b""


def text(found: list[Message]) -> str:
    """The first readable body among the parts, plain text before HTML; quoted history is left in."""
    bodies = [part for part in found if part.get_content_disposition() != "attachment"]
    plain = (_written(part) for part in bodies if kind(part) == "text/plain")
    rich = (_html_to_text(_written(part)) for part in bodies if kind(part) == "text/html")
    cleaned = (headers.lines(body, _TEXT_LENGTH) for body in itertools.chain(plain, rich))
    return next(filter(None, cleaned), "")


def _written(part: Message) -> str:
    return headers.decoded(content(part), parameter(part, "charset"))[:_BODY_LENGTH]


def _html_to_text(html: str) -> str:
    """The words of an HTML body. Reads in linear time, which the standard library's parser does not."""
    shown, silenced = [], 0
    for tag, words in _TAG_AND_WORDS.findall("<>" + _without_comments(html)):
        name = tag.lower()
        if name.lstrip("/") in _SILENT:
            silenced = max(0, silenced + (-1 if name.startswith("/") else 1))
        elif name == "body":
            silenced = 0
        shown.append("\n" if name.lstrip("/") in _BLOCKS else "")
        shown.append("" if silenced else re.sub(r"[ \t\r\n]+", " ", words))
    text = "".join(shown)
    return headers.guarded(lambda: re.sub(r" *\n[ \n]*", "\n", unescape(text)), text)


def _without_comments(html: str) -> str:
    first, *others = html.split("<!--")
    return first + "".join(piece.partition("-->")[2] if "-->" in piece else piece for piece in others)


class _Part(Message):
    """A part that refuses to take more headers than a mail has."""

    limits: _Limits

    def set_raw(self, name: str, value: Any) -> None:
        self.limits.count_header(self, name, str(value))
        super().set_raw(name, value)


class _Limits:
    """Makes the parts of one mail for the parser and counts what they hold; raises Malformed when it is too much."""

    def __init__(self) -> None:
        self.parts = self.containers = self.header_bytes = 0

    def part(self, policy: Policy = compat32) -> _Part:
        self.parts += 1
        if self.parts > _MAX_PARTS + 1:  # the parser makes one for a try
            raise Malformed("too many parts")
        part = _Part(policy=policy)
        part.limits = self
        return part

    def count_header(self, part: Message, name: str, value: str) -> None:
        self.header_bytes += len(name) + len(value)
        if len(part) >= _MAX_HEADERS or self.header_bytes > _MAX_HEADER_BYTES:
            raise Malformed("too many headers")
        if not name.lower().startswith("content-"):
            return
        if len(value) > _MAX_CONTENT_HEADER or value.count(";") > _MAX_PARAMETERS:
            raise Malformed("a header is too long")
        self.containers += value.strip().lower().startswith(("multipart/", "message/"))
        if self.containers > _MAX_CONTAINERS:
            raise Malformed("too deeply nested")
