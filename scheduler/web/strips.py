"""The picture of a day: a strip for each city with its hours, and a band for a slot through all of them.

Lengths along the day are in percent and everything else in pixels, so that the words keep their size on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler import i18n
from scheduler.core.slots import Slot
from scheduler.core.spans import Span
from scheduler.core.strips import MARKED, Picture, Piece, Strip
from scheduler.web.clocks import LocalTime
from scheduler.web.reader import directory, language, sentence

LONG = 16 * 3600  # on a phone, a picture of more seconds has no room for the time at every mark
NEAR = 0.05  # of the whole: a time so near to an end of the strip would stick out if it stood centred at its mark
NARROW = 0.08  # of the whole: a piece with less has no room for words


@dataclass(frozen=True, slots=True)
class Box:
    """`kind`: see `core.strips.KINDS`; `x` and `width` as SVG has them."""

    kind: str
    x: str
    width: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A local time at its place. `kind`: `first` or `last` near an end; `between` where it may be left out."""

    x: str
    time: str
    kind: str


@dataclass(frozen=True, slots=True)
class Row:
    city: str
    boxes: list[Box]
    marks: list[Mark]


@dataclass(frozen=True, slots=True)
class Drawing:
    rows: list[Row]
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Band:
    """A slot: where it lies, and its time in each row's city."""

    x: str
    width: str
    times: list[LocalTime]


def drawing(picture: Picture) -> Drawing:
    kinds = frozenset(piece.kind for strip in picture.strips for piece in strip.pieces)
    return Drawing([_row(strip, picture.span) for strip in picture.strips], kinds)


def band(slot: Slot, picture: Picture, times: Sequence[LocalTime]) -> Band:
    """`times` of at least the cities in the picture."""
    by_city = {time.slug: time for time in times}
    span = int(slot.start.timestamp()), int(slot.end.timestamp())
    return Band(*_place(span, picture.span), [by_city[strip.city] for strip in picture.strips])


def _row(strip: Strip, whole: Span) -> Row:
    boxes = [Box(piece.kind, *_place(piece.span, whole), _text(piece, whole)) for piece in strip.pieces]
    marks = [_mark(at, local, whole) for at, local in strip.marks]
    return Row(directory().city_name(strip.city, language()), boxes, marks)


def _mark(at: int, local: datetime, whole: Span) -> Mark:
    place = _share(at - whole[0], whole)
    kinds = ["first"] * (place < NEAR) + ["last"] * (place > 1 - NEAR)
    if local.hour % (2 * MARKED) and whole[1] - whole[0] > LONG:
        kinds.append("between")
    return Mark(f"{place:.2%}", i18n.clock(local), " ".join(kinds))


def _place(span: Span, whole: Span) -> tuple[str, str]:
    """Where it begins, and how much of the whole it is."""
    return f"{_share(span[0] - whole[0], whole):.2%}", f"{_share(span[1] - span[0], whole):.2%}"


def _share(length: int, whole: Span) -> float:
    return length / (whole[1] - whole[0])


def _text(piece: Piece, whole: Span) -> str:
    if _share(piece.span[1] - piece.span[0], whole) < NARROW:
        return ""
    if piece.reason == "weekend":
        return str(sentence("web.strips.weekend"))
    return piece.name.read_in(language()) if piece.name else ""
