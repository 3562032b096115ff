"""The picture of a day: a strip for each city with its hours, and a band for a slot through all of them.

Lengths along the day are in percent and everything else in pixels, so that the words keep their size on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler import i18n
from scheduler.core.slots import Slot
from scheduler.core.spans import Span
from scheduler.core.strips import Picture, Piece, Strip
from scheduler.web.clocks import LocalTime
from scheduler.web.reader import directory, language, sentence


@dataclass(frozen=True, slots=True)
class Box:
    """`kind`: see `core.strips.KINDS`; `x` and `width` as SVG has them."""

    kind: str
    x: str
    width: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    city: str
    boxes: list[Box]
    marks: list[tuple[str, str]]  # place and local time


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
    boxes = [Box(piece.kind, *_place(piece.span, whole), _text(piece)) for piece in strip.pieces]
    marks = [(_place((at, at), whole)[0], i18n.clock(local)) for at, local in strip.marks]
    return Row(directory().city_name(strip.city, language()), boxes, marks)


def _place(span: Span, whole: Span) -> tuple[str, str]:
    """Where it begins, and how much of the whole it is."""
    length = whole[1] - whole[0]
    return f"{100 * (span[0] - whole[0]) / length:.2f}%", f"{100 * (span[1] - span[0]) / length:.2f}%"


def _text(piece: Piece) -> str:
    if piece.reason == "weekend":
        return str(sentence("web.strips.weekend"))
    return piece.name.read_in(language()) if piece.name else ""
