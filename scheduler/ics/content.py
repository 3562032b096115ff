"""Content lines as they are written (RFC 5545 3.1): values escaped, parameters quoted, long lines folded.

Our own because a calendar is written for every invitee, and icalendar's objects cost ten times what the lines cost.
Tests hold the lines to the bytes that icalendar writes, whatever text stands in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

LINE_LENGTH = 74  # octets before a fold; the space after it makes 75

# What would end a parameter. The apostrophe and spaces of a name are quoted too: some readers stop there.
_ENDS_PARAMETER = re.compile("[,;:’]")
_ENDS_NAME = re.compile("[,;:’ ']")


def escaped(text: str) -> str:
    """A TEXT value (RFC 5545 3.3.11); `\\N`, which some read as a line end, becomes one."""
    text = text.replace("\\N", "\n").replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def parameters(given: Mapping[str, str]) -> str:
    """`;NAME=value` for each; a caret is doubled (RFC 6868). The values hold neither line ends nor quotation marks."""
    return "".join(f";{name}={_quoted(name, value.replace('^', '^^'))}" for name, value in given.items())


def _quoted(name: str, value: str) -> str:
    ends = _ENDS_NAME if name == "CN" else _ENDS_PARAMETER
    return f'"{value}"' if ends.search(value) else value


@lru_cache(maxsize=4096)  # every mail and every language of one meeting names the same moments
def in_utc(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def on_the_clock(wall: datetime, zone: str) -> str:
    """Parameters and value of a wall time; to be written right behind the name."""
    return f";TZID={zone}:{wall:%Y%m%dT%H%M%S}"


def written(lines: Iterable[str]) -> bytes:
    return b"".join(_folded(line.encode()) for line in lines)


def _folded(line: bytes) -> bytes:
    """The line in pieces; neither a character nor an escape (of TEXT, or of RFC 6868) is cut in two."""
    start, pieces = 0, []
    while len(line) - start > LINE_LENGTH:
        end = start + LINE_LENGTH
        while line[end] & 0xC0 == 0x80:  # inside a character
            end -= 1
        if line[end - 1] in b"\\^":
            end -= 1
        pieces.append(line[start:end])
        start = end
    return b"\r\n ".join([*pieces, line[start:]]) + b"\r\n"
