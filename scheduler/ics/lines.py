"""Content lines, the layer below components and types (RFC 5545 3.1), read as generously as mail deserves.

Mail programs and gateways break calendars in known ways: other line ends, a byte order mark, a fold inside a
character, a national character set under a wrong label, quotes that do not close. A line that cannot be understood is
left out; the others stand.

This is our own because the alternative types every value while it reads: one false VTIMEZONE then changes what a later
file means (the library keeps them for the whole process), and a broken line at the top costs the whole calendar.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

_LINE_ENDS = re.compile(rb"\r*\n|\r")
_FOLDS = re.compile(rb"\n[ \t]")
_NAME = re.compile(r"\s*([A-Za-z0-9-]+)")
_WITH_PARAMETERS = re.compile(_NAME.pattern + r"\s*;")
_PARAMETER = re.compile(r'\s*;\s*([A-Za-z0-9-]+)\s*=((?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)')
_PARAMETER_VALUE = re.compile(r'"([^"]*)"|([^",]+)')
_CARET = re.compile(r"\^([n^'])")
_CARET_MEANS = {"n": "\n", "^": "^", "'": '"'}
_BACKSLASH = re.compile(r"\\(.)", re.DOTALL)

# What the addressees' systems write when it is not UTF-8. EUC-KR refuses nearly all Turkish text, so it goes first.
_CHARSETS = ("utf-8", "euc-kr", "windows-1254")


@dataclass(frozen=True, slots=True)
class Line:
    """One unfolded content line. Names are upper case, `raw` is the line as it came."""

    name: str
    value: str
    raw: str
    params: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def param(self, name: str) -> str:
        """The parameter's first value, empty when it is missing."""
        return next(iter(self.params.get(name, ())), "")


class BrokenLine(Exception):
    """A line that is needed cannot be understood."""


def read_lines(data: bytes, needed: Container[str] = ()) -> Iterator[Line]:
    """The content lines of `data` that can be understood, in order. Raises BrokenLine where the parameters of a line
    of one of the names `needed` cannot be told from its value."""
    # Unfold before decoding: a fold may have cut a character in two.
    unfolded = _FOLDS.sub(b"", _LINE_ENDS.sub(b"\n", data))
    for raw in _decode(unfolded).split("\n"):
        if not raw.strip():
            continue
        if line := _line(raw):
            yield line
        elif needed and (begun := _WITH_PARAMETERS.match(raw)) and begun[1].upper() in needed:
            raise BrokenLine


def _decode(data: bytes) -> str:
    for charset in _CHARSETS:
        try:
            return data.decode(charset).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")


def _line(raw: str) -> Line | None:
    if not (name := _NAME.match(raw)):
        return None
    params: dict[str, tuple[str, ...]] = {}
    at = name.end()
    while parameter := _PARAMETER.match(raw, at):
        params.setdefault(parameter[1].upper(), _values(parameter[2]))
        at = parameter.end()
    rest = raw[at:].lstrip()
    return Line(name[1].upper(), rest[1:].strip(), raw, params) if rest.startswith(":") else None


def _values(text: str) -> tuple[str, ...]:
    found = (quoted or plain for quoted, plain in _PARAMETER_VALUE.findall(text))
    return tuple(_CARET.sub(lambda m: _CARET_MEANS[m[1]], value) for value in found)


def unescape(value: str) -> str:
    """The text that a TEXT value stands for (RFC 5545 3.3.11)."""
    return _BACKSLASH.sub(lambda m: "\n" if m[1] in "nN" else m[1], value)
